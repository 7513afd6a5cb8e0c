"""Agreement and class flow against plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.comparison.agreement import PATTERNS, agreement, choose_points, class_flow, pair_agreements

ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=40)
PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60)


def who_agrees(answers):
    """The pattern of one sample: methods that give the same class have the same number, counted as they appear."""
    seen = []
    for label in answers:
        if label not in seen:
            seen.append(label)
    return tuple(seen.index(label) for label in answers)


@pytest.mark.parametrize("methods", [1, 2, 3])
@settings(max_examples=60, deadline=None)
@given(rows=ANSWERS)
def test_agreement__is_who_gives_the_same_class(methods, rows):
    columns = [np.array([row[at] for row in rows], dtype=np.int64) for at in range(methods)]
    found = [PATTERNS[methods][at] for at in agreement(columns).tolist()]
    assert found == [who_agrees(row[:methods]) for row in rows]


@settings(max_examples=60, deadline=None)
@given(rows=ANSWERS)
def test_pair_agreements__count_samples_with_the_same_class(rows):
    columns = [np.array([row[at] for row in rows], dtype=np.int64) for at in range(3)]
    counts = np.bincount(agreement(columns), minlength=5).tolist()
    expected = {(i, j): sum(row[i] == row[j] for row in rows) for i, j in ((0, 1), (0, 2), (1, 2))}
    assert pair_agreements(counts, 3) == expected


@settings(max_examples=100, deadline=None)
@given(rows=PAIRS, most=st.integers(2, 12))
def test_flow__counts_what_becomes_what(rows, most):
    a, b = (np.array([row[at] for row in rows], dtype=np.int64) for at in range(2))
    flow = class_flow(a, b, most=most)
    occurring = sorted({label for row in rows for label in row})
    apart = {k: sum((k in row) for row in rows if row[0] != row[1]) for k in occurring}
    ranked = sorted(occurring, key=lambda k: (-apart[k], k))
    shown = ranked if len(ranked) <= most else ranked[: most - 1]
    assert list(flow.classes) == shown
    assert flow.folded == len(ranked) - len(shown)
    groups = [{k} for k in shown] + ([set(ranked[len(shown) :])] if flow.folded else [])
    for i, of_a in enumerate(groups):
        for j, of_b in enumerate(groups):
            cell = [row for row in rows if row[0] in of_a and row[1] in of_b]
            if flow.folded and i == j == len(shown):
                cell = [row for row in cell if row[0] != row[1]]
            assert flow.counts[i, j] == len(cell)
    assert flow.counts.sum() + flow.agreed_elsewhere == len(rows)


def test_points__take_disagreements_first_and_are_the_same_each_time():
    order = np.array([5, 4, 3, 2, 1, 0])
    differs = np.array([True, False, True, False, True, False])
    assert choose_points(order, differs, 2).tolist() == [2, 4]
    assert choose_points(order, differs, 4).tolist() == [0, 2, 4, 5]
    assert choose_points(order, differs, 99).tolist() == [0, 1, 2, 3, 4, 5]
