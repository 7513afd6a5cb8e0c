"""Choosing a setting: folds, the nested estimate against loops, and the coverage of its intervals."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.tuning.selection import nested_sweep, stratified_folds
from tests.helpers.checks import all_of

SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=50, deadline=None)
@given(
    strata=st.lists(st.sampled_from("aaaaaabbbcdefgh"), min_size=3, max_size=60), folds=st.integers(3, 8), seed=SEEDS
)
def test_folds__are_even_in_size_and_in_every_class(strata: list[str], folds: int, seed: int) -> None:
    folds = min(folds, len(strata))
    dealt = stratified_folds(strata, folds=folds, repeats=2, seed=seed)
    np.testing.assert_array_equal(dealt, stratified_folds(strata, folds=folds, repeats=2, seed=seed))
    for fold in dealt.tolist():
        for group in [None, *set(strata)]:
            sizes = Counter(f for f, own in zip(fold, strata, strict=True) if group in (None, own))
            assert max(sizes.values()) - min(sizes.get(f, 0) for f in range(folds)) <= 1


def test_folds__another_seed_and_another_repeat_split_differently() -> None:
    strata = ["a"] * 20 + ["b"] * 20
    first, second = stratified_folds(strata, folds=5, repeats=2, seed=0)
    other = stratified_folds(strata, folds=5, repeats=1, seed=1)[0]
    assert (first != second).any() and (first != other).any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 5}, ["folds", "4", "got 5"]),
        ({"folds": 2}, ["folds", "at least 3", "got 2"]),
        ({"folds": 3, "repeats": 0}, ["repeats", "got 0"]),
    ],
)
def test_nested__too_few_samples_or_folds_are_rejected(options: dict[str, int], words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(words)):
        nested_sweep(np.ones((2, 4), dtype=bool), ["a", "a"], [0, 0, 1, 1], **options)


def bonett_price(gained: float, lost: float, n: float) -> tuple[float, float]:
    """Adjusted Wald interval of a paired difference: one more sample gained, one more lost."""
    up, down = (gained * n + 1) / (n + 2), (lost * n + 1) / (n + 2)
    half = 1.959964 * math.sqrt((up + down - (up - down) ** 2) / (n + 2))
    return up - down - half, up - down + half


def slow_nested(correct: list[list[bool]], dealt: list[list[int]], folds: int) -> dict[str, Any]:
    """Nested cross-validation of one group, sample by sample, after section 4.2 of Bates, Hastie and Tibshirani."""
    n = len(correct[0])

    def best_without(fold: list[int], left_out: set[int]) -> int:
        counts = [sum(row[i] for i in range(n) if fold[i] not in left_out) for row in correct]
        return counts.index(max(counts))

    answers: list[int] = []
    gains: list[int] = []
    choices: Counter[int] = Counter()
    squared: dict[str, list[float]] = {"accuracy": [], "gain": []}
    for fold in dealt:
        for k in range(folds):
            chosen = best_without(fold, {k})
            choices[chosen] += 1
            held_out = [i for i in range(n) if fold[i] == k]
            outer = {
                "accuracy": [float(correct[chosen][i]) for i in held_out],
                "gain": [float(correct[chosen][i]) - float(correct[0][i]) for i in held_out],
            }
            answers += [int(a) for a in outer["accuracy"]]
            gains += [int(g) for g in outer["gain"]]
            inner: dict[str, list[float]] = {"accuracy": [], "gain": []}
            for j in range(folds):
                if j != k:
                    other = best_without(fold, {j, k})
                    for i in range(n):
                        if fold[i] == j:
                            inner["accuracy"].append(float(correct[other][i]))
                            inner["gain"].append(float(correct[other][i]) - float(correct[0][i]))
            for name, values in outer.items():
                mean = sum(values) / len(values)
                variance = sum((v - mean) ** 2 for v in values) / max(len(values) - 1, 1)
                gap = sum(inner[name]) / len(inner[name]) - mean
                squared[name].append(gap**2 - variance / len(values))

    def effective(name: str, values: list[int]) -> float:
        mean = sum(values) / len(values)
        plain = (sum(v * v for v in values) / len(values) - mean**2) / n
        error = sum(squared[name]) / len(squared[name]) * (folds - 1) / folds
        return n / min(max(error / plain, 1), folds) if plain else n

    return {
        "nested": sum(answers) / len(answers),
        "gain": sum(gains) / len(gains),
        "effective": effective("accuracy", answers),
        "gain_interval": bonett_price(
            gains.count(1) / len(gains), gains.count(-1) / len(gains), effective("gain", gains)
        ),
        "choices": choices,
    }


@pytest.mark.parametrize("seed", range(12))
def test_nested__equals_the_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, folds, repeats = int(rng.integers(13, 40)), int(rng.integers(3, 6)), int(rng.integers(1, 4))
    correct = rng.random((7, n)) < rng.uniform(0.3, 0.9, size=(7, 1))
    strata = rng.integers(0, 4, size=n)
    choice = nested_sweep(correct, ["g"] * 7, strata, folds=folds, repeats=repeats, seed=seed)[0]
    dealt = stratified_folds(strata, folds=folds, repeats=repeats, seed=seed).tolist()
    expected = slow_nested(correct.tolist(), dealt, folds)
    assert choice.nested.value == pytest.approx(expected["nested"])
    assert choice.gain.value == pytest.approx(expected["gain"])
    assert choice.effective_samples == pytest.approx(expected["effective"])
    assert (choice.gain.low, choice.gain.high) == pytest.approx(expected["gain_interval"], abs=1e-6)
    assert dict(choice.fold_choices) == expected["choices"]
    assert choice.chosen_accuracy == pytest.approx(correct.mean(axis=1).max())
    assert choice.gain.value == pytest.approx(choice.nested.value - choice.default_accuracy.value)


def test_nested__a_setting_that_is_better_everywhere_is_chosen_with_its_own_accuracy() -> None:
    correct = np.zeros((6, 200), dtype=bool)
    for row, right in zip(correct, (100, 20, 180, 60, 140, 150), strict=True):
        row[np.arange(right) * 7 % 200] = True
    first, second = nested_sweep(correct, ["a", "a", "a", "b", "b", "a"], np.arange(200) % 10)
    assert (first.group, first.default, first.chosen, first.settings, first.samples) == ("a", 0, 2, 4, 200)
    assert (second.group, second.default, second.chosen, second.settings) == ("b", 3, 4, 2)
    assert first.chosen_accuracy == first.nested.value == 0.9
    assert first.fold_choices == ((2, 100),)
    assert first.gain.value == pytest.approx(0.4) and first.gain.low > 0.25
    assert first.within_noise == (2,)
    assert [first.lowest, first.median] == pytest.approx([0.1, 0.625])


def test_nested__the_first_of_equal_settings_is_chosen() -> None:
    row = np.arange(90) % 3 == 0
    choice = nested_sweep(np.stack([~row, row, ~row]), ["a"] * 3, row)[0]
    assert choice.chosen == choice.default == 0
    assert choice.fold_choices == ((0, 100),)
    assert choice.gain.value == 0 and choice.gain.low < 0 < choice.gain.high
    assert choice.within_noise == (0, 2)


def test_nested__one_setting_leaves_nothing_to_choose() -> None:
    rng = np.random.default_rng(0)
    correct = rng.random((1, 50)) < 0.7
    choice = nested_sweep(correct, ["clip"], rng.integers(0, 3, 50))[0]
    assert choice.nested.value == choice.chosen_accuracy
    assert (choice.gain.value, choice.gain.low, choice.gain.high) == (0, 0, 0)
    assert choice.nested == choice.default_accuracy and choice.effective_samples == 50


def test_nested__intervals_are_wilsons() -> None:
    for value in (True, False):
        choice = nested_sweep(np.full((3, 40), value), ["a"] * 3, [0] * 40)[0]
        wilson = binomtest(40 * value, 40).proportion_ci(0.95, method="wilson")
        assert choice.effective_samples == 40
        assert (choice.nested.low, choice.nested.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)
    correct = np.random.default_rng(1).random((2, 73)) < 0.8
    found = nested_sweep(correct, ["a", "a"], [0] * 73)[0].default_accuracy
    wilson = binomtest(int(correct[0].sum()), 73).proportion_ci(0.95, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((correct[0].mean(), wilson.low, wilson.high))


def test_nested__within_noise_is_mcnemars_exact_test() -> None:
    rng = np.random.default_rng(2)
    best = rng.random(120) < 0.7
    correct = np.stack([best, *(np.where(rng.random(120) < rate, ~best, best) for rate in np.linspace(0, 0.4, 25))])
    choice = nested_sweep(correct, ["a"] * 26, [0] * 120)[0]
    top = correct[choice.chosen]
    alike = []
    for index, row in enumerate(correct):
        differing = int((row ^ top).sum())
        p = binomtest(int((row & ~top).sum()), differing).pvalue if differing else 1.0
        alike += [index] if p >= 0.05 else []
    assert choice.within_noise == tuple(alike)
    assert 3 < len(alike) < 23


def test_nested__is_unbiased_for_coin_flips() -> None:
    trials, n, count = 400, 100, 40
    nested, plain, covered, covered_gain = [], [], 0, 0
    for seed in range(trials):
        correct = np.random.default_rng(seed).random((count, n)) < 0.5
        choice = nested_sweep(correct, ["g"] * count, np.arange(n) % 10, seed=seed)[0]
        nested.append(choice.nested.value)
        plain.append(choice.chosen_accuracy)
        covered += choice.nested.low <= 0.5 <= choice.nested.high
        covered_gain += choice.gain.low <= 0 <= choice.gain.high
    assert np.mean(plain) > 0.6  # the best of forty looks good
    assert np.mean(nested) == pytest.approx(0.5, abs=4 * np.std(nested) / np.sqrt(trials))
    assert covered / trials > 0.94 and covered_gain / trials > 0.94


def test_nested__covers_the_truth_of_settings_that_are_mostly_alike() -> None:
    """As settings of one method are: they answer most samples alike, and some are truly better."""
    trials, n, count = 400, 150, 30
    covered, plain, widths = 0, 0, []
    for seed in range(trials):
        rng = np.random.default_rng(seed)
        threshold = rng.permutation(np.linspace(0.15, 0.35, count))[:, None]
        correct = math.sqrt(0.9) * rng.normal(size=n) + math.sqrt(0.1) * rng.normal(size=(count, n)) < threshold
        choice = nested_sweep(correct, ["g"] * count, np.arange(n) % 10, seed=seed)[0]
        truth = 0.5 * (1 + math.erf(float(threshold[choice.chosen, 0]) / math.sqrt(2)))
        covered += choice.nested.low <= truth <= choice.nested.high
        wilson = binomtest(round(choice.chosen_accuracy * n), n).proportion_ci(0.95, method="wilson")
        plain += wilson.low <= truth <= wilson.high
        widths.append((choice.nested.high - choice.nested.low) / (wilson.high - wilson.low))
    assert plain / trials < 0.92
    assert covered / trials > 0.93
    assert np.mean(widths) < 1.5
