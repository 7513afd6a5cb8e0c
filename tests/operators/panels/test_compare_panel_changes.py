"""The panel that compares methods on datasets that change under it, and on those with less to show."""

import threading

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.app.panels import PanelSession, as_json, stages
from tests.helpers.worlds.compared import CLASSES, URI, cells, compared, rows
from tests.helpers.worlds.overview import add, answer, new_run


@pytest.fixture
def run(made):
    found = compared()
    made.append(found.dataset)
    return found


@pytest.fixture
def panel(run):
    return PanelSession(URI, run.dataset).load()


def test_panel__a_cell_without_samples_says_so(run):
    other = new_run(CLASSES, key="other", dataset=run.dataset)
    for method, label in (("clip", "tern"), ("wca", "tern"), ("lgca", "swan")):
        run.dataset.set_values(f"other_{method}", [answer(label)] * 60)
    panel = PanelSession(URI, other.dataset).load()
    assert panel.state["page"]["head"]["run_field"]["run"] == "other"  # the latest
    panel.send("show_cell", idx=[0, 0])
    for wrong in ([99, 0], [0], None):
        panel.send("show_cell", idx=wrong)
    panel.send("show_bar", idx=None)
    assert panel.view == []
    assert [kind for kind, _ in panel.notified] == ["info", "error", "error", "error", "error"]


def test_panel__gives_a_saved_view_back_by_its_name(run):
    run.dataset.save_view("Mine", run.dataset.match(F("number") < 40))
    panel = PanelSession(URI, run.dataset, view=stages(run.dataset.load_saved_view("Mine")))
    panel.view_name = "Mine"
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
    old = as_json(panel.state)
    panel.select(run.dataset.limit(1).values("id"))
    panel.press("Can't tell")
    assert panel.state["action"] is not None
    panel.state = old  # sent before the answer to the decision was there
    shown = panel.send("on_change_view")
    assert "action" not in shown.requests.get("patch_panel_state", {"state": {}})["state"]


def test_panel__decides_about_the_selected_and_takes_it_back(panel, run):
    dataset, triage = run.dataset, Triage.of(run)
    decisions = ("Change to the suggestion", "Keep the label", "Keep it: bad crop", "Bad image", "Can't tell", "Other…")
    assert "Or select samples in the grid" in panel.shown.words
    assert not set(decisions) & set(panel.shown.buttons)
    suspects = triage.suspects().values("id")
    assert f"Show the {len(suspects)} undecided" in panel.shown.buttons
    for label, value in zip(decisions, ("accepted", "label right", "bad crop", "bad image", "skipped"), strict=False):
        shown = panel.select(suspects[:2])
        assert "2 samples selected" in shown.texts
        assert not any(shown.buttons[name]["disabled"] for name in decisions)
        panel.press(label)
        dataset.reload()
        assert {row.sample_id: row.decision for row in triage.decisions()} == dict.fromkeys(suspects[:2], value)
        assert panel.selected == []
        assert panel.notified[-1][0] == "success"
        assert {"clear_selected_samples", "reload_dataset"} <= set(panel.sent)
        listed = panel.shown.texts[: panel.shown.texts.index("Misleading crops")]
        assert sum(f"Decided: {Decision(value).word}" in text for text in listed) == 2
        assert f"Show the {len(suspects) - 2} undecided" in panel.shown.buttons
    panel.press(f"Show the {len(suspects) - 2} undecided")
    assert f"Showing {len(suspects) - 2} samples" in panel.shown.words
    panel.press("Undo “can't tell” on 2")  # before, something else was decided about them
    assert f"Showing {len(suspects) - 2} samples" in panel.shown.words
    assert {row.decision for row in triage.decisions()} == {"bad image"}
    assert not any(label.startswith("Undo") for label in panel.shown.buttons)
    assert "These are the labels as they were given, without the corrections." in panel.shown.words
    panel.press("Measure against labels_corrected")
    assert "These are the labels of labels with all corrections." in panel.shown.words


def test_panel__without_a_triage_shows_the_rest_and_how_to_get_it(made):
    run = new_run(CLASSES, ground_truth=None)
    made.append(run.dataset)
    add(run, [{key: value for key, value in row.items() if key != "truth"} for row in rows(20)])
    panel = PanelSession(URI, run.dataset).load()
    assert {"There is no field with labels here.", "Do the methods agree?"} <= set(panel.shown.texts)
    assert "Keep the label" not in panel.shown.buttons
    panel.press("Triage this run")
    assert panel.prompted == [("lgca_triage", {"run": "zs"})]


def test_panel__of_a_triage_without_labels(run):
    run.results["triage"]["ground_truth"] = None
    run.save()
    panel = PanelSession(URI, run.dataset).load()
    assert "The methods were compared without labels, so none can look wrong." in panel.shown.texts
    panel.press("Triage this run")
    assert panel.prompted == [("lgca_triage", {"run": "zs"})]


def test_panel__of_nothing_says_what_to_do(made):
    empty, videos = fo.Dataset(), fo.Dataset()
    made += [empty, videos]
    videos.add_sample(fo.Sample(filepath="/a.mp4"))
    for dataset, title in (
        (None, "No dataset is open"),
        (empty, "This dataset is empty"),
        (videos, "Only images can be classified"),
    ):
        assert PanelSession(URI, dataset).load().shown.texts[0] == title
    empty.add_sample(fo.Sample(filepath="/a.jpg"))
    panel = PanelSession(URI, empty).load()
    assert panel.shown.texts[0] == "No zero-shot run yet"
    panel.press("Classify zero-shot")
    assert panel.prompted == [("lgca_classify", {})]


def test_panel__of_a_grouped_dataset_offers_its_images(dataset):
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    dataset.add_samples([fo.Sample(filepath=f"/{side}.jpg", group=group.element(side)) for side in ("left", "right")])
    run = new_run(CLASSES, dataset=dataset, ground_truth=None)
    flat = dataset.select_group_slices(media_type="image")
    for name in ("clip", "wca", "lgca"):
        flat.set_values(f"zs_{name}", [answer("tern")] * 2)
    panel = PanelSession(URI, run.dataset).load()
    assert "This dataset is grouped" in panel.shown.texts
    panel.press("Show the images of all slices")
    assert panel.shown.number("samples") == "2"


def test_panel__stands_a_run_that_is_deleted_while_it_is_open(panel, run):
    other = new_run(CLASSES, key="older", dataset=run.dataset)
    run.dataset.set_values("older_clip", [answer("tern")] * 60)
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
    assert panel.shown.texts[0] == "No zero-shot run yet"


def test_panel__of_an_unfinished_run_says_so(run):
    run.results |= {"status": "interrupted", "predicted": 48, "total": 60}
    run.save()
    panel = PanelSession(URI, run.dataset).load()
    assert "not finished (interrupted): 48 of 60 images" in panel.shown.words
    panel.press("Go on classifying")
    assert panel.prompted == [("lgca_classify", {"run_key": "zs"})]


def test_panel__of_a_record_that_can_not_be_read(run):
    run.dataset.rename_run("zs", "other")
    words = PanelSession(URI, run.dataset).load().shown.words
    assert "still called 'zs': rename it back in code" in words and "dataset." not in words
    run.dataset.rename_run("other", "zs")
    info = run.dataset.get_run_info("zs")
    info.config.run = "{}"
    run.dataset.update_run_config("zs", info.config)
    panel = PanelSession(URI, run.dataset).load()
    assert "This run can't be read" in panel.shown.texts


def test_panel__of_a_cloned_dataset_compares_and_decides_there(run, made):
    clone = run.dataset.clone()
    made.append(clone)
    panel = PanelSession(URI, clone).load()
    assert panel.shown.number("predicted") == "48"
    panel.select(clone.limit(1).values("id"))
    panel.press("Can't tell")
    assert len(Triage.of(lgca.load_run(clone, "zs")).decisions()) == 1
    assert Triage.of(run).decisions() == []


def test_panel__samples_added_since_are_without_a_result(panel, run):
    run.dataset.add_samples([fo.Sample(filepath=f"/new{at}.jpg", number=100) for at in range(4)])
    panel.send("on_change_view")
    assert panel.shown.number("without result") == "10"
    assert panel.shown.number("samples") == "64"


@pytest.mark.parametrize("count", [2, pytest.param(200, marks=pytest.mark.thorough)])
def test_panel__of_few_and_of_many_classes(made, count):
    classes = [f"a class with a rather long name, number {at}" for at in range(count)]
    run = new_run(classes)
    made.append(run.dataset)
    add(run, rows(120, seed=1, classes=classes))
    panel = PanelSession(URI, run.dataset).load()
    size = len(panel.data["page.flow"][0]["z"])
    assert size == min(count, 12)
    for (at, column), shown in cells(panel).items():
        if size - 1 in (at, column):  # with 200 classes, all others
            panel.send("show_cell", idx=[at, column])
            assert len(panel.current()) == shown
    assert max(plot["layout"]["height"] for plot in panel.shown.plots.values()) < 600


@pytest.fixture
def operator(monkeypatch):
    """The panel, which answers all pages, as where FiftyOne keeps its plugins."""
    found = foo.get_operator(URI)
    monkeypatch.setattr(foo, "get_operator", lambda _: found)
    return found


def test_panel__answers_events_of_two_datasets_at_once(run, made, operator, monkeypatch):
    other = compared()
    made.append(other.dataset)
    meeting = threading.Barrier(2)
    layout = type(operator).layout

    def together(self, ctx, content):
        meeting.wait(60)
        return layout(self, ctx, content)

    monkeypatch.setattr(type(operator), "layout", together)
    other.dataset.delete_samples(other.dataset.limit(25))
    pages = [PanelSession(URI, one.dataset) for one in (run, other)]
    threads = [threading.Thread(target=page.send, args=("on_load",)) for page in pages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [page.shown.number("samples") for page in pages] == ["60", "35"]


def test_panel__sends_data_and_layout_together_though_events_come_at_once(run, operator, monkeypatch):
    """Else the App would draw the old data in the new layout, and not draw it again when the new data come."""
    panel = PanelSession(URI, run.dataset).load()
    first_draws, second_is_done = threading.Event(), threading.Event()
    layout = type(operator).layout

    def slowly(self, ctx, content):
        if not first_draws.is_set():
            first_draws.set()
            second_is_done.wait(1)
        return layout(self, ctx, content)

    monkeypatch.setattr(type(operator), "layout", slowly)
    pages = [PanelSession(URI, run.dataset, view=stages(run.dataset.limit(20))) for _ in range(2)]
    for page in pages:
        page.panel_id, page.state = panel.panel_id, as_json(panel.state)
    first = threading.Thread(target=pages[0].send, args=("on_change_view",))
    first.start()
    assert first_draws.wait(60)
    pages[1].send("on_change_view")
    second_is_done.set()
    first.join()
    assert {"show_panel_output", "patch_panel_data"} <= set(pages[0].sent)
    assert pages[1].sent == []
