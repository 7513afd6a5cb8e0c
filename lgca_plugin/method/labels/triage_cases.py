"""Triage cases: which methods disagree, and, if a label is known, which of them are right.

A closed list over three predictions of a sample: CLIP's from the whole image, WCA's from its crops, LGCA's from crops
that have grown. Other methods can stand in for each of them.
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
    """How three predictions of a sample relate to each other, and to its label.

    Attributes:
        with_label: whether it is a case of samples with a label
        meaning: one sentence for users
    """

    with_label: bool
    meaning: str

    def __new__(cls, value: str, with_label: bool, meaning: str) -> Case:
        """Makes a member; its value is the text that samples carry."""
        case = str.__new__(cls, value)
        case._value_ = value
        case.with_label = with_label
        case.meaning = meaning
        return case

    ALL_AGREE = "all agree", False, "All answers are the same."
    CLIP_DIFFERS = (
        "CLIP differs",
        False,
        "WCA and LGCA agree against CLIP: details say something else than the whole image.",
    )
    WCA_MISLED = (
        "WCA misled by crops",
        False,
        "Without some crops WCA would say what LGCA says; CLIP does not back WCA; who is right is open.",
    )
    WCA_DIFFERS = "WCA differs", False, "CLIP and LGCA agree against WCA, and no misleading crops explain it."
    LGCA_DIFFERS = "LGCA differs", False, "CLIP and WCA agree against LGCA: grown regions say something else."
    ALL_DIFFER = "all differ", False, "Three answers, and no misleading crops explain WCA's."

    ALL_RIGHT = "all right", True, "All answers are the label."
    LABEL_SUSPECT = (
        "all agree against the label",
        True,
        "All give the same answer, and it is not the label: look at the label first.",
    )
    CROPS_REPAIR = "crops repair CLIP", True, "CLIP is wrong, WCA and LGCA are right."
    WCA_MISLED_LGCA_RIGHT = (
        "WCA misled by crops, LGCA right",
        True,
        "LGCA is right, WCA is wrong, and without its misleading crops it would be right.",
    )
    LGCA_REPAIRS = (
        "LGCA repairs WCA",
        True,
        "LGCA is right, WCA is wrong, and no misleading crops explain it.",
    )
    LGCA_MISLED = "LGCA misled by expansion", True, "WCA is right, LGCA is wrong: expansion led it away."
    CROPS_MISLEAD = (
        "crops mislead, CLIP right",
        True,
        "Only CLIP is right: WCA and LGCA, which look at crops, are wrong.",
    )
    NOBODY_RIGHT = "nobody right", True, "No answer is the label, and they differ: a hard image, or a wrong label."
    LABEL_OUTSIDE = (
        "label outside the classes",
        True,
        "The label is no class of the run, so no answer can be it: a slip of spelling, or a class that the run lacks.",
    )

    SOME_RIGHT = "some right", True, "Some predictions are the label, others are not."
    AGAINST_LABEL = "against the label", True, "The only prediction is not the label."
    PREDICTIONS_DIFFER = "predictions differ", False, "The predictions are not the same."


OF_VOTES = (Case.SOME_RIGHT, Case.AGAINST_LABEL, Case.PREDICTIONS_DIFFER)
"""The cases that only predictions of any origin have, see :mod:`.vote_cases`."""
WITH_LABEL = tuple(case for case in Case if case.with_label and case not in OF_VOTES)
"""The cases of samples with a label."""
WITHOUT_LABEL = tuple(case for case in Case if not case.with_label and case not in OF_VOTES)
"""The cases of samples without one."""


def triage_cases(
    clip: IntArray, wca: IntArray, lgca: IntArray, truth: IntArray, *, crop_case: BoolArray, outside: BoolArray
) -> list[Case]:
    """Returns the case of every sample.

    Args:
        clip: ``[n]`` class index of CLIP's answer
        wca: ``[n]`` WCA's
        lgca: ``[n]`` LGCA's
        truth: ``[n]`` class index of the label, -1 without a usable one
        crop_case: ``[n]`` whether the sample has a misleading-crop case, see :mod:`~.explain.misleading_cases`
        outside: ``[n]`` whether its label is no class of the run

    Returns:
        n cases
    """
    known = truth >= 0
    c, w, g = (known & (answer == truth) for answer in (clip, wca, lgca))
    agree = (clip == wca) & (wca == lgca)
    table: list[tuple[BoolArray, Case]] = [  # the first that holds
        (outside, Case.LABEL_OUTSIDE),
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
    found = np.select([holds for holds, _ in table], range(len(table)), default=len(table))
    return [cases[place] for place in found.tolist()]


def changes(before: IntArray, after: IntArray, truth: IntArray) -> tuple[int, int]:
    """Counts the labels that one method corrects of another's, and those that it breaks.

    Args:
        before: ``[n]`` class index of the one method's answer
        after: ``[n]`` of the other's
        truth: ``[n]`` class index of the label, -1 without a usable one

    Returns:
        number of wrong labels that become right, and of right ones that become wrong
    """
    right_before, right_after = before == truth, after == truth
    return int((~right_before & right_after).sum()), int((right_before & ~right_after).sum())
