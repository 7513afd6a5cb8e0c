"""The panel that compares methods on datasets that change under it, and on those with less to show."""

import json
import uuid

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview.overview import clear_overviews
from lgca_plugin.workflows.overview.table_cache import clear_tables
from tests.helpers.panel_session import PanelSession
from tests.helpers.worlds.compared import CLASSES, URI, compared, rows
from tests.helpers.worlds.overview import add, new_run


@pytest.fixture(autouse=True)
def nothing_in_memory():
    clear_tables()
    clear_overviews()


@pytest.fixture
def run():
    made = compared()
    yield made
    if fo.dataset_exists(made.dataset.name):
        fo.delete_dataset(made.dataset.name)


@pytest.fixture
def panel(run):
    return PanelSession(URI, run.dataset).load()


def test_panel__a_cell_without_samples_says_so(run):
    other = new_run(CLASSES, key="other", dataset=run.dataset)
    run.dataset.set_values("other_clip", [fo.Classification(label="tern", margin=0.1)] * 60)
    run.dataset.set_values("other_wca", [fo.Classification(label="tern", margin=0.1)] * 60)
    run.dataset.set_values("other_lgca", [fo.Classification(label="swan", margin=0.1)] * 60)
    panel = PanelSession(URI, other.dataset).load()
    assert panel.state["page"]["head"]["run_field"]["run"] == "other"  # the latest
    panel.send("show_cell", idx=[0, 0])
    assert panel.view == []
    assert panel.notes[-1][0] == "info"
    panel.send("show_cell", idx=[99, 0])
    assert panel.notes[-1][0] == "error"
    panel.send("show_bar", idx=None)
    assert panel.notes[-1][0] == "error"


def test_panel__gives_a_saved_view_back_by_its_name(run):
    run.dataset.save_view("Mine", run.dataset.match(F("number") < 40))
    panel = PanelSession(URI, run.dataset)
    panel.view_name = "Mine"
    panel.view = json.loads(json.dumps(run.dataset.load_saved_view("Mine")._serialize(include_uuids=False)))
    panel.load()
    panel.press("Only CLIP differs")
    assert panel.view_name is None
    panel.press("Only LGCA differs")
    panel.press("Back to your view (40 samples)")
    assert panel.view_name == "Mine"


def test_panel__sends_pictures_only_when_they_change(panel, run):
    panel.send("on_change_view")
    panel.send("on_change_selected")
    assert "patch_panel_data" not in panel.sent
    panel.press("Only CLIP differs")
    assert "patch_panel_data" not in panel.sent
    run.dataset.limit(1).set_values("zs_error", ["later"])
    panel.send("on_change_view")
    assert "patch_panel_data" in panel.sent


def test_panel__an_event_with_an_old_state_forgets_nothing(panel, run):
    panel.selected = run.dataset.limit(1).values("id")
    old = json.loads(json.dumps(panel.state))
    panel.send("on_change_selected")
    panel.press("Skip")
    now, panel.state = panel.state, old  # sent before the answer to the decision was there
    sent = panel.send("on_change_view")
    assert not any("action" in message["params"].get("state", {}) for message in sent)
    assert now["action"] is not None


def test_panel__decides_about_the_selected_and_takes_it_back(panel, run):
    dataset, triage = run.dataset, Triage.of(run)
    decisions = ("Accept suggestion", "Label is right", "Bad crop", "Bad image", "Skip", "Other…")
    assert any(text.startswith("Select samples in the grid to decide") for text in panel.texts)
    assert not set(decisions) & set(panel.buttons())
    suspects = triage.suspects().values("id")
    left = f"Show the {len(suspects)} undecided"
    assert left in panel.buttons()
    for label, value in zip(decisions, ("accepted", "label right", "bad crop", "bad image", "skipped"), strict=False):
        panel.selected = suspects[:2]
        panel.send("on_change_selected")
        assert "2 samples selected" in panel.texts
        assert all(panel.buttons()[label] for label in decisions)
        panel.press(label)
        dataset.reload()
        assert {row.sample_id: row.decision.value for row in triage.decisions()} == dict.fromkeys(suspects[:2], value)
        assert panel.selected == []
        assert panel.notes[-1][0] == "success"
        assert {"clear_selected_samples", "reload_dataset"} <= set(panel.sent)
        listed = panel.texts[panel.texts.index("Suspected label errors") :]
        assert sum(f"decided: {value}" in text for text in listed) == 2
        assert f"Show the {len(suspects) - 2} undecided" in panel.buttons()
    panel.press(f"Show the {len(suspects) - 2} undecided")
    assert any(text.startswith(f"Showing {len(suspects) - 2} samples") for text in panel.texts)
    panel.press("Undo “skipped” on 2")  # before, something else was decided about them
    assert any(text.startswith(f"Showing {len(suspects) - 2} samples") for text in panel.texts)
    assert {row.decision.value for row in triage.decisions()} == {"bad image"}
    assert not any(label.startswith("Undo") for label in panel.buttons())


def test_panel__without_a_triage_shows_the_rest_and_how_to_get_it():
    run = new_run(CLASSES, ground_truth=None)
    add(run, [{key: value for key, value in row.items() if key != "truth"} for row in rows(20)])
    panel = PanelSession(URI, run.dataset).load()
    assert "There is no field with labels here." in panel.texts
    assert "disagreements" in panel.texts
    assert "Label is right" not in panel.buttons()
    panel.press("Triage this run")
    assert panel.asked == [("lgca_triage", {"run": "zs"})]
    fo.delete_dataset(run.dataset.name)


def test_panel__of_a_triage_without_labels(run):
    run.results["triage"]["ground_truth"] = None
    run.save()
    panel = PanelSession(URI, run.dataset).load()
    assert "The last triage was made without labels, so none can be suspected." in panel.texts
    panel.press("Triage against labels")
    assert panel.asked == [("lgca_triage", {"run": "zs"})]


def test_panel__of_nothing_says_what_to_do():
    panel = PanelSession(URI, None).load()
    assert panel.texts[0] == "No dataset is open"
    empty = fo.Dataset()
    assert PanelSession(URI, empty).load().texts[0] == "This dataset is empty"
    empty.add_sample(fo.Sample(filepath="/a.jpg"))
    panel = PanelSession(URI, empty).load()
    assert panel.texts[0] == "No zero-shot run yet"
    panel.press("Classify zero-shot")
    assert panel.asked == [("lgca_classify", {})]
    empty.delete()
    videos = fo.Dataset()
    videos.add_sample(fo.Sample(filepath="/a.mp4"))
    assert PanelSession(URI, videos).load().texts[0] == "Only images can be classified"
    videos.delete()


def test_panel__of_a_grouped_dataset_offers_its_images():
    dataset = fo.Dataset(f"grouped-{uuid.uuid4().hex[:8]}")
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    dataset.add_samples([fo.Sample(filepath=f"/{side}.jpg", group=group.element(side)) for side in ("left", "right")])
    run = new_run(CLASSES, dataset=dataset, ground_truth=None)
    flat = dataset.select_group_slices(media_type="image")
    for name in ("clip", "wca", "lgca"):
        flat.set_values(f"zs_{name}", [fo.Classification(label="tern", margin=0.1)] * 2)
    panel = PanelSession(URI, run.dataset).load()
    assert "This dataset is grouped" in panel.texts
    panel.press("Show the images of all slices")
    assert panel.texts[panel.texts.index("samples") - 1] == "2"
    fo.delete_dataset(dataset.name)


def test_panel__stands_a_run_that_is_deleted_while_it_is_open(panel, run):
    other = new_run(CLASSES, key="older", dataset=run.dataset)
    run.dataset.set_values("older_clip", [fo.Classification(label="tern", margin=0.1)] * 60)
    panel.send("pick_run", value="zs")
    run.delete()
    for method, params in (
        ("show", {"part": "disagreements"}),
        ("show", {"part": "misleading_cases"}),
        ("decide", {"decision": "skipped"}),
        ("back", {}),
    ):
        panel.selected = run.dataset.limit(1).values("id")
        panel.send(method, **params)
        assert panel.state["chosen"]["run"] == "older"
    other.delete()
    panel.send("on_change_view")
    assert panel.texts[0] == "No zero-shot run yet"


def test_panel__of_an_unfinished_run_says_so(run):
    run.results |= {"status": "interrupted", "predicted": 48, "total": 60}
    run.save()
    panel = PanelSession(URI, run.dataset).load()
    assert any("not finished (interrupted): 48 of 60 images" in text for text in panel.texts)
    panel.press("Go on classifying")
    assert panel.asked == [("lgca_classify", {"run_key": "zs"})]


def test_panel__of_a_record_that_can_not_be_read(run):
    info = run.dataset.get_run_info("zs")
    info.config.run = "{}"
    run.dataset.update_run_config("zs", info.config)
    panel = PanelSession(URI, run.dataset).load()
    assert "This run can't be read" in panel.texts


def test_panel__of_a_cloned_dataset_compares_and_decides_there(run):
    clone = run.dataset.clone()
    panel = PanelSession(URI, clone).load()
    assert panel.texts[panel.texts.index("predicted") - 1] == "48"
    panel.selected = clone.limit(1).values("id")
    panel.send("on_change_selected")
    panel.press("Skip")
    assert len(Triage.of(lgca.load_run(clone, "zs")).decisions()) == 1
    assert Triage.of(run).decisions() == []
    clone.delete()


def test_panel__samples_added_since_are_without_a_result(panel, run):
    run.dataset.add_samples([fo.Sample(filepath=f"/new{at}.jpg", number=100) for at in range(4)])
    panel.send("on_change_view")
    texts = panel.texts
    assert texts[texts.index("without result") - 1] == "10"
    assert texts[texts.index("samples") - 1] == "64"
