"""Operators and panels in a view of patches, as FiftyOne executes them: they work on the boxes that it shows."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.flocks import load_flocks_dataset
from tests.helpers.app.operators import AppOperator, messages_of
from tests.helpers.app.panels import PanelSession, stages

FIND, MENU = AppOperator("lgca_find_wrong_labels"), AppOperator("lgca_menu")
DELETE = AppOperator("lgca_delete_run")
pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture(scope="module")
def flocks(tmp_path_factory):
    dataset = load_flocks_dataset(tmp_path_factory.mktemp("flocks"), "flocks-in-operators", count=8, seed=11)
    yield dataset
    for name in fo.list_datasets(f"{dataset.name}*"):
        fo.delete_dataset(name)


def words(form):
    """All that a form holds, as text."""
    return str({name: prop.to_json() for name, prop in form[0].items()})


def by_id(dataset, attribute, field="ground_truth"):
    ids, values = dataset.values([f"{field}.detections.id", f"{field}.detections.{attribute}"], unwind=True)
    return dict(zip(ids, values, strict=True))


def test_view_of_patches__is_searched_reviewed_compared_and_cleaned_up(flocks):
    patches = flocks.to_patches("ground_truth")
    request = {"view": stages(patches), "prompt_id": "open"}
    assert "labels of this dataset are on boxes, in ground_truth" in words(FIND.form(flocks))
    params = FIND.filled(flocks, request)
    assert params["ground_truth"] == "ground_truth"
    assert "Review labels" not in words(MENU.form(flocks, request))
    messages, error = messages_of(flocks, FIND.begin(FIND.context(flocks, params, **request)))
    assert error is None
    run = lgca.load_run(patches, "zeroshot")
    assert run.summary()["predicted"] == len(patches)
    assert "lgca_review" in str([message.to_json() for message in messages])
    assert "Review labels" in words(MENU.form(flocks, request))
    shown = fo.load_dataset(request["view"][0]["kwargs"][-1][1]["name"])
    assert shown.values("ground_truth.zeroshot_lgca") == [
        by_id(flocks, "zeroshot_lgca")[id_] for id_ in shown.values("id")
    ]

    triage = run.last_triage()
    suspects = triage.suspects()
    first = suspects.first()
    suggested = first.ground_truth["zeroshot_suggestion"]
    review = PanelSession("@lgca/zero-shot/lgca_review", flocks, view=request["view"]).load(["on_load"])
    assert f"0 of {len(suspects)} reviewed, 0 changed" in review.shown.words
    review.press(f"Change to {suggested}")
    flocks.reload()
    assert by_id(flocks, "label", "ground_truth_corrected")[first.id] == suggested
    assert by_id(flocks, "label")[first.id] == first.ground_truth.label
    assert "reload_dataset" in review.sent
    assert shown.reload() or shown[first.id].ground_truth["zeroshot_decision"] == "accepted"
    review.press("Undo")
    assert by_id(flocks, "label", "ground_truth_corrected")[first.id] == first.ground_truth.label

    compare = PanelSession("@lgca/zero-shot/lgca_compare", flocks, view=request["view"]).load()
    assert f"{len(patches)}" in compare.shown.words
    compare.press("Show", at=0)
    assert compare.view[0]["_cls"].endswith("ToPatches")
    assert set(compare.current().values("id")) <= set(patches.values("id"))

    evidence = PanelSession("@lgca/zero-shot/lgca_evidence", flocks, first.id, view=request["view"]).load(["on_load"])
    assert suggested in evidence.shown.words

    assert "zeroshot_lgca" in words(DELETE.form(flocks, request, run_key="zeroshot"))
    _, sent = DELETE.run_at_once(flocks, request, run_key="zeroshot", confirm=True)
    assert "reload_dataset" in dict(sent)
    assert lgca.list_runs(patches) == []
    assert not shown.reload()
    assert not [path for path in shown.get_field_schema(flat=True) if "zeroshot" in path]
