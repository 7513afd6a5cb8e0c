"""Sweeps: the grid of settings, and the report over batches of images."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.tuning.scorer import SettingsScorer
from lgca_plugin.method.tuning.sweep import Sweep, SweepReport, changes, default_grid
from tests.helpers.worlds.random_runs import CROPS, N_CROPS, World

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
        ("wca_d", 81, {"regions", "decisiveness", "temperature", "text_scale"}),
        ("lgca_d", 27, {"decisiveness", "temperature", "text_scale"}),
    ],
)
def test_grid__varies_what_matters_and_starts_with_the_method(name: str, count: int, varied: set[str]) -> None:
    method = METHODS[name]
    grid = default_grid([method], steps=2, regions=("crops", "chains", "all"))
    assert grid[0] == method
    assert len(grid) == len(set(grid)) == count
    assert {setting.name for setting in grid} == {name}
    own = asdict(method)
    assert {field for field in own for setting in grid if asdict(setting)[field] != own[field]} == varied


def test_grid__has_the_regions_that_were_encoded_and_the_method_s_own() -> None:
    grid = default_grid([METHODS["wca_d"]], steps=2, regions=())
    assert {setting.regions for setting in grid} == {"crops"}
    grid = default_grid([METHODS["wca_d"]], steps=2, regions=("chains",))
    assert {setting.regions for setting in grid} == {"crops", "chains"}


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


def sweep(world: World, methods: list[Method], truth: np.ndarray, batch: int = 1000) -> SweepReport:
    collected = Sweep(SettingsScorer(methods, world.class_vectors, CROPS, logit_scale=world.logit_scale))
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
    assert lgca.chosen_accuracy == max(result.accuracy or 0.0 for result in report.results[1:])
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


def test_sweep__reports_the_effective_number_of_crops() -> None:
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
    wide = replace(METHODS["wca_d"], regions="all", temperature=1.0)
    assert changes(wide, METHODS["wca_d"]) == "regions all, temperature 1"
    assert changes(METHODS["wca_d"], wide) == "regions crops, temperature 1.5"


def test_sweep__without_images_is_rejected() -> None:
    with pytest.raises(ConfigError, match="no labelled samples"):
        sweep(World(1), [METHODS["wca"]], np.zeros(0, dtype=int))
