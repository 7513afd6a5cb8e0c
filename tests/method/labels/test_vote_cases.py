"""The case of a sample by predictions of any number, of which some may be missing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lgca_plugin.method.labels.triage_cases import OF_VOTES, Case
from lgca_plugin.method.labels.triage_cases import WITH_LABEL as METHODS_WITH_LABEL
from lgca_plugin.method.labels.triage_cases import WITHOUT_LABEL as METHODS_WITHOUT_LABEL
from lgca_plugin.method.labels.vote_cases import WITH_LABEL, WITHOUT_LABEL, vote_cases


def case_of(votes, label, outside):
    """The definition, a sample at a time."""
    said = [vote for vote in votes if vote >= 0]
    if outside:
        return Case.LABEL_OUTSIDE
    if label < 0:
        return Case.ALL_AGREE if len(set(said)) == 1 else Case.PREDICTIONS_DIFFER
    if set(said) == {label}:
        return Case.ALL_RIGHT
    if label in said:
        return Case.SOME_RIGHT
    if len(set(said)) > 1:
        return Case.NOBODY_RIGHT
    return Case.LABEL_SUSPECT if len(said) > 1 else Case.AGAINST_LABEL


@pytest.mark.parametrize("voters", [1, 2, 3])
def test_vote_cases__are_those_of_the_definition(voters):
    rows = [
        (votes, label, outside)
        for votes in product([-1, 0, 1, 2], repeat=voters)
        if max(votes) >= 0
        for label, outside in ((-1, False), (-1, True), (0, False), (1, False))
    ]
    answers = [np.array([row[0][at] for row in rows]) for at in range(voters)]
    truth, outside = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    found = vote_cases(answers, truth, outside=outside)
    assert found == [case_of(*row) for row in rows]
    assert set(found) <= {*WITH_LABEL, *WITHOUT_LABEL}


def test_every_case_is_in_a_list():
    assert {*METHODS_WITH_LABEL, *METHODS_WITHOUT_LABEL, *OF_VOTES} == set(Case)
    assert set(OF_VOTES) < {*WITH_LABEL, *WITHOUT_LABEL}
    assert all(case.with_label for case in WITH_LABEL)
    assert not any(case.with_label for case in WITHOUT_LABEL)
