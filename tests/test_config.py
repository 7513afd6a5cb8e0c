"""The settings of a run: their checks, derived numbers, and the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lgca_plugin.config import (
    FusedRunConfig,
    FusionConfig,
    RegionConfig,
    RegionPlan,
    RunConfig,
    check_classes,
    check_methods,
    check_run_key,
)
from lgca_plugin.errors import ConfigError, LgcaError
from lgca_plugin.method.core.methods import METHOD_TABLE, METHODS, Method
from tests.helpers import reference
from tests.helpers.checks import all_of

NAN, INF = float("nan"), float("inf")


def run_config(**options: Any) -> RunConfig:
    return RunConfig(
        **{
            "classes": ("cat", "dog"),
            "descriptions_hash": "abc",
            "methods": (METHODS["clip"], METHODS["lgca"]),
            "regions": RegionConfig(crops=20, seed=7),
            "encoder": "demo",
            "encoder_fingerprint": "123",
            "precision": "fp32",
            **options,
        }
    )


def test_regions__defaults_are_the_published_settings():
    config = RegionConfig()
    assert (config.crops, config.scale_min, config.scale_max) == (60, 0.5, 0.9)
    assert (config.steps, config.keep, config.growth, config.seed) == (2, 0.5, 1.5, 0)
    assert config.lgca_crops is None
    assert config.n_chains == 34


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("crops", (0, -5, 2.5, True, "60", None)),
        ("lgca_crops", (0, 1.5)),
        ("steps", (-1, 1.5)),
        ("seed", (-1, "0", 2**128)),
        ("scale_min", (0.0, -0.5, NAN, "half")),
        ("scale_max", (1.5, INF, 10**400, None)),
        ("keep", (0.0, 1.0, NAN)),
        ("growth", (1.0, 0.5, INF, NAN)),
    ],
)
def test_regions__bad_setting_is_named_with_its_value(name, values):
    for value in values:
        with pytest.raises(ConfigError, match=all_of([name, repr(value)])) as caught:
            RegionConfig(**{name: value})
        assert isinstance(caught.value, ValueError)
        assert isinstance(caught.value, LgcaError)


@pytest.mark.parametrize("name", ["crops", "seed", "scale_max"])
def test_regions__whole_number_of_5000_digits_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} must be .*got a number of thousands of digits"):
        RegionConfig(**{name: 10**5000})


def test_regions__scales_in_the_wrong_order_are_named():
    with pytest.raises(ConfigError, match=all_of(["scale_min", "scale_max", "0.9", "0.5"])):
        RegionConfig(scale_min=0.9, scale_max=0.5)


def test_regions__edges_are_allowed():
    edges = {"crops": 1, "steps": 0, "keep": 0.999, "growth": 1.001, "lgca_crops": 80, "seed": 2**63}
    for scale in (1.0, 0.5, 1):
        options: dict[str, Any] = {**edges, "scale_min": scale, "scale_max": scale}
        config = RegionConfig(**options)
        assert {name: getattr(config, name) for name in options} == options


def test_regions__are_frozen_and_keyword_only():
    with pytest.raises(FrozenInstanceError):
        RegionConfig().crops = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        RegionConfig(60)  # type: ignore[call-arg]


@example(crops=61, keep=0.5, steps=2)  # 34 + 17 + 9 = 60 fit, 35 + 18 + 9 = 62 do not
@example(crops=1, keep=0.5, steps=2)  # cannot be had for 1: one chain is the least there is
@settings(max_examples=60, deadline=None)
@given(crops=st.integers(1, 150), keep=st.floats(0.05, 0.95), steps=st.integers(0, 5))
def test_regions__chains_are_the_most_that_fit(crops, keep, steps):
    def cost(n: int) -> int:
        total, count = n, n
        for _ in range(steps):
            count = reference.kept_count(count, keep)
            total += count
        return total

    chains = RegionConfig(crops=crops, keep=keep, steps=steps).n_chains
    assert cost(chains) <= crops or chains == 1
    assert all(cost(n) > crops for n in range(chains + 1, crops + 2))


@pytest.mark.parametrize(
    ("methods", "options", "encodes"),
    [
        (("clip",), {}, 1),
        (("clip_d",), {}, 1),
        (("wca",), {}, 61),
        (("lgca",), {}, 61),
        (("wca_d",), {}, 61),
        (("lgca_d",), {}, 87),
        (("wca_global", "crops_mean"), {}, 61),
        (("clip", "wca", "lgca"), {}, 87),
        (tuple(METHODS), {}, 87),
        (("clip", "wca", "lgca"), {"steps": 0}, 61),
        (("wca", "lgca"), {"lgca_crops": 80}, 1 + 80 + 40 + 20),
        (("wca",), {"lgca_crops": 80}, 61),
        (("lgca",), {"crops": 1, "lgca_crops": 1}, 4),
    ],
)
def test_plan__encodes_per_image(methods, options, encodes):
    plan = RegionPlan.of(tuple(METHODS[name] for name in methods), RegionConfig(**options))
    assert plan.encodes_per_image == encodes


@settings(max_examples=40, deadline=None)
@given(
    crops=st.integers(1, 200),
    low=st.floats(0.01, 0.5),
    high=st.floats(0.5, 1.0),
    keep=st.floats(0.01, 0.99),
    growth=st.floats(1.01, 10),
    seed=st.integers(0, 2**31),
    classes=st.lists(st.text(min_size=1), min_size=2, max_size=4, unique=True),
    ground_truth=st.sampled_from([None, "truth"]),
    logits=st.booleans(),
)
def test_run_config__round_trips_exactly_through_json(crops, low, high, keep, growth, seed, **options):
    mine = Method(name="mine", regions="chains", step_weights=(0.5, 0.3, 0.2), global_weight=0.1)
    regions = RegionConfig(
        crops=crops, lgca_crops=5, scale_min=low, scale_max=high, keep=keep, growth=growth, seed=seed
    )
    classes = tuple(options.pop("classes"))
    config = run_config(classes=classes, methods=(METHODS["clip"], mine), regions=regions, **options)
    document = json.loads(json.dumps(config.to_json()))
    assert RunConfig.from_json(document) == config
    assert document == json.loads(json.dumps(config.to_json()))  # reading does not change it


@pytest.mark.parametrize(("name", "value", "earlier"), [("resize", "fast", "exact"), ("budget", "adaptive", "full")])
def test_run_config__of_an_earlier_release_has_the_only_value_of_then(name, value, earlier):
    config = run_config(**{name: value})
    document = config.to_json()
    assert RunConfig.from_json(document) == config
    del document[name]
    assert RunConfig.from_json(document) == run_config(**{name: earlier}) != config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loudness": 11}, "loudness"),
        ({"regions": {"loudness": 11}}, "loudness"),
        ({"methods": [{**METHODS["clip"].to_json(), "loudness": 11}]}, "loudness"),
        ({"version": 99}, "99"),
        ({"regions": {"keep": 7}}, "keep"),
        ({"budget": "large"}, "budget must be one of full, adaptive, economical, got 'large'"),
    ],
)
def test_run_config__unknown_key_and_bad_value_are_named(changes, words):
    with pytest.raises(ConfigError, match=words):
        RunConfig.from_json({**run_config().to_json(), **changes})


@pytest.mark.parametrize("key", ["classes", "encoder", "regions", "methods", "version"])
def test_run_config__missing_key_is_refused(key):
    document = run_config().to_json()
    del document[key]
    with pytest.raises(ConfigError):
        RunConfig.from_json(document)


HADA = METHOD_TABLE["hada"].preset
FUSION = FusionConfig(
    run_key="one",
    others=(FusedRunConfig(run_key="two", config=run_config(encoder="other")),),
    weights="0f",
    digest="12",
    classes=("cat", "dog"),
    ground_truth=None,
    labels=0,
)


def test_run_config__of_a_fused_run_round_trips_and_others_do_not_mention_a_fusion():
    fused = run_config(methods=(METHODS["lgca"], HADA), fusion=FUSION)
    assert RunConfig.from_json(json.loads(json.dumps(fused.to_json()))) == fused
    assert hash(fused) != hash(run_config())
    assert "fusion" not in json.dumps(run_config().to_json())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": "../other"}, "its fusion is damaged"),
        ({"others": []}, "its fusion is damaged"),
        ({"labels": "many"}, "its fusion is damaged"),
        ({"ground_truth": 3}, "its fusion is damaged"),
        ({"others": [{"run_key": "two"}]}, "'config'"),
        ({"more": 1}, "more"),
        ({"others": [{"run_key": "two", "config": run_config(fusion=FUSION).to_json()}]}, "that is fused itself"),
    ],
)
def test_run_config__with_a_damaged_fusion_is_refused(changes, words):
    document = run_config(methods=(METHODS["lgca"], HADA), fusion=FUSION).to_json()
    with pytest.raises(ConfigError, match=words):
        RunConfig.from_json({**document, "fusion": {**document["fusion"], **changes}})


def test_learned_method__is_that_of_a_fused_run_alone():
    with pytest.raises(ConfigError, match="it has a learnt method, but no fusion"):
        RunConfig.from_json(run_config(methods=(METHODS["lgca"], HADA)).to_json())
    for method in ("hada", HADA, replace(HADA, name="mine")):
        with pytest.raises(ConfigError, match=r"(hada|mine) learns from the runs of several encoders: lgca\.fuse"):
            check_methods(["clip", method])
    assert check_methods(["clip", "hada"], own=[HADA]) == (METHODS["clip"], HADA)
    softer = replace(HADA, text_scale=3.0)
    assert check_methods([softer], own=[HADA]) == (softer,)


def test_run_config__differences_are_named():
    config = run_config()
    assert config.differences(config) == []
    assert config.differences(run_config(budget="adaptive")) == ["budget"]
    assert config.differences(replace(config, regions=RegionConfig(crops=20, seed=8))) == ["regions"]
    assert set(config.differences(replace(config, encoder="x", classes=("a", "b")))) == {"encoder", "classes"}


def test_run_key__is_an_identifier():
    for key in ("zeroshot", "a", "run_2", "B"):
        assert check_run_key(key) == key
    wrong: tuple[Any, ...] = ("", " ", "my run", "1st", "_private", "a.b", "a-b", "ünder", "zero\nshot", "zeroshot\n")
    for key in (*wrong, "x" * 65, None, 3):
        with pytest.raises(ConfigError, match="run_key"):
            check_run_key(key)


def test_classes__are_stripped_and_stay_in_order():
    assert check_classes([" cat ", "dog", "ant"]) == ("cat", "dog", "ant")
    assert check_classes(name for name in ("b", "a")) == ("b", "a")
    assert check_classes(("Île", "ile")) == ("Île", "ile")


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["cat", "cat"], ["cat", "twice"]),
        (["dog", "cat", "bird", "cat"], ["cat", "twice"]),
        (["cat", " cat "], ["cat", "twice"]),
        (["cat", ""], ["2", "blank"]),
        (["  ", "cat"], ["1", "blank"]),
        (["cat", "\t\n"], ["2", "blank"]),
        (["cat"], ["two", "cat"]),
        ([], ["two"]),
        (["cat", 3], ["3"]),
        (["cat", None], ["None"]),
        ("cat", ["cat"]),
        (7, ["7"]),
        (None, ["None"]),
    ],
)
def test_classes__bad_list_is_refused_with_the_culprit(classes, words):
    with pytest.raises(ConfigError, match=all_of(["class", *words])):
        check_classes(classes)


def test_methods__names_and_own_presets_mix():
    mine = Method(name="mine", regions="crops", image_scale=2.0)
    assert check_methods(["clip", mine]) == (METHODS["clip"], mine)
    assert check_methods("wca") == (METHODS["wca"],)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["clip", "clap"], ["clap", "lgca"]),
        ([], ["methods", "empty"]),
        (None, ["methods"]),
        (["wca", "wca"], ["wca", "twice"]),
        (["wca", Method(name="wca", regions="chains")], ["wca", "twice"]),
        ([7], ["7"]),
        ([["clip"]], ["clip"]),
        (7, ["7"]),
    ],
)
def test_methods__bad_list_is_refused_with_the_culprit(methods, words):
    with pytest.raises(ConfigError, match=all_of(words)):
        check_methods(methods)


def test_classes_and_methods__of_a_set_have_an_order_of_their_own():
    names = {f"class {number}" for number in range(50)}
    assert check_classes(names) == check_classes(frozenset(names)) == tuple(sorted(names))
    assert [one.name for one in check_methods({"wca", "lgca", "clip"})] == ["clip", "lgca", "wca"]
    assert check_classes({"b": 1, "a": 2}.keys()) == ("b", "a")
    assert check_classes({"b": 1, "a": 2}) == ("b", "a")
