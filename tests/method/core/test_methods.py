"""The table of methods, and presets of a user's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import (
    CONTROLS,
    METHOD_TABLE,
    METHODS,
    Method,
    compared_methods,
    explained_method,
    learned_method,
    method_title,
    without_controls,
)
from lgca_plugin.method.core.regions import CropCounts
from lgca_plugin.method.core.scores import region_weights
from tests.helpers import reference
from tests.helpers.checks import all_of
from tests.helpers.worlds.random_runs import World


def test_methods__are_the_table() -> None:
    assert set(METHODS) == set(reference.RULES)
    for name, method in METHODS.items():
        rule = reference.RULES[name]
        assert method.name == name
        assert (method.regions, method.global_weight, method.class_vectors) == (
            rule.regions,
            rule.global_weight,
            rule.texts,
        )
        if rule.regions != "none":
            assert method.weighting == rule.weighting
        assert (method.image_scale, method.text_scale, method.decisiveness) == (4.0, 2.0, 10.0)
        assert method.step_weights is None


def test_table__describes_every_method_once() -> None:
    assert set(CONTROLS) == {"clip_d", "wca_global", "crops_mean"}
    assert len({entry.title for entry in METHOD_TABLE.values()}) == len(METHOD_TABLE)
    assert len({entry.description for entry in METHOD_TABLE.values()}) == len(METHOD_TABLE)
    assert all(entry.description.startswith("control: ") == (name in CONTROLS) for name, entry in METHOD_TABLE.items())
    assert [method_title(name) for name in ("lgca", "crops_mean", "mine")] == ["LGCA", "crops_mean", "mine"]


HADA = METHOD_TABLE["hada"].preset


def test_learned_method__is_none_that_one_encoder_can_have_and_none_that_is_compared() -> None:
    fused = (*METHODS.values(), HADA)
    assert set(METHOD_TABLE) - set(METHODS) == {"hada"}
    assert learned_method(fused) is HADA
    assert learned_method(METHODS.values()) is None
    assert compared_methods(fused, run_key="fused") == compared_methods(fused[:-1], run_key="fused")
    with pytest.raises(ConfigError, match="'hada' looks at those of several; it judges the labels without being named"):
        compared_methods(fused, ("clip", "wca", "hada"), run_key="fused")
    with pytest.raises(ConfigError, match="no method that looks at crops that grow"):
        compared_methods([METHODS["clip"], METHODS["wca"], HADA], run_key="fused")


def test_explained_method__is_never_the_learned_one() -> None:
    assert explained_method([METHODS["clip"], HADA]) is None
    assert explained_method([HADA, METHODS["wca"]]) is METHODS["wca"]
    assert explained_method([HADA, METHODS["lgca_d"]]) is METHODS["lgca_d"]


def test_learned_weights__can_not_be_computed_from_one_encoder() -> None:
    image = World(0).images(0)
    with pytest.raises(ValueError, match="the weights of hada depend on other encoders"):
        region_weights(HADA, image, CropCounts(8, 6))


def test_without_controls__keeps_controls_where_there_is_nothing_else() -> None:
    assert without_controls(METHODS) == ["clip", "wca", "lgca", "wca_d", "lgca_d"]
    assert without_controls(["crops_mean", "mine"]) == ["mine"]
    assert without_controls(CONTROLS) == list(CONTROLS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "not a field"}, ["name", "not a field"]),
        ({"name": ""}, ["name", "''"]),
        ({"name": 3}, ["name", "3"]),
        ({"regions": "boxes"}, ["regions", "boxes"]),
        ({"weighting": "loud"}, ["weighting", "loud"]),
        ({"class_vectors": "words"}, ["class_vectors", "words"]),
        ({"global_weight": -1.0}, ["global_weight", "-1"]),
        ({"global_weight": float("nan")}, ["global_weight", "nan"]),
        ({"global_weight": float("inf")}, ["global_weight", "inf"]),
        ({"regions": "none", "global_weight": 0.0}, ["global_weight", "0"]),
        ({"image_scale": 21.0}, ["image_scale", "21"]),
        ({"image_scale": float("nan")}, ["image_scale", "nan"]),
        ({"text_scale": -21.0}, ["text_scale", "-21"]),
        ({"decisiveness": -1.0}, ["decisiveness", "-1"]),
        ({"decisiveness": float("nan")}, ["decisiveness", "nan"]),
        ({"decisiveness": float("inf")}, ["decisiveness", "inf"]),
        ({"step_weights": ()}, ["step_weights"]),
        ({"step_weights": (0.0, 0.0)}, ["step_weights", "0.0"]),
        ({"step_weights": (1.0, -0.5)}, ["step_weights", "-0.5"]),
        ({"step_weights": (1.0, float("nan"))}, ["step_weights", "nan"]),
    ],
)
def test_method__bad_setting_is_named_with_its_value(options: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=all_of(words)):
        Method(**{"name": "mine", "regions": "chains", **options})


def test_method__own_preset_round_trips_through_json() -> None:
    mine = Method(name="mine", regions="chains", global_weight=0.25, image_scale=3.0, step_weights=(0.5, 0.25, 0.25))
    assert Method.from_json(json.loads(json.dumps(mine.to_json()))) == mine
    for method in METHODS.values():
        assert Method.from_json(json.loads(json.dumps(method.to_json()))) == method


def test_method__unknown_json_key_is_named() -> None:
    with pytest.raises(ValueError, match="loudness"):
        Method.from_json({"name": "mine", "regions": "chains", "loudness": 11})
