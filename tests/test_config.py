"""What a run is asked to do: every setting checked on its own, derived numbers, and the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.config import (
    RegionConfig,
    RegionPlan,
    RunConfig,
    check_classes,
    check_methods,
    check_run_key,
)
from lgca_plugin.errors import ConfigError, LgcaError
from lgca_plugin.method.core.methods import METHODS, Method
from tests.helpers import reference
from tests.helpers.matching import all_of

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


# ---------------------------------------------------------------------------------------------------- regions


def test_regions__defaults_are_the_published_settings() -> None:
    config = RegionConfig()
    assert (config.crops, config.scale_min, config.scale_max) == (60, 0.5, 0.9)
    assert (config.steps, config.keep, config.growth, config.seed) == (2, 0.5, 1.5, 0)
    assert config.lgca_crops is None
    assert config.n_chains == 34


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"crops": 0}, ["crops", "0"]),
        ({"crops": -5}, ["crops", "-5"]),
        ({"crops": 2.5}, ["crops", "2.5"]),
        ({"crops": True}, ["crops", "True"]),
        ({"crops": "60"}, ["crops", "60"]),
        ({"crops": None}, ["crops", "None"]),
        ({"lgca_crops": 0}, ["lgca_crops", "0"]),
        ({"lgca_crops": 1.5}, ["lgca_crops", "1.5"]),
        ({"steps": -1}, ["steps", "-1"]),
        ({"steps": 1.5}, ["steps", "1.5"]),
        ({"seed": -1}, ["seed", "-1"]),
        ({"seed": "0"}, ["seed", "'0'"]),
        ({"scale_min": 0.0}, ["scale_min", "0.0"]),
        ({"scale_min": -0.5}, ["scale_min", "-0.5"]),
        ({"scale_min": NAN}, ["scale_min", "nan"]),
        ({"scale_min": "half"}, ["scale_min", "half"]),
        ({"scale_max": 1.5}, ["scale_max", "1.5"]),
        ({"scale_max": INF}, ["scale_max", "inf"]),
        ({"scale_max": None}, ["scale_max", "None"]),
        ({"scale_min": 0.9, "scale_max": 0.5}, ["scale_min", "scale_max", "0.9", "0.5"]),
        ({"keep": 0.0}, ["keep", "0.0"]),
        ({"keep": 1.0}, ["keep", "1.0"]),
        ({"keep": NAN}, ["keep", "nan"]),
        ({"growth": 1.0}, ["growth", "1.0"]),
        ({"growth": 0.5}, ["growth", "0.5"]),
        ({"growth": INF}, ["growth", "inf"]),
        ({"growth": NAN}, ["growth", "nan"]),
    ],
)
def test_regions__bad_setting_is_named_with_its_value(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(words)) as caught:
        RegionConfig(**options)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, LgcaError)


@pytest.mark.parametrize(
    "options",
    [
        {"crops": 1},
        {"steps": 0},
        {"scale_min": 1.0, "scale_max": 1.0},
        {"scale_min": 0.5, "scale_max": 0.5},
        {"scale_min": 1, "scale_max": 1},
        {"keep": 0.999},
        {"growth": 1.001},
        {"lgca_crops": 80},
        {"seed": 2**63},
    ],
)
def test_regions__edges_are_allowed(options: dict[str, Any]) -> None:
    for name, value in options.items():
        assert getattr(RegionConfig(**options), name) == value


def test_regions__are_frozen_and_keyword_only() -> None:
    with pytest.raises(FrozenInstanceError):
        RegionConfig().crops = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        RegionConfig(60)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("crops", "keep", "steps", "chains"),
    [
        (60, 0.5, 2, 34),  # 34 + 17 + 9 = 60
        (60, 0.5, 0, 60),
        (60, 0.5, 1, 40),  # 40 + 20
        (61, 0.5, 2, 34),  # 35 + 18 + 9 = 62 is too much
        (30, 0.5, 2, 16),  # 16 + 8 + 4 = 28; 17 + 9 + 5 = 31
        (1, 0.5, 2, 1),  # cannot be had for 1: one chain is the least there is
        (3, 0.5, 2, 1),
        (10, 0.1, 1, 9),  # 9 + 1
    ],
)
def test_regions__chains_cost_what_the_crops_cost(crops: int, keep: float, steps: int, chains: int) -> None:
    assert RegionConfig(crops=crops, keep=keep, steps=steps).n_chains == chains


@settings(max_examples=60, deadline=None)
@given(crops=st.integers(1, 150), keep=st.floats(0.05, 0.95), steps=st.integers(0, 5))
def test_regions__chains_are_the_most_that_fit(crops: int, keep: float, steps: int) -> None:
    def cost(n: int) -> int:
        total, count = n, n
        for _ in range(steps):
            count = reference.kept_count(count, keep)
            total += count
        return total

    chains = RegionConfig(crops=crops, keep=keep, steps=steps).n_chains
    assert cost(chains) <= crops or chains == 1
    assert all(cost(n) > crops for n in range(chains + 1, crops + 2))


def test_regions__own_number_of_chains_wins() -> None:
    assert RegionConfig(lgca_crops=12).n_chains == 12


# ------------------------------------------------------------------------------------------------------- plan


@pytest.mark.parametrize(
    ("methods", "options", "encodes"),
    [
        (("clip",), {}, 1),
        (("clip_d",), {}, 1),
        (("wca",), {}, 61),
        (("lgca",), {}, 61),
        (("lgca_d",), {}, 61),
        (("wca_global", "crops_mean"), {}, 61),
        (("clip", "wca", "lgca"), {}, 87),
        (tuple(METHODS), {}, 87),
        (("clip", "wca", "lgca"), {"steps": 0}, 61),
        (("wca", "lgca"), {"lgca_crops": 80}, 1 + 80 + 40 + 20),
        (("wca",), {"lgca_crops": 80}, 61),
        (("lgca",), {"crops": 1, "lgca_crops": 1}, 4),
    ],
)
def test_plan__encodes_per_image(methods: tuple[str, ...], options: dict[str, Any], encodes: int) -> None:
    plan = RegionPlan.of(tuple(METHODS[name] for name in methods), RegionConfig(**options))
    assert plan.encodes_per_image == encodes


# -------------------------------------------------------------------------------------------------- RunConfig


def test_run_config__round_trips_through_json() -> None:
    mine = Method(name="mine", regions="chains", step_weights=(0.5, 0.3, 0.2), global_weight=0.1)
    config = run_config(
        methods=(METHODS["clip"], mine),
        regions=RegionConfig(lgca_crops=5, keep=0.25),
        ground_truth="truth",
        logits=True,
    )
    document = json.loads(json.dumps(config.to_json()))
    assert RunConfig.from_json(document) == config


@settings(max_examples=40, deadline=None)
@given(
    crops=st.integers(1, 200),
    low=st.floats(0.01, 0.5),
    high=st.floats(0.5, 1.0),
    keep=st.floats(0.01, 0.99),
    growth=st.floats(1.01, 10),
    seed=st.integers(0, 2**31),
    classes=st.lists(st.text(min_size=1), min_size=2, max_size=4, unique=True),
)
def test_run_config__round_trips_exactly(
    crops: int, low: float, high: float, keep: float, growth: float, seed: int, classes: list[str]
) -> None:
    regions = RegionConfig(crops=crops, scale_min=low, scale_max=high, keep=keep, growth=growth, seed=seed)
    config = run_config(classes=tuple(classes), regions=regions)
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_run_config__does_not_change_the_document_it_reads() -> None:
    document = run_config().to_json()
    before = json.dumps(document)
    RunConfig.from_json(document)
    assert json.dumps(document) == before


def test_run_config__of_an_earlier_release_was_resized_exactly() -> None:
    document = run_config(resize="fast").to_json()
    del document["resize"]
    assert RunConfig.from_json(document) == run_config(resize="exact")


def test_run_config__of_an_earlier_release_had_a_full_budget() -> None:
    document = run_config(budget="adaptive").to_json()
    assert RunConfig.from_json(document) == run_config(budget="adaptive") != run_config()
    del document["budget"]
    assert RunConfig.from_json(document) == run_config(budget="full")


def test_run_config__an_unknown_budget_is_refused() -> None:
    with pytest.raises(ConfigError, match="budget must be one of full, adaptive, got 'large'"):
        RunConfig.from_json({**run_config().to_json(), "budget": "large"})


def test_run_config__runs_of_two_budgets_differ() -> None:
    assert run_config().differences(run_config(budget="adaptive")) == ["budget"]


@pytest.mark.parametrize("where", ["", "regions", "methods"])
def test_run_config__unknown_key_is_named(where: str) -> None:
    document = run_config().to_json()
    target = {"": document, "regions": document["regions"], "methods": document["methods"][0]}[where]
    target["loudness"] = 11
    with pytest.raises(ConfigError, match="loudness"):
        RunConfig.from_json(document)


@pytest.mark.parametrize("key", ["classes", "encoder", "regions", "methods", "version"])
def test_run_config__missing_key_is_refused(key: str) -> None:
    document = run_config().to_json()
    del document[key]
    with pytest.raises(ConfigError):
        RunConfig.from_json(document)


def test_run_config__another_version_is_refused() -> None:
    document = {**run_config().to_json(), "version": 99}
    with pytest.raises(ConfigError, match="99"):
        RunConfig.from_json(document)


def test_run_config__bad_value_in_a_document_is_refused() -> None:
    document = run_config().to_json()
    document["regions"]["keep"] = 7
    with pytest.raises(ConfigError, match="keep"):
        RunConfig.from_json(document)


def test_run_config__differences_are_named() -> None:
    config = run_config()
    assert config.differences(config) == []
    assert config.differences(replace(config, regions=RegionConfig(crops=20, seed=8))) == ["regions"]
    assert set(config.differences(replace(config, encoder="x", classes=("a", "b")))) == {"encoder", "classes"}


# ------------------------------------------------------------------------------------- keys, classes, methods


@pytest.mark.parametrize("key", ["zeroshot", "a", "run_2", "B"])
def test_run_key__identifier_passes(key: str) -> None:
    assert check_run_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        "my run",
        "1st",
        "_private",
        "a.b",
        "a-b",
        "ünder",
        "zero\nshot",
        "zeroshot\n",
        "x" * 65,
        None,
        3,
    ],
)
def test_run_key__anything_else_is_refused(key: Any) -> None:
    with pytest.raises(ConfigError, match="run_key"):
        check_run_key(key)


def test_classes__are_stripped_and_kept_in_order() -> None:
    assert check_classes([" cat ", "dog", "ant"]) == ("cat", "dog", "ant")
    assert check_classes(name for name in ("b", "a")) == ("b", "a")
    assert check_classes(("Île", "ile")) == ("Île", "ile")


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["cat", "cat"], ["cat", "twice"]),
        (["dog", "cat", "bird", "cat"], ["cat", "twice"]),
        (["cat", " cat "], ["cat", "twice"]),
        (["cat", "".join(["c", "at"])], ["cat", "twice"]),
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
def test_classes__bad_list_is_refused_with_the_culprit(classes: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(["class", *words])):
        check_classes(classes)


def test_methods__names_and_own_presets_mix() -> None:
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
def test_methods__bad_list_is_refused_with_the_culprit(methods: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError, match=all_of(words)):
        check_methods(methods)
