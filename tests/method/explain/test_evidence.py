"""The evidence on one image: results of all methods, with all regions and without some."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import RegionEmbeddings
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.method_results import MethodResults
from tests.helpers import reference
from tests.helpers.worlds.evidence import CLASSES, evidence_of
from tests.helpers.worlds.random_runs import N_CHAINS, N_CROPS, World

VARIANTS = {
    **METHODS,
    "lgca_global": replace(METHODS["lgca"], name="lgca_global", global_weight=0.7),
    "chains_d": Method(name="chains_d", regions="chains", weighting="decisive"),
    "chains_d_global": Method(name="chains_d_global", regions="chains", weighting="decisive", global_weight=2.0),
    "lgca_falling": replace(METHODS["lgca"], name="lgca_falling", step_weights=(3.0, 2.0, 1.0)),
    "lgca_last": replace(METHODS["lgca"], name="lgca_last", step_weights=(0.0, 0.0, 1.0)),
}


def make_evidence(world: World, methods: dict[str, Method] = VARIANTS) -> Evidence:
    return evidence_of(world, methods, np.float64)


def left_over(world: World, name: str, gone: Iterable[int]) -> reference.Verdict:
    """The reference's verdict on an image that never had some of the regions."""
    gone = set(gone)
    seen = world.reference_image(0)
    left = replace(seen, regions=[region for r, region in enumerate(seen.regions) if r not in gone])
    vectors, _ = world.expected(name, 0)
    rule = reference.RULES[name]
    weights = reference.weights(rule, left, vectors, crops=N_CROPS, chains=N_CHAINS, logit_scale=world.logit_scale)
    return reference.verdict(rule, left, vectors, weights, world.logit_scale)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(VARIANTS)), data=st.data())
def test_evidence__contributions_sum_to_the_margin_in_double_precision(
    seed: int, name: str, data: st.DataObject
) -> None:
    """With all regions, and with any that are left: whatever the method, with a whole-image term and without."""
    seen = make_evidence(World(seed))
    a, b = (data.draw(st.sampled_from(CLASSES) | st.integers(0, 3)) for _ in range(2))
    gone = data.draw(st.sets(st.integers(0, len(seen.step) - 1), max_size=8))
    for verdicts in (seen, seen.without(gone)):
        shares = verdicts.contributions(name, a, b)
        assert shares.shape == seen.step.shape
        whole = verdicts.global_contribution(name, a, b)
        if not (np.isnan(verdicts.scores[name]).any()):
            assert shares.sum() + whole == pytest.approx(verdicts.margin(name, a, b), abs=1e-9)
            assert (shares[verdicts.weights[name] == 0] == 0).all()
            assert (whole == 0) == (not has_whole(name) or seen.verdicts.scoring.index(a) == index(b))


def has_whole(name: str) -> bool:
    """Whether a method gives the whole image a weight."""
    return VARIANTS[name].global_weight > 0 or VARIANTS[name].weighting == "sized"


def index(name: str | int) -> int:
    return CLASSES.index(name) if isinstance(name, str) else name


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_without__equals_the_loop_over_an_image_that_never_had_the_regions(seed: int, data: st.DataObject) -> None:
    world = World(seed)
    seen = make_evidence(world)
    first = data.draw(st.integers(0, N_CHAINS - 1))  # stays, so that every method has a region
    gone = data.draw(st.sets(st.integers(0, len(seen.step) - 1).filter(lambda r: r != first)))
    found = seen.without(gone)
    assert found.taken_out == tuple(sorted(gone))
    for name in METHODS:
        expected = left_over(world, name, gone)
        np.testing.assert_allclose(found.scores[name], expected.scores, atol=1e-6)
        assert found.labels[name] == CLASSES[expected.label]
        assert found.margin(name) == pytest.approx(expected.margin, abs=1e-6)
        np.testing.assert_allclose(found.confidences[name], expected.confidences, atol=1e-4)
        stays = [r for r in range(len(seen.step)) if r not in gone]
        np.testing.assert_allclose(found.weights[name][stays], expected.weights, atol=1e-6)
        assert not found.weights[name][sorted(gone)].any()


def test_without__no_region_changes_nothing_and_removals_add_up() -> None:
    seen = make_evidence(World(1))
    once, twice = seen.without([0, 3, 9]), seen.without([3]).without([0, 9])
    for name in VARIANTS:
        assert seen.without([]).scores[name].tolist() == seen.scores[name].tolist()
        assert once.scores[name].tolist() == twice.scores[name].tolist()
    assert once.taken_out == twice.taken_out == (0, 3, 9)
    assert seen.without(np.isin(np.arange(len(seen.step)), [0, 3, 9])).taken_out == (0, 3, 9)


def test_without__a_crop_leaves_what_it_has_grown_into_and_a_chain_goes_whole() -> None:
    seen = make_evidence(World(2))
    chain = int(seen.chain[seen.step == 2][0])
    crop, whole_chain = seen.regions_of(chain=chain, step=0), seen.regions_of(chain=chain)
    assert seen.step[whole_chain].tolist() == [0, 1, 2]
    assert crop == whole_chain[:1] == [chain]
    assert (seen.without(crop).weights["lgca"][whole_chain] > 0).tolist() == [False, True, True]
    assert not seen.without(whole_chain).weights["lgca"][whole_chain].any()
    assert seen.regions_of() == list(range(len(seen.step)))


def test_without__a_step_that_has_lost_all_leaves_its_weight_to_the_others() -> None:
    seen = make_evidence(World(3))
    found = seen.without(seen.regions_of(step=1))
    by_step = {name: [w[seen.step == t].sum() for t in range(3)] for name, w in found.weights.items()}
    assert by_step["lgca"] == pytest.approx([1 / 2, 0, 1 / 2])
    assert by_step["lgca_falling"] == pytest.approx([3 / 4, 0, 1 / 4])
    assert by_step["wca"] == pytest.approx([1, 0, 0])


def test_without__a_method_that_has_lost_all_answers_by_the_whole_image_or_not_at_all() -> None:
    world = World(4)
    seen = make_evidence(world)
    found = seen.without(seen.regions_of(step=2))
    assert found.labels["lgca_last"] is None  # all of its weight lay on the last step
    assert found.labels["lgca"] is not None
    nothing = seen.without(range(len(seen.step)))
    silent = {name for name, label in nothing.labels.items() if label is None}
    assert silent == {name for name in VARIANTS if not has_whole(name)}
    assert np.isnan(nothing.scores["wca"]).all()
    assert np.isnan(nothing.margin("wca", 0, 1))
    assert np.isnan(nothing.contributions("wca", 0, 1)).all()
    assert np.isnan(nothing.global_contribution("wca", 0, 1))
    assert nothing.labels["clip"] == seen.labels["clip"]
    vectors = world.class_vectors(METHODS["wca_global"])
    np.testing.assert_allclose(nothing.scores["wca_global"], world.whole[0] @ vectors.T, atol=1e-6)
    assert nothing.global_contribution("wca_global", 0, 1) == pytest.approx(nothing.margin("wca_global", 0, 1))
    with pytest.raises(ConfigError, match="method 'wca' has no region left to answer by"):
        nothing.margin("wca")
    document = json.loads(json.dumps(nothing.to_json(), allow_nan=False))
    assert document["methods"]["wca"] == {"label": None, "confidence": None, "margin": None, "runner_up": None}
    assert document["methods"]["clip"]["label"] == seen.labels["clip"]
    assert document["taken_out"] == list(range(len(seen.step)))


def test_evidence__margins_are_by_default_those_of_the_label_over_the_runner_up() -> None:
    seen = make_evidence(World(5))
    for name in VARIANTS:
        ranked = sorted(CLASSES, key=lambda k: -seen.scores[name][CLASSES.index(k)])
        best, second, third = ranked[:3]
        assert seen.labels[name] == best
        assert seen.margin(name) == seen.margin(name, best, second) == seen.margin(name, b=second) > 0
        assert seen.margin(name, third) == seen.margin(name, third, best) < 0
        assert seen.margin(name, best) == seen.margin(name)
        assert seen.contributions(name).tolist() == seen.contributions(name, best, second).tolist()


def test_evidence__a_pair_is_the_label_and_its_rival() -> None:
    for seed in range(40):
        seen = make_evidence(World(seed))
        for name in VARIANTS:
            label, rival = seen.pair(name)
            assert label == seen.labels[name]
            assert rival != label
            if name in ("wca", "lgca") and seen.labels["wca"] != seen.labels["lgca"]:
                assert {label, rival} == {seen.labels["wca"], seen.labels["lgca"]}
            else:
                assert seen.margin(name, label, rival) == seen.margin(name)


def test_evidence__of_a_run_without_regions() -> None:
    world = World(6)
    empty = np.zeros(0, dtype=np.int64)
    none = RegionEmbeddings(world.regions[0][:0], world.whole[0], empty, empty)
    results = MethodResults.of_all(world.scoring({"clip": METHODS["clip"]}, CLASSES), none)
    seen = Evidence(sample_id="one", run_key="zs", boxes=np.zeros((0, 4)), explained=None, verdicts=results)
    assert seen.labels == make_evidence(world, {"clip": METHODS["clip"]}).labels
    assert seen.vote.shape == seen.similarity.shape == seen.misleading.shape == (0,)
    assert (seen.flips, seen.case, seen.stability) == ({}, None, {"clip": 1.0})
    assert seen.global_contribution("clip") == pytest.approx(seen.margin("clip"))
    assert json.loads(json.dumps(seen.to_json(), allow_nan=False))["regions"] == []
    with pytest.raises(ConfigError, match=r"sample 'one' has no region$"):
        seen.regions_of()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda seen: seen.margin("wca", "penguin", 0), "'penguin' is none of the 4 classes"),
        (lambda seen: seen.margin("wca", 4, 0), "a class is given by its name or its index from 0 to 3, got 4"),
        (lambda seen: seen.contributions("wca", 0, -1), "a class is given by .* got -1"),
        (lambda seen: seen.global_contribution("wca", 0, True), "a class is given by .* got True"),
        (lambda seen: seen.contributions("vca"), "there is no method 'vca' in this run; choose from clip, wca, lgca"),
        (lambda seen: seen.without([0, 18]), "regions are given by their indices from 0 to 12, or by 13 bools"),
        (lambda seen: seen.without([-1]), "regions are given by their indices"),
        (lambda seen: seen.without(["0"]), "regions are given by their indices"),
        (lambda seen: seen.without([0.5]), "regions are given by their indices"),
        (lambda seen: seen.without([True, False]), "regions are given by their indices"),
        (lambda seen: seen.regions_of(chain=8), "sample 'one' has no region of chain 8"),
        (lambda seen: seen.regions_of(chain=7, step=2), "sample 'one' has no region of chain 7 and step 2"),
    ],
)
def test_evidence__bad_arguments_are_named(ask: Any, message: str) -> None:
    methods = {name: METHODS[name] for name in ("clip", "wca", "lgca")}
    with pytest.raises(ConfigError, match=message):
        ask(make_evidence(World(7), methods))


def test_evidence__as_a_document_is_whole_and_plain() -> None:
    seen = next(e for seed in range(200) if (e := make_evidence(World(seed))).case)
    document = json.loads(json.dumps(seen.to_json(top=2), allow_nan=False))
    assert (document["sample_id"], document["run_key"], document["explained"]) == ("one", "zs", "lgca")
    assert list(document["methods"]) == list(VARIANTS)
    lgca = document["methods"]["lgca"]
    assert lgca["label"] == lgca["pair"][0] == lgca["top"][0]["label"] == seen.labels["lgca"]
    assert lgca["pair"][1] == seen.labels["wca"]
    assert len(lgca["top"]) == 2
    assert lgca["stability"] == seen.stability["lgca"]
    for name in ("wca", "lgca", "lgca_d", "wca_global", "lgca_global"):
        own = document["methods"][name]
        shares = sum(region["contributions"][name] for region in document["regions"])
        assert shares + own["global_contribution"] == pytest.approx(own["pair_margin"], abs=1e-12)
    assert [region["index"] for region in document["regions"]] == list(range(len(seen.step)))
    assert [region["vote"] for region in document["regions"]] == [CLASSES[k] for k in seen.vote]
    assert {chain["chain"]: chain["flipped"] for chain in document["chains"]} == seen.flips
    assert all(chain["regions"] == seen.regions_of(chain=chain["chain"]) for chain in document["chains"])
    assert document["case"]["size"] == len(document["case"]["crops"]) == seen.case.size  # type: ignore[union-attr]
    assert "without " in repr(seen)
    assert f"wca {seen.labels['wca']}" in repr(seen)
