"""The review panel where there is nothing to review, or no longer what there was."""

from typing import Any

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.app.panels import PanelSession
from tests.helpers.app.review import EVENTS, URI, decisions
from tests.helpers.worlds.queue import GIVEN, SUGGESTED


@pytest.fixture
def panel(triage):
    return PanelSession(URI, triage.run.dataset).load(EVENTS)


def test_states__without_a_dataset():
    panel = PanelSession(URI, None)
    assert "No dataset is open" in panel.send("on_load").texts


def test_states__without_labels(dataset):
    panel = PanelSession(URI, dataset).load(EVENTS)
    assert "Nothing to check" in panel.shown.texts
    assert "There are no labels to check" in panel.shown.words
    panel.press("Classify zero-shot")
    assert [name for name, _ in panel.prompted] == ["lgca_classify"]


def test_states__where_the_labels_are_on_boxes(dataset):
    box = fo.Detection(label="crow", bounding_box=[0, 0, 1, 1])
    dataset.add_sample(fo.Sample(filepath="/a.png", found=fo.Detections(detections=[box])))
    shown = PanelSession(URI, dataset).load(EVENTS).shown
    assert "show the patches of 'found' in the grid" in shown.words
    assert not shown.buttons


def test_states__without_a_triage(dataset):
    dataset.add_sample(fo.Sample(filepath="/a.png", truth=fo.Classification(label="crow")))
    panel = PanelSession(URI, dataset).load(EVENTS)
    assert "No labels have been checked yet" in panel.shown.texts
    panel.press("Find wrong labels")
    assert [name for name, _ in panel.prompted] == ["lgca_find_wrong_labels"]


def test_states__nothing_looks_wrong(triage):
    dataset = triage.run.dataset
    dataset.set_values("zs_suggestion", [None] * len(dataset))
    triage.run.results["triage"]["suspects"] = 0
    triage.run.save()
    shown = PanelSession(URI, dataset).load(EVENTS).shown
    assert "Nothing looks wrong" in shown.texts
    assert "“labels”" in shown.words


def test_states__a_triage_without_labels(triage):
    dataset = triage.run.dataset
    settings: dict[str, Any] = {"classes": [GIVEN, SUGGESTED], "methods": ["clip"], "run_key": "zs", "overwrite": True}
    run = lgca.classify(dataset, encoder=lgca.load_encoder("demo"), progress=False, **settings)
    run.results["triage"] = {**triage.report, "methods": ["clip"], "ground_truth": None}
    run.save()
    panel = PanelSession(URI, dataset).load(EVENTS)
    assert "No labels were checked" in panel.shown.texts
    panel.press("Find wrong labels")
    assert [name for name, _ in panel.prompted] == ["lgca_find_wrong_labels"]


def test_states__a_picture_that_is_gone_or_can_not_be_read(triage, panel):
    queue = ReviewQueue.of(triage.run).ids
    dataset = triage.run.dataset
    sample = dataset[queue[1]]
    sample.filepath = "/nowhere/missing.png"
    sample.save()
    dataset.delete_samples([queue[0]])
    shown = panel.press(f"Change to {SUGGESTED}")
    assert panel.notified == [("warning", "This picture is no longer in the dataset.")]
    assert "This picture can't be read:" in shown.texts
    assert "missing.png" in shown.texts
    panel.press("Bad image")
    assert decisions(triage) == {queue[1]: ("bad image", None)}


def test_states__a_run_that_was_deleted(triage, panel):
    lgca.delete_run(triage.run.dataset, "zs")
    shown = panel.send("on_change_view")
    assert shown.notes == ["Run “zs” is gone: it was deleted or renamed."]
    assert "No labels have been checked yet" in shown.texts
