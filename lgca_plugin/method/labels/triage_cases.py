"""Triage cases: who disagrees with whom, and, where a label is known, who is right.

A closed list over three predictions of a sample: CLIP's from the whole image, WCA's from its crops, LGCA's from crops
that have grown. Other methods can stand in for each of them. A sample with a usable label gets a case that says who is
right; one without gets a case that says who disagrees.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]


class Case(str, Enum):
    """What three predictions of a sample have to do with each other, and with its label."""

    # without a label
    ALL_AGREE = "all agree"
    CLIP_DIFFERS = "CLIP differs"
    WCA_MISLED = "WCA misled by crops"
    WCA_DIFFERS = "WCA differs"
    LGCA_DIFFERS = "LGCA differs"
    ALL_DIFFER = "all differ"
    # with a label
    ALL_RIGHT = "all right"
    LABEL_SUSPECT = "all agree against the label"
    CROPS_REPAIR = "crops repair CLIP"
    WCA_MISLED_LGCA_RIGHT = "WCA misled by crops, LGCA right"
    LGCA_REPAIRS = "LGCA repairs WCA"
    LGCA_MISLED = "LGCA misled by expansion"
    CROPS_MISLEAD = "crops mislead, CLIP right"
    NOBODY_RIGHT = "nobody right"

    @property
    def meaning(self) -> str:
        """One sentence for people."""
        return _MEANINGS[self]


WITH_LABEL = (
    Case.ALL_RIGHT,
    Case.LABEL_SUSPECT,
    Case.CROPS_REPAIR,
    Case.WCA_MISLED_LGCA_RIGHT,
    Case.LGCA_REPAIRS,
    Case.LGCA_MISLED,
    Case.CROPS_MISLEAD,
    Case.NOBODY_RIGHT,
)
"""The cases of samples with a usable label."""

WITHOUT_LABEL = tuple(case for case in Case if case not in WITH_LABEL)
"""The cases of samples without one."""

_MEANINGS = {
    Case.ALL_AGREE: "CLIP, WCA and LGCA give the same answer.",
    Case.CLIP_DIFFERS: "WCA and LGCA agree against CLIP: details say something else than the whole image.",
    Case.WCA_MISLED: "Without some crops WCA would say what LGCA says; CLIP does not back WCA; who is right is open.",
    Case.WCA_DIFFERS: "CLIP and LGCA agree against WCA, and no misleading crops explain it.",
    Case.LGCA_DIFFERS: "CLIP and WCA agree against LGCA: grown regions say something else.",
    Case.ALL_DIFFER: "Three answers, and no misleading crops explain WCA's.",
    Case.ALL_RIGHT: "All three answers are the label.",
    Case.LABEL_SUSPECT: "All three give the same answer, and it is not the label: look at the label first.",
    Case.CROPS_REPAIR: "CLIP is wrong, WCA and LGCA are right.",
    Case.WCA_MISLED_LGCA_RIGHT: "LGCA is right, WCA is wrong, and without its misleading crops it would be right.",
    Case.LGCA_REPAIRS: "LGCA is right, WCA is wrong, and no misleading crops explain it.",
    Case.LGCA_MISLED: "WCA is right, LGCA is wrong: expansion led it away.",
    Case.CROPS_MISLEAD: "Only CLIP is right: WCA and LGCA, which look at crops, are wrong.",
    Case.NOBODY_RIGHT: "No answer is the label, and they differ: a hard image, or a wrong label.",
}


def triage_cases(clip: IntArray, wca: IntArray, lgca: IntArray, truth: IntArray, *, crop_case: BoolArray) -> list[Case]:
    """Assigns every sample its case.

    Args:
        clip: ``[n]`` class index of CLIP's answer
        wca: ``[n]`` WCA's
        lgca: ``[n]`` LGCA's
        truth: ``[n]`` class index of the label, -1 where there is none to compare with
        crop_case: ``[n]`` whether the sample is a misleading-crop case, see :mod:`.cases`

    Returns:
        n cases
    """
    known = truth >= 0
    c, w, g = (known & (answer == truth) for answer in (clip, wca, lgca))
    agree = (clip == wca) & (wca == lgca)
    table: list[tuple[BoolArray, Case]] = [  # the first that holds
        (known & agree & c, Case.ALL_RIGHT),
        (known & agree, Case.LABEL_SUSPECT),
        (g & w, Case.CROPS_REPAIR),
        (g & crop_case, Case.WCA_MISLED_LGCA_RIGHT),
        (g, Case.LGCA_REPAIRS),
        (w, Case.LGCA_MISLED),
        (c, Case.CROPS_MISLEAD),
        (known, Case.NOBODY_RIGHT),
        (agree, Case.ALL_AGREE),
        (wca == lgca, Case.CLIP_DIFFERS),
        (clip == wca, Case.LGCA_DIFFERS),
        (crop_case, Case.WCA_MISLED),
        (clip == lgca, Case.WCA_DIFFERS),
    ]
    cases = [case for _, case in table] + [Case.ALL_DIFFER]
    found = np.full(len(truth), len(table))
    for place, (holds, _) in reversed(list(enumerate(table))):
        found[holds] = place
    return [cases[place] for place in found.tolist()]


def changes(before: IntArray, after: IntArray, truth: IntArray) -> tuple[int, int]:
    """Counts what one method repaired of another's answers, and what it broke.

    Args:
        before: ``[n]`` class index of the one method's answer
        after: ``[n]`` of the other's
        truth: ``[n]`` class index of the label, -1 where there is none to compare with

    Returns:
        how many wrong answers became right, and how many right ones wrong
    """
    right_before, right_after = before == truth, after == truth
    return int((~right_before & right_after).sum()), int((right_before & ~right_after).sum())
