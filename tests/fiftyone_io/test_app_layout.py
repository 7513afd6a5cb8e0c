"""How the App shows a run: groups, ticks and colors, and that what the user has arranged stays."""

import fiftyone as fo
import pytest

from lgca_plugin.fiftyone_io.app_layout import arrange_app, remove_from_app, show_triage
from lgca_plugin.fiftyone_io.database import merge_schema
from lgca_plugin.fiftyone_io.fields import COMPUTED, DECISION, declare_fields, delete_fields, run_fields, triage_field
from lgca_plugin.method.core.methods import METHODS

CHOSEN = [METHODS[name] for name in ("clip", "wca", "lgca")]
OWN = [*run_fields("zs", CHOSEN), *(triage_field("zs", name) for name in (*COMPUTED, DECISION))]


@pytest.fixture
def labelled(dataset):
    for name in ("ground_truth", "other"):
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    dataset.add_sample_field("mask", fo.EmbeddedDocumentField, embedded_doc_type=fo.Segmentation)
    return dataset


def classified(dataset, key="zs", ground_truth="ground_truth", hidden=()):
    declare_fields(dataset, key, CHOSEN)
    return arrange_app(dataset, key, CHOSEN, ground_truth=ground_truth, hidden=hidden)


def triaged(dataset, key="zs", hidden=()):
    fields = [triage_field(key, name) for name in (*COMPUTED, DECISION)]
    labels = [triage_field(key, name) for name in ("suggestion", "suspect", "decision")]
    merge_schema(dataset, {name: fo.EmbeddedDocumentField(fo.Classification) for name in labels})
    show_triage(dataset, key, CHOSEN, fields, ground_truth="ground_truth", hidden=hidden)


def ticked(dataset):
    return fo.load_dataset(dataset.name).app_config.active_fields.paths


def entry(dataset, path):
    return next((entry for entry in dataset.app_config.color_scheme.fields if entry["path"] == path), None)


def test_ticks__are_the_users_labels_and_the_suspects(labelled):
    classified(labelled)
    assert ticked(labelled) == ["ground_truth", "other"], "masks are not ticked by FiftyOne either"
    triaged(labelled)
    assert ticked(labelled) == ["ground_truth", "other", "zs_suspect"]
    group = next(group for group in labelled.app_config.sidebar_groups if group.name == "zs")
    assert group.paths[0] == "zs_suspect" and set(group.paths) == set(OWN)


def test_ticks__a_second_run_adds_no_pill(labelled):
    classified(labelled)
    triaged(labelled)
    classified(labelled, "zs_2", hidden=OWN)
    assert ticked(labelled) == ["ground_truth", "other"]
    triaged(labelled, "zs_2", hidden=OWN)
    assert ticked(labelled) == ["ground_truth", "other", "zs_2_suspect"]


def test_ticks__without_given_labels_are_one_method(dataset):
    classified(dataset, ground_truth=None)
    assert ticked(dataset) == ["zs_lgca"]


@pytest.mark.parametrize(
    ("exclude", "mine", "after"),
    [
        (False, ["other", "zs_clip"], {"other", "zs_clip", "ground_truth", "zs_suspect"}),
        (True, ["other", "zs_suspect"], {"other", *OWN} - {"zs_suspect"}),
    ],
)
def test_ticks__of_the_user_stay(labelled, exclude, mine, after):
    labelled.app_config.active_fields = fo.ActiveFields(exclude=exclude, paths=mine)
    classified(labelled)
    triaged(labelled)
    assert labelled.app_config.active_fields.exclude is exclude
    assert set(ticked(labelled)) == after


def test_colors__are_one_a_field_and_boxes_by_chain(labelled):
    classified(labelled)
    triaged(labelled)
    colors = [entry(labelled, path)["fieldColor"] for path in ("ground_truth", "zs_suspect", "zs_clip", "zs_lgca")]
    assert len(set(colors)) == 4
    for path, color in zip(("ground_truth", "zs_suspect"), colors, strict=False):
        assert entry(labelled, path)["valueColors"] == [{"value": "Classification", "color": color}]
    assert entry(labelled, "zs_regions")["colorByAttribute"] == "index"
    assert labelled.app_config.color_scheme.color_by == "value", "the App colors boxes by chain in no other way"


def test_colors__of_the_user_stay(labelled):
    mine = {"path": "ground_truth", "fieldColor": "#ff0000"}
    labelled.app_config.color_scheme = fo.ColorScheme(color_by="field", fields=[mine])
    classified(labelled)
    assert labelled.app_config.color_scheme.color_by == "field"
    assert entry(labelled, "ground_truth") == mine
    delete_fields(labelled, OWN)
    remove_from_app(labelled, "zs", OWN, {})
    assert labelled.app_config.color_scheme.fields == [mine]


def test_remove__leaves_the_dataset_as_it_was(labelled):
    before = labelled.app_config.to_dict()
    made = classified(labelled)
    triaged(labelled)
    classified(labelled, "zs_2", hidden=OWN)
    delete_fields(labelled, OWN)
    remove_from_app(labelled, "zs", OWN, made)
    assert [group.name for group in labelled.app_config.sidebar_groups if group.name.startswith("zs")] == ["zs_2"]
    assert entry(labelled, "zs_clip") is None and entry(labelled, "ground_truth") is not None
    others = run_fields("zs_2", CHOSEN)
    delete_fields(labelled, others)
    remove_from_app(labelled, "zs_2", others, {**made, "groups": True})
    assert labelled.app_config.to_dict() == before
