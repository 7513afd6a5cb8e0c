"""The case of a sample by predictions of any origin and number: which of them agree, and with the label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .triage_cases import Case

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]

WITH_LABEL = (
    Case.ALL_RIGHT,
    Case.LABEL_SUSPECT,
    Case.AGAINST_LABEL,
    Case.SOME_RIGHT,
    Case.NOBODY_RIGHT,
    Case.LABEL_OUTSIDE,
)
"""The cases of samples with a label."""
WITHOUT_LABEL = (Case.ALL_AGREE, Case.PREDICTIONS_DIFFER)
"""The cases of samples without one."""


def vote_cases(answers: Sequence[IntArray], truth: IntArray, *, outside: BoolArray) -> list[Case]:
    """Returns the case of every sample.

    Args:
        answers: for each voter ``[n]`` index of its label, -1 where it has none; each sample has one at least
        truth: ``[n]`` index of the given label, -1 without a usable one
        outside: ``[n]`` whether the given label is no class of the run
    """
    votes = np.stack(answers)
    there = votes >= 0
    first = votes[there.argmax(axis=0), np.arange(votes.shape[1])]
    alike = (~there | (votes == first)).all(axis=0)
    known, right = truth >= 0, votes == truth
    table: list[tuple[BoolArray, Case]] = [  # the first that holds
        (outside, Case.LABEL_OUTSIDE),
        (known & alike & (first == truth), Case.ALL_RIGHT),
        (known & right.any(axis=0), Case.SOME_RIGHT),
        (known & alike & (there.sum(axis=0) > 1), Case.LABEL_SUSPECT),
        (known & alike, Case.AGAINST_LABEL),
        (known, Case.NOBODY_RIGHT),
        (alike, Case.ALL_AGREE),
    ]
    cases = [case for _, case in table] + [Case.PREDICTIONS_DIFFER]
    found = np.select([holds for holds, _ in table], range(len(table)), default=len(table))
    return [cases[place] for place in found.tolist()]
