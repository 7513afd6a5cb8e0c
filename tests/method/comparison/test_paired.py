"""Paired comparisons: published examples, sums done by hand, plain loops, and whether the intervals cover."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lgca_plugin.method.comparison.paired import (
    compare,
    difference_interval,
    holm,
    macro_recall,
    mcnemar_exact,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (2, 9, 2 * (1 + 11 + 55) / 2**11),
        (10, 2, 2 * (1 + 12 + 66) / 2**12),
        (5, 0, 2 / 2**5),
        (4, 4, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar__is_the_binomial_tail_twice(only_a, only_b, p):
    assert mcnemar_exact(only_a, only_b) == pytest.approx(p, rel=1e-12)
    assert mcnemar_exact(only_b, only_a) == pytest.approx(p, rel=1e-12)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (12, 12, 0.7575, 1.0),
    ],
)
def test_wilson__is_as_in_newcombe_1998(correct, n, low, high):
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_holm__steps_down_and_never_falls_back():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.4]) == pytest.approx([0.8, 0.8])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def enumerated_interval(only_a, only_b, n, confidence):
    """Percentiles of the resampled difference, by going through every resample that there can be."""
    up, down = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    shares = dict.fromkeys(range(-n, n + 1), 0.0)
    for a in range(n + 1):
        for b in range(n + 1 - a):
            ways = math.comb(n, a) * math.comb(n - a, b)
            shares[a - b] += ways * up**a * down**b * (1 - up - down) ** (n - a - b)
    ends = []
    for share in ((1 - confidence) / 2, (1 + confidence) / 2):
        below = 0.0
        for step in range(-n, n + 1):
            below += shares[step]
            if below >= share:
                ends.append(step / n)
                break
    return tuple(ends)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95])
@pytest.mark.parametrize(("only_a", "only_b", "n"), [(0, 0, 1), (1, 0, 1), (0, 0, 9), (3, 1, 9), (9, 0, 9), (2, 7, 12)])
def test_interval__equals_enumerated_resamples(only_a, only_b, n, confidence):
    expected = enumerated_interval(only_a, only_b, n, confidence)
    assert difference_interval(only_a, only_b, n, confidence=confidence) == pytest.approx(expected)


def test_interval__of_a_million_samples_is_the_normal_one():
    n, only_a, only_b = 1_000_000, 50_000, 49_000
    up, down = only_a / n, only_b / n
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / n)
    assert difference_interval(only_a, only_b, n) == pytest.approx((up - down - half, up - down + half), abs=2e-6)


def test_interval__has_its_nominal_coverage():
    """Exactly, not by trials: every outcome is weighed with its probability."""
    for n in (20, 40):
        ways = {
            (a, b): math.lgamma(n + 1) - math.lgamma(a + 1) - math.lgamma(b + 1) - math.lgamma(n - a - b + 1)
            for a in range(n + 1)
            for b in range(n + 1 - a)
        }
        intervals = {outcome: difference_interval(*outcome, n) for outcome in ways}
        for up, down in [
            (0.001, 0.001),
            (0.01, 0.03),
            (0.05, 0.001),
            (0.1, 0.05),
            (0.2, 0.001),
            (0.2, 0.1),
            (0.3, 0.3),
        ]:
            stay = 1 - up - down
            covered = sum(
                math.exp(log + a * math.log(up) + b * math.log(down) + (n - a - b) * math.log(stay))
                for (a, b), log in ways.items()
                if intervals[a, b][0] - 1e-12 <= up - down <= intervals[a, b][1] + 1e-12
            )
            assert covered > 0.945, (n, up, down, covered)


@given(only_a=st.integers(0, 60), only_b=st.integers(0, 60), both=st.integers(0, 2000), more=st.integers(1, 50))
def test_interval__holds_the_difference_agrees_with_the_test_and_mirrors(only_a, only_b, both, more):
    n = only_a + only_b + both + more
    low, high = difference_interval(only_a, only_b, n)
    assert -1 <= low < high <= 1
    assert low <= (only_a - only_b) / n <= high
    back = difference_interval(only_b, only_a, n)
    assert back == pytest.approx((-high, -low), abs=1.01 / n)  # steps are of 1 / n, percentiles between two of them
    if mcnemar_exact(only_a, only_b) < 0.05:
        assert low >= 0 or high <= 0


def test_macro_recall__counts_every_class_that_occurs_the_same():
    truth = np.array([0, 0, 0, 0, 0, 0, 0, 0, 3, 3])
    right = np.array([1, 1, 1, 1, 1, 1, 1, 0, 0, 1], dtype=bool)
    assert macro_recall(truth, right) == pytest.approx((7 / 8 + 1 / 2) / 2)


def test_compare__later_methods_with_earlier_ones():
    correct = {
        "clip": np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], dtype=bool),
        "wca": np.array([1, 0, 1, 1, 1, 1, 1, 1, 0, 0], dtype=bool),
        "lgca": np.array([1, 0, 1, 1, 1, 1, 1, 1, 1, 1], dtype=bool),
    }
    first, second, third = compare(correct)
    assert [(pair.a, pair.b) for pair in (first, second, third)] == [("wca", "clip"), ("lgca", "clip"), ("lgca", "wca")]
    assert (first.only_a, first.only_b, first.difference) == (6, 1, 0.5)
    assert (second.only_a, second.only_b, second.difference) == (8, 1, 0.7)
    assert (third.only_a, third.only_b, third.difference) == (2, 0, 0.2)
    p = [2 * 8 / 2**7, 2 * 10 / 2**9, 2 / 2**2]
    assert [pair.p for pair in (first, second, third)] == pytest.approx(p)
    assert [pair.p_holm for pair in (first, second, third)] == pytest.approx([2 * p[0], 3 * p[1], p[2]])
    assert first.interval == difference_interval(6, 1, 10)
    assert compare({"clip": correct["clip"]}) == ()
