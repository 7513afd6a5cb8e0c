"""Sweeps: many settings in one pass equal plain loops, and the nested estimate does not flatter."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import CropCounts, RegionEmbeddings
from lgca_plugin.method.tuning.scorer import CHUNK_BYTES, SettingsScorer, SettingsScores, effective_regions
from lgca_plugin.method.tuning.selection import nested_sweep, stratified_folds
from lgca_plugin.method.tuning.sweep import Sweep, SweepReport, changes, default_grid
from tests.helpers import reference
from tests.helpers.matching import all_of
from tests.helpers.worlds.random_runs import CROPS, N_CHAINS, N_CROPS, World

SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.floats(-2, 5)
METHOD = st.builds(
    Method,
    name=st.just("mine"),
    regions=st.sampled_from(["crops", "chains"]),
    weighting=st.sampled_from(["salience", "decisive", "uniform"]),
    global_weight=st.sampled_from([0.0, 0.3, 2.0]),
    class_vectors=st.sampled_from(["label", "weighted", "mean"]),
    image_scale=SCALES,
    text_scale=st.sampled_from([0.0, 2.0, 3.0]),
    decisiveness=st.floats(0, 40),
    step_weights=st.sampled_from([None, (1.0, 0.5, 0.25), (1.0, 0.0, 0.0), (0.5, 0.0, 2.0)]),
)


def scorer_of(world: World, methods: list[Method], counts: CropCounts = CROPS, **options: int) -> SettingsScorer:
    return SettingsScorer(methods, world.class_vectors, counts, logit_scale=world.logit_scale, **options)


def score(world: World, methods: list[Method], images: Any = slice(None), **options: Any) -> SettingsScores:
    return scorer_of(world, methods, **options).score(world.images(images))


# -------------------------------------------------------------------------------------------- the slow reference


def slow_weights(method: Method, seen: reference.ReferenceImage, vectors: list[list[float]]) -> list[float]:
    """The weight of every region, from the formulas, one number at a time."""
    used = [
        i
        for i, r in enumerate(seen.regions)
        if (r.step == 0 and r.chain < N_CROPS if method.regions == "crops" else r.chain < N_CHAINS)
    ]
    if method.regions == "none":
        used = []
    result = [0.0] * len(seen.regions)
    if method.weighting == "decisive":
        logits = []
        for i in used:
            beliefs = reference.softmax([30.0 * reference.dot(seen.regions[i].embedding, c) for c in vectors])
            logits.append(-method.decisiveness * reference.entropy(beliefs) / math.log(len(vectors)))
        for i, weight in zip(used, reference.softmax(logits) if used else [], strict=True):
            result[i] = weight
        return result
    steps = sorted({seen.regions[i].step for i in used})
    shares = [1.0 if method.step_weights is None else method.step_weights[step] for step in steps]
    for step, share in zip(steps, shares, strict=True):
        members = [i for i in used if seen.regions[i].step == step]
        scale = 0.0 if method.weighting == "uniform" else math.exp(method.image_scale)
        inside = reference.softmax([scale * seen.regions[i].salience for i in members])
        for i, weight in zip(members, inside, strict=True):
            result[i] = weight * share / sum(shares)
    return result


def slow_scores(world: World, method: Method, image: int) -> tuple[list[float], list[float]]:
    """Class scores and region weights of one image."""
    own = [d.astype(float).tolist() for d in world.descriptions]
    labels = world.labels.astype(float).tolist()
    vectors = reference.class_vectors(method.class_vectors, labels, own, method.text_scale)
    seen = world.seen(image)
    weights = slow_weights(method, seen, vectors)
    rows = [*(r.embedding for r in seen.regions), seen.whole]
    vector = reference.unit(reference.weighted_sum([*weights, method.global_weight], rows))
    return [reference.dot(vector, c) for c in vectors], weights


def assert_equals_the_loops(world: World, methods: list[Method]) -> None:
    found = score(world, methods)
    for s, method in enumerate(methods):
        for image in range(len(world.whole)):
            expected, weights = slow_scores(world, method, image)
            # Scores that rounding can't tell apart have no order.
            assert max(expected) - expected[found.labels[s, image]] < 1e-5
            if method.regions == "none":
                assert math.isnan(found.effective[s, image])
            else:
                assert found.effective[s, image] == pytest.approx(1 / sum(w * w for w in weights), rel=1e-3)
            assert found.used[s, image] == sum(w > 0 for w in weights)


# ------------------------------------------------------------------------------------------------------- scoring


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, methods=st.lists(METHOD, min_size=1, max_size=6))
def test_scorer__any_settings_equal_the_loops(seed: int, methods: list[Method]) -> None:
    assert_equals_the_loops(World(seed, images=2), [METHODS["clip"], *methods])


def test_scorer__the_presets_equal_the_loops() -> None:
    for seed in range(10):
        assert_equals_the_loops(World(seed, images=3), list(METHODS.values()))


def test_scorer__equals_the_methods_one_by_one() -> None:
    world = World(11, images=40, classes=9, dim=16)
    grid = default_grid(list(METHODS.values()), steps=2)
    found = score(world, grid)
    for s, method in enumerate(grid):
        expected = world.scores(method)
        best = np.take_along_axis(expected, found.labels[s][:, None], axis=-1)[:, 0]
        np.testing.assert_allclose(best, expected.max(axis=-1), atol=1e-6)
        np.testing.assert_allclose(found.effective[s], effective_regions(world.weights(method)), rtol=1e-5)
    assert len(np.unique(found.labels, axis=0)) > 20  # the settings do disagree


def test_scorer__images_one_by_one_equal_a_batch() -> None:
    world, grid = World(5, images=12), default_grid([METHODS["clip"], METHODS["lgca"], METHODS["lgca_d"]], steps=2)
    together = score(world, grid)
    alone = [score(world, grid, [image]) for image in range(12)]
    chunked = score(world, grid, chunk_bytes=1)
    for name in ("labels", "effective", "used"):
        expected = getattr(together, name)
        np.testing.assert_allclose(np.hstack([getattr(one, name) for one in alone]), expected, rtol=1e-12)
        np.testing.assert_allclose(getattr(chunked, name), expected, rtol=1e-12)


def test_scorer__chains_of_their_own_in_every_image() -> None:
    """Which crops have grown differs from image to image, as in a real run."""
    worlds = [World(seed) for seed in range(4)]
    methods = [METHODS["lgca"], METHODS["lgca_d"], METHODS["wca"]]
    scorer = scorer_of(worlds[0], methods, CropCounts(6, 3))
    together = scorer.score(
        RegionEmbeddings(
            np.concatenate([world.regions for world in worlds]),
            np.concatenate([world.whole for world in worlds]),
            np.stack([world.step for world in worlds]),
            np.stack([world.chain % 3 for world in worlds]),
        )
    )
    for index, world in enumerate(worlds):
        alone = scorer.score(RegionEmbeddings(world.regions, world.whole, world.step, world.chain % 3))
        np.testing.assert_array_equal(together.labels[:, index], alone.labels[:, 0])
        np.testing.assert_allclose(together.effective[:, index], alone.effective[:, 0])


def test_scorer__asks_for_each_matrix_of_class_vectors_once() -> None:
    world, asked = World(1), []

    def class_vectors(method: Method) -> np.ndarray:
        asked.append((method.class_vectors, method.text_scale))
        return world.class_vectors(method)

    grid = default_grid([METHODS["wca"], METHODS["clip"], METHODS["lgca"], METHODS["clip_d"]], steps=2)
    SettingsScorer(grid, class_vectors, CROPS, logit_scale=30.0)
    weighted = [text_scale for kind, text_scale in asked if kind == "weighted"]
    assert sorted(weighted) == [0.0, 2.0, 3.0, 4.0]
    assert Counter(kind for kind, _ in asked) == {"weighted": 4, "label": 1, "mean": 1}


def test_scorer__an_image_without_regions_has_its_whole() -> None:
    world = World(2, images=3)
    methods = [METHODS["clip"], METHODS["clip_d"]]
    none = np.zeros(0, dtype=int)
    empty = RegionEmbeddings(world.regions[:, :0], world.whole, none, none)
    found = scorer_of(world, methods, CropCounts(0, 0)).score(empty)
    np.testing.assert_array_equal(found.labels, [world.scores(method).argmax(axis=-1) for method in methods])
    assert np.isnan(found.effective).all() and (found.used == 0).all()


def test_scorer__no_images_give_no_answers() -> None:
    world = World(2, images=3)
    assert score(world, [METHODS["lgca"], METHODS["clip"]], slice(0)).labels.shape == (2, 0)


@pytest.mark.parametrize(
    ("name", "count", "floats"),
    [("lgca", 135, 135 * 200), ("lgca_d", 1, 2 * 10 * 200)],  # scores of the settings; class probabilities of regions
)
def test_scorer__memory_does_not_grow_with_the_batch(name: str, count: int, floats: int) -> None:
    images = 3000
    world = World(3, images=images, classes=200, dim=32)
    grid = default_grid([METHODS[name]], steps=2)[:count]
    tracemalloc.start()
    try:
        found = score(world, grid)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < sum(array.nbytes for array in vars(found).values()) + 1.2 * CHUNK_BYTES
    assert 4 * floats * images > 1.4 * CHUNK_BYTES  # all images at once would not have fitted


@pytest.mark.parametrize(
    ("method", "options", "words"),
    [
        (METHODS["wca"], {"counts": CropCounts(0, N_CHAINS)}, ["wca", "crops", "encoded without"]),
        (METHODS["lgca"], {"counts": CropCounts(N_CROPS, 0)}, ["lgca", "chains", "encoded without"]),
        (replace(METHODS["lgca"], step_weights=(1.0, 1.0)), {}, ["step_weights", "2", "3"]),
        (replace(METHODS["wca"], step_weights=(0.0, 1.0)), {}, ["step_weights", "no weight"]),
    ],
)
def test_scorer__settings_that_the_regions_do_not_suit(
    method: Method, options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError, match=all_of(words)):
        score(World(1), [method], **options)


def test_scorer__images_with_other_steps_do_not_fit_one_batch() -> None:
    world = World(1, images=2)
    step = np.stack([world.step, np.zeros_like(world.step)])
    with pytest.raises(ValueError, match="same steps"):
        scorer_of(world, [METHODS["lgca"]]).score(RegionEmbeddings(world.regions, world.whole, step, world.chain))


def test_scorer__needs_settings() -> None:
    with pytest.raises(ConfigError, match="settings is empty"):
        score(World(1), [])


def test_effective_regions__literal() -> None:
    weights = np.array([[0.25, 0.25, 0.25, 0.25], [0, 1, 0, 0], [0.5, 0.25, 0.25, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(effective_regions(weights), [4, 1, 8 / 3, np.nan])


# ---------------------------------------------------------------------------------------------------------- grid


@pytest.mark.parametrize(
    ("name", "count", "varied"),
    [
        ("clip", 1, set()),
        ("clip_d", 1, set()),
        ("wca", 60, {"image_scale", "text_scale", "global_weight"}),
        ("wca_global", 60, {"image_scale", "text_scale", "global_weight"}),
        ("crops_mean", 12, {"text_scale", "global_weight"}),
        ("lgca", 135, {"image_scale", "text_scale", "global_weight", "step_weights"}),
        ("lgca_d", 45, {"decisiveness", "text_scale", "global_weight"}),
    ],
)
def test_grid__varies_what_matters_and_starts_with_the_method(name: str, count: int, varied: set[str]) -> None:
    method = METHODS[name]
    grid = default_grid([method], steps=2)
    assert grid[0] == method
    assert len(grid) == len(set(grid)) == count
    assert {setting.name for setting in grid} == {name}
    fields = method.to_json()
    assert {field for field in fields for setting in grid if setting.to_json()[field] != fields[field]} == varied


def test_grid__of_the_papers_methods_has_at_most_200_settings() -> None:
    assert len(default_grid([METHODS["wca"], METHODS["lgca"]], steps=2)) <= 200


def test_grid__keeps_a_preset_of_ones_own_first() -> None:
    mine = replace(METHODS["lgca"], name="mine", image_scale=3.3, step_weights=(5.0, 1.0, 1.0), global_weight=0.1)
    grid = default_grid([METHODS["clip"], mine], steps=2)
    assert grid[:2] == [METHODS["clip"], mine]
    assert {setting.image_scale for setting in grid[1:]} == {3.3, 0.0, 2.0, 3.0, 4.0, 5.0}


def test_grid__step_weights_have_an_entry_for_each_step() -> None:
    for steps in (1, 3):
        weights = {setting.step_weights for setting in default_grid([METHODS["lgca"]], steps=steps)}
        assert {len(own) for own in weights if own} == {steps + 1}
        assert None in weights
    assert {setting.step_weights for setting in default_grid([METHODS["lgca"]], steps=0)} == {None}


# --------------------------------------------------------------------------------------------------------- folds


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
def test_nested__too_few_samples_or_folds_are_said(options: dict[str, int], words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(words)):
        nested_sweep(np.ones((2, 4), dtype=bool), ["a", "a"], [0, 0, 1, 1], **options)


def test_nested__lengths_must_fit() -> None:
    with pytest.raises(ConfigError, match=all_of(["2 settings", "4", r"(2, 3)"])):
        nested_sweep(np.ones((2, 3), dtype=bool), ["a", "a"], [0, 0, 1, 1])
    with pytest.raises(ConfigError, match="at least one"):
        nested_sweep(np.ones((0, 4), dtype=bool), [], [0, 0, 1, 1])


# -------------------------------------------------------------------------------------------------------- choice


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
            judged = [i for i in range(n) if fold[i] == k]
            outer = {
                "accuracy": [float(correct[chosen][i]) for i in judged],
                "gain": [float(correct[chosen][i]) - float(correct[0][i]) for i in judged],
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


def test_nested__a_setting_that_is_better_everywhere_is_chosen_and_judged_as_it_is() -> None:
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
    assert (first.lowest, first.median) == (pytest.approx(0.1), pytest.approx(0.625))


def test_nested__equals_go_to_the_one_listed_first() -> None:
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


def test_nested__always_right_and_always_wrong_keep_an_interval() -> None:
    for value in (True, False):
        choice = nested_sweep(np.full((3, 40), value), ["a"] * 3, [0] * 40)[0]
        wilson = binomtest(40 * value, 40).proportion_ci(0.95, method="wilson")
        assert choice.effective_samples == 40
        assert (choice.nested.low, choice.nested.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_nested__the_defaults_interval_is_wilsons() -> None:
    correct = np.random.default_rng(1).random((2, 73)) < 0.8
    choice = nested_sweep(correct, ["a", "a"], [0] * 73)[0]
    wilson = binomtest(int(correct[0].sum()), 73).proportion_ci(0.95, method="wilson")
    found = choice.default_accuracy
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


def test_nested__the_folds_own_classes_of_one_sample() -> None:
    correct = np.random.default_rng(3).random((4, 9)) < 0.5
    choice = nested_sweep(correct, ["a"] * 4, list("abcdefghi"))[0]
    assert choice.nested.low <= choice.nested.value <= choice.nested.high


def test_nested__does_not_flatter_settings_that_are_all_coin_flips() -> None:
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


def test_nested__covers_where_settings_are_mostly_alike() -> None:
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


# --------------------------------------------------------------------------------------------------------- sweep


def sweep(world: World, methods: list[Method], truth: np.ndarray, batch: int = 1000) -> SweepReport:
    collected = Sweep(scorer_of(world, methods))
    for start in range(0, len(truth), batch):
        part = slice(start, start + batch)
        collected.add(world.images(part), truth[part])
    return collected.report()


def test_sweep__finds_the_setting_that_made_the_truth() -> None:
    world = World(21, images=300, classes=6, dim=12)
    grid = default_grid([METHODS["clip"], METHODS["lgca"]], steps=2)
    maker = grid[77]
    report = sweep(world, grid, world.scores(maker).argmax(axis=-1))
    clip, lgca = report.choices
    assert report.results[lgca.chosen].accuracy == 1.0
    assert report.results[77].accuracy == 1.0
    assert lgca.gain.low > 0
    assert (clip.group, lgca.group, clip.default, lgca.default) == ("clip", "lgca", 0, 1)
    assert report.chosen == {"clip": METHODS["clip"], "lgca": report.results[lgca.chosen].setting}
    assert lgca.chosen_accuracy == max(result.accuracy for result in report.results[1:])
    assert lgca.chosen in lgca.within_noise


def test_sweep__batches_do_not_matter() -> None:
    world = World(4, images=50)
    truth = np.arange(50) % 4
    grid = default_grid([METHODS["wca"]], steps=2)
    whole, parts = sweep(world, grid, truth), sweep(world, grid, truth, batch=7)
    assert whole.choices == parts.choices
    for one, other in zip(whole.results, parts.results, strict=True):
        assert (one.setting, one.accuracy, one.used) == (other.setting, other.accuracy, other.used)
        assert one.effective == pytest.approx(other.effective)


def test_sweep__a_truth_that_is_no_class_is_never_right() -> None:
    world = World(6, images=20)
    report = sweep(world, [METHODS["wca"], METHODS["lgca"]], np.full(20, -1))
    assert [result.accuracy for result in report.results] == [0, 0]


def test_sweep__tells_how_many_crops_count() -> None:
    world = World(8, images=30)
    flat, sharp = replace(METHODS["wca"], image_scale=-20.0), replace(METHODS["wca"], image_scale=10.0)
    report = sweep(world, [METHODS["clip"], flat, sharp], np.zeros(30, dtype=int))
    clip, even, single = report.results
    assert (clip.effective, clip.used) == (None, 0)
    assert even.effective == pytest.approx(N_CROPS) and even.used == N_CROPS
    assert single.effective == pytest.approx(1.0, abs=0.05)


def test_sweep__reads_as_json_and_as_a_table() -> None:
    world = World(9, images=60)
    grid = default_grid([METHODS["clip"], METHODS["wca"]], steps=2)
    report = sweep(world, grid, world.scores(grid[30]).argmax(axis=-1))
    document = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert document["samples"] == 60
    assert Method.from_json(document["results"][30]["setting"]) == grid[30]
    assert document["choices"][1]["nested"]["low"] == report.choices[1].nested.low
    assert document["choices"][1]["chosen"] == report.choices[1].chosen
    lines = report.table().splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("clip ") and lines[1].endswith("the default")
    assert changes(report.chosen["wca"], METHODS["wca"]) in lines[2]
    assert f"of {len(grid) - 1}" in lines[2]


def test_changes__names_what_differs() -> None:
    mine = replace(METHODS["lgca"], image_scale=2.5, step_weights=(1.0, 0.5, 0.25))
    assert changes(mine, METHODS["lgca"]) == "image_scale 2.5, step_weights 1/0.5/0.25"
    assert changes(METHODS["lgca"], mine) == "image_scale 4, step_weights equal"


def test_sweep__without_images_is_said() -> None:
    with pytest.raises(ConfigError, match="no labelled samples"):
        sweep(World(1), [METHODS["wca"]], np.zeros(0, dtype=int))
