"""Misleading-crop cases: the fewest crops whose removal turns WCA's answer, against exhaustive search."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import CropCounts, RegionEmbeddings
from lgca_plugin.method.core.run_scoring import RunScoring
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.method_results import MethodResults
from lgca_plugin.method.explain.misleading_cases import NODE_LIMIT, MisleadingCase, Removal, smallest_removal
from lgca_plugin.method.explain.stability import TIE


def search(lead: np.ndarray, preferred: np.ndarray, pull: np.ndarray) -> tuple[int, int, float] | None:
    """Tries every set of crops, smallest first: size, most preferred crops among sets of that size, largest pull."""
    n = len(lead)
    for size in range(n):
        found = []
        for gone in combinations(range(n), size):
            stays = [r for r in range(n) if r not in gone]
            if all(sum(lead[r][k] for r in stays) > 0 for k in range(lead.shape[1])):
                found.append((int(sum(preferred[r] for r in gone)), float(sum(pull[r] for r in gone))))
        if found:
            return size, *max(found)
    return None


def assert_smallest(
    lead: np.ndarray, preferred: np.ndarray, pull: np.ndarray, node_limit: int = NODE_LIMIT
) -> Removal | None:
    found = smallest_removal(lead, preferred=preferred, pull=pull, node_limit=node_limit)
    best = search(lead, preferred, pull)
    if best is None:
        assert found is None
        return None
    assert found is not None
    assert found.exact
    chosen = list(found.crops)
    assert chosen == sorted(set(chosen))
    assert (np.delete(lead, chosen, axis=0).sum(axis=0) > 0).all()
    assert (len(chosen), int(preferred[chosen].sum())) == best[:2]
    assert pull[chosen].sum() == pytest.approx(best[2], abs=1e-5 * max(1.0, np.abs(pull).max()))
    assert_as_small(lead, preferred, pull, found, node_limit)
    return found


def assert_as_small(lead: np.ndarray, preferred: np.ndarray, pull: np.ndarray, best: Removal, node_limit: int) -> None:
    """With ``any_crops`` any set of the smallest size will do."""
    found = smallest_removal(lead, preferred=preferred, pull=pull, any_crops=True, node_limit=node_limit)
    assert found is not None and found.exact
    assert len(set(found.crops)) == len(found.crops) == len(best.crops)
    assert list(found.crops) == sorted(found.crops)
    assert (np.delete(lead, list(found.crops), axis=0).sum(axis=0) > 0).all()


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["even", "few heavy", "whole numbers", "near ties"]))
def test_removal__is_as_small_as_exhaustive_search_finds(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    n, rivals = int(rng.integers(1, 10)), int(rng.integers(1, 5))
    lead = rng.normal(size=(n, rivals))
    if kind == "few heavy":
        lead = lead * rng.exponential(size=(n, 1)) ** 4 - 0.2
    elif kind == "whole numbers":
        lead = np.floor(3 * lead) - 1e-3
    elif kind == "near ties":
        lead = np.round(2 * lead) + 1e-7 * rng.normal(size=lead.shape)
    assert_smallest(lead, rng.random(n) < 0.5, -lead[:, 0])


@settings(max_examples=60, deadline=None)
@given(
    lead=hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(-5, 5)),
    data=st.data(),
)
def test_removal__is_smallest_for_any_numbers(lead: np.ndarray, data: st.DataObject) -> None:
    preferred = np.array(data.draw(st.lists(st.booleans(), min_size=len(lead), max_size=len(lead))))
    assert_smallest(lead - 1e-3, preferred, -lead[:, 0])


def test_removal__where_the_strongest_crops_are_not_the_fewest() -> None:
    """Crop 0 pulls most for the first rival, but only crops 1 and 2 hold back the second one, too."""
    lead = np.array([[-5.0, 1.0], [-4.0, -4.0], [-4.0, -4.0], [1.0, 1.0], [4.5, 1.5]])
    found = assert_smallest(lead, np.ones(5, dtype=bool), -lead[:, 0])
    assert found == Removal((1, 2), 2)


def test_removal__of_equally_small_sets_takes_preferred_crops_then_strong_ones() -> None:
    lead = np.array([[-2.0], [-3.0], [-2.5], [3.6], [1.7]])  # -2.2 in all: crop 1 or crop 2 has to go
    none, one = np.zeros(5, dtype=bool), np.arange(5) == 2
    assert smallest_removal(lead, preferred=none, pull=-lead[:, 0]) == Removal((1,), 1)
    assert smallest_removal(lead, preferred=one, pull=-lead[:, 0]) == Removal((2,), 1)


def test_removal__is_empty_or_impossible() -> None:
    one = np.ones(2, dtype=bool)
    assert smallest_removal(np.array([[1.0], [-0.5]]), preferred=one, pull=np.zeros(2)) == Removal((), 0)
    assert smallest_removal(np.array([[-1.0], [-0.5]]), preferred=one, pull=np.zeros(2)) is None
    # each rival could be beaten, but not both at once
    assert smallest_removal(np.array([[2.0, -3.0], [-3.0, 2.0]]), preferred=one, pull=np.zeros(2)) is None


def test_removal__of_two_classes_needs_no_solver() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        lead = rng.normal(size=(9, 1)) - 0.3
        assert_smallest(lead, lead[:, 0] < 0, -lead[:, 0], node_limit=0)


def test_removal__a_solver_that_gives_up_leaves_a_set_and_a_bound() -> None:
    lead = np.array([[-5.0, 1.0], [-4.0, -4.0], [-4.0, -4.0], [1.0, 1.0], [4.5, 1.5]])
    found = smallest_removal(lead, preferred=np.ones(5, dtype=bool), pull=-lead[:, 0], node_limit=0)
    assert found == Removal((0, 1, 2), 2)
    assert not found.exact


def test_removal__sixty_crops_and_many_rivals() -> None:
    """At full size there is no search to compare with: the set does, and its bound is its size."""
    rng = np.random.default_rng(1)
    weights = rng.exponential(size=60) ** 2
    scores = 0.02 * rng.normal(size=(60, 100)) + 0.02 * rng.normal(size=100)
    scores[:, 0] += np.where(rng.random(60) < 0.4, 0.06, 0.0)
    scores[:, 1] += 0.06
    lead = (weights / weights.sum())[:, None] * (scores[:, :1] - scores[:, 1:])
    preferred = lead[:, 0] < 0
    found = smallest_removal(lead, preferred=preferred, pull=-lead[:, 0])
    assert found is not None
    assert found.exact
    assert len(found.crops) > 1
    assert (np.delete(lead, list(found.crops), axis=0).sum(axis=0) > 0).all()


class Scene:
    """One image whose crops are near one class or another, most of them, so that methods disagree often."""

    def __init__(self, seed: int, *, crops: int = 8, chains: int = 5, classes: int = 4, wca: Method = METHODS["wca"]):
        rng = np.random.default_rng(seed)
        vectors = rng.normal(size=(classes, 6)) + 0.8
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.n_crops = crops
        step = np.array([0] * crops + [1] * 3 + [2] * 2)
        chain = np.concatenate([np.arange(crops), [0, 2, 4], [2, 4]])
        near = rng.integers(0, classes, size=len(step))
        regions = vectors[near] + rng.normal(size=(len(step), 6)) * rng.uniform(0.1, 0.5)
        whole = regions.mean(axis=0) + rng.normal(size=6) * 0.2
        scoring = RunScoring(
            methods={"clip": METHODS["clip"], "wca": wca, "lgca": METHODS["lgca"]},
            classes=tuple(f"class {k}" for k in range(classes)),
            class_vectors=dict.fromkeys(("clip", "wca", "lgca"), vectors),
            logit_scale=30.0,
            counts=CropCounts(crops, chains),
        )
        unit = regions / np.linalg.norm(regions, axis=1, keepdims=True)
        self.evidence = Evidence(
            sample_id="one",
            run_key="zs",
            boxes=np.zeros((len(step), 4)),
            explained="lgca",
            verdicts=MethodResults.of_all(scoring, RegionEmbeddings(unit, whole / np.linalg.norm(whole), step, chain)),
        )

    def without(self, crops: Iterable[int]) -> Any:
        return self.evidence.without(crops).labels["wca"]

    def fewest(self, target: str | None) -> int | None:
        """The size of the smallest set of crops without which WCA's label is the target, by trying them all."""
        for size in range(self.n_crops):
            for gone in combinations(range(self.n_crops), size):
                verdicts = self.evidence.without(gone)
                if verdicts.labels["wca"] == target and verdicts.margin("wca") > 2 * TIE:
                    return size
        return None


def check(scene: Scene) -> MisleadingCase | None:
    """A case is what DESIGN calls one; returns it."""
    evidence, labels = scene.evidence, scene.evidence.labels
    misleading = np.flatnonzero(evidence.misleading)
    if labels["wca"] == labels["lgca"]:
        assert not len(misleading)
        assert evidence.case is None
        return None
    a, b = evidence.classes.index(labels["wca"] or ""), evidence.classes.index(labels["lgca"] or "")
    shares = evidence.contributions("wca", a, b)
    by_hand = [r for r in range(len(shares)) if evidence.step[r] == 0 and evidence.vote[r] == a and shares[r] > 0]
    assert misleading.tolist() == by_hand
    turns = len(misleading) < scene.n_crops and scene.without(misleading.tolist()) == labels["lgca"]
    case = evidence.case
    assert (case is not None) == turns
    if case is None:
        return None
    assert (case.wca_label, case.lgca_label) == (a, b)
    assert case.exact
    assert case.at_least == case.size <= len(misleading)
    assert scene.without(case.crops) == labels["lgca"]  # taking the case's crops out flips WCA's label
    assert scene.fewest(labels["lgca"]) == case.size  # and no smaller set does
    return case


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), classes=st.integers(2, 5), scale=st.sampled_from([0.0, 2.0, 4.0]))
def test_case__its_crops_turn_wcas_label_and_no_smaller_set_does(seed: int, classes: int, scale: float) -> None:
    check(Scene(seed, crops=7, classes=classes, wca=replace(METHODS["wca"], image_scale=scale)))


@pytest.mark.parametrize("global_weight", [0.0, 0.4])
def test_case__cases_of_many_sizes_are_as_exhaustive_search_says(global_weight: float) -> None:
    """The whole image, where WCA looks at it, speaks with each crop that is left."""
    wca = replace(METHODS["wca"], image_scale=1.0, global_weight=global_weight)
    found = [case for seed in range(150) if (case := check(Scene(seed, wca=wca))) is not None]
    assert len(found) >= 15
    assert len({case.size for case in found}) >= 3


def test_case__is_none_where_wca_is_no_method_of_crops() -> None:
    for seed in range(20):
        evidence = Scene(seed, wca=replace(METHODS["lgca"], name="wca", image_scale=1.0)).evidence
        assert evidence.case is None


def test_case__is_none_without_wca_or_lgca() -> None:
    evidence = next(e for seed in range(200) if (e := Scene(seed).evidence).case is not None)
    only = replace(evidence.verdicts.scoring, methods={"lgca": METHODS["lgca"]})
    alone = replace(evidence, verdicts=replace(evidence.verdicts, scoring=only))
    assert alone.case is None
    assert not alone.misleading.any()
    with pytest.raises(ConfigError, match="there is no method 'wca' in this run; choose from lgca"):
        alone.margin("wca")


def test_case__as_a_document_names_the_labels() -> None:
    case = MisleadingCase(2, 0, (4, 7), exact=True, at_least=2)
    assert case.to_json(("tern", "gull", "duck")) == {
        "wca_label": "duck",
        "lgca_label": "tern",
        "crops": [4, 7],
        "size": 2,
        "exact": True,
        "at_least": 2,
    }
