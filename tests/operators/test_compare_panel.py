"""The events of the panel that compares methods, as FiftyOne's server executes them, on real datasets."""

import json
import threading

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F

from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.overview.overview import clear_overviews
from lgca_plugin.workflows.overview.table_cache import clear_tables
from tests.helpers.panel_session import PanelSession
from tests.helpers.untouched import untouched
from tests.helpers.worlds.compared import URI, compared, rows
from tests.helpers.worlds.overview import add, new_run


@pytest.fixture(autouse=True)
def nothing_in_memory():
    clear_tables()
    clear_overviews()


@pytest.fixture(scope="module")
def module_run():
    made = compared()
    yield made
    fo.delete_dataset(made.dataset.name)


@pytest.fixture
def run(module_run):
    """The run that all tests here look at; those that change a dataset are in test_compare_panel_changes.py."""
    with untouched(module_run.dataset):
        yield module_run


@pytest.fixture
def panel(run):
    return PanelSession(URI, run.dataset).load()


def test_panel__is_registered_and_its_operator_opens_it(run):
    panels = {operator.config.name for operator in foo.list_operators() if isinstance(operator, foo.Panel)}
    assert "lgca_compare" in panels
    from tests.helpers.operators import context

    operator = foo.get_operator("@lgca/zero-shot/lgca_open_compare")
    ctx = context(run.dataset, {}, uri=operator.uri)
    assert operator.resolve_placement(ctx).to_json()["view"]["label"] == "Compare zero-shot methods"
    operator.execute(ctx)
    (message,) = ctx.executor.to_json()["requests"]
    assert (message["operator_uri"], message["params"]["name"]) == ("open_panel", "lgca_compare")
    empty = fo.Dataset()
    assert operator.resolve_placement(context(empty, {}, uri=operator.uri)) is None
    empty.delete()


def test_panel__shows_all_figures(panel):
    texts = panel.texts
    for number, caption in (("60", "samples"), ("48", "predicted"), ("6", "failed"), ("6", "without result")):
        assert texts[texts.index(caption) - 1] == number
    assert texts[texts.index("encodes per image") - 1] == "60.5"
    assert texts[texts.index("images/s") - 1] == "12.2"
    assert any(text.startswith("48 samples with a label in labels") for text in texts)
    assert set(panel.data) >= {"page.agreement", "page.flow", "page.margins"}
    assert panel.state["page"]["head"] == {"run_field": {"run": "zs"}, "labels_field": {"labels": "labels"}}
    assert len(json.dumps(panel.state)) < 1500


def test_panel__sends_its_pictures_again_where_the_app_has_kept_the_panel_but_not_them(panel):
    before, panel.data = panel.data, {}
    panel.send("on_load")
    assert panel.data == before
    assert panel.state["drawn"] is not None


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.thorough)])
def test_panel__every_button_that_shows_samples_shows_as_many_as_it_says(run, seed):
    panel = PanelSession(URI, run.dataset)
    if seed:
        panel.view = json.loads(json.dumps(run.dataset.match(F("number") < 40)._serialize()))
    panel.load()
    before = panel.view
    shows = [part for part in panel.parts("Button") if part["operator"].endswith("#show") and not part["disabled"]]
    assert len(shows) > 15
    for part in shows:
        panel.send("show", **part["params"])
        line = next(text for text in panel.texts if text.startswith("Showing "))
        assert int(line.split()[1].replace(",", "")) == len(panel.current()) > 0, line
        assert panel.view[: len(before)] == before
        label = f"Back to your view ({40 if seed else 60} samples)"
        panel.press(label)
        assert panel.view == before
        assert label not in panel.buttons()


def test_panel__keeps_the_figures_of_the_users_view_while_it_shows_a_part(panel):
    texts = panel.texts
    panel.press("Only CLIP differs")
    shown = [text for text in panel.texts if not text.startswith("Showing")]
    assert shown == texts
    assert len(panel.current()) < 60
    panel.press("Only WCA differs")  # from one part to another, not to a part of the part
    assert len(panel.view) == 1
    assert [text for text in panel.texts if not text.startswith("Showing")] == texts


def cells(panel):
    """The numbers in the picture of the class flow, by row and column."""
    numbers = panel.data["page.flow"][1]
    written = [int(text.replace(",", "")) for text in numbers["text"]]
    return dict(zip(zip(numbers["y"], numbers["x"], strict=True), written, strict=True))


def test_panel__clicks_in_pictures_show_their_samples(panel):
    for at, count in enumerate(panel.data["page.agreement"][0]["x"]):
        panel.send("show_bar", idx=at)
        assert len(panel.current()) == count
    numbers = cells(panel)
    assert sum(numbers.values()) == 48
    for (at, column), count in numbers.items():
        panel.send("show_cell", idx=[at, column])
        assert len(panel.current()) == count
    points = [id_ for trace in panel.data["page.margins"] for id_ in trace["ids"]]
    assert len(points) == len(set(points)) == 48
    panel.send("show_point", id=points[3])
    assert panel.current().values("id") == [points[3]]
    panel.send("show_points", data=[{"id": id_} for id_ in points[:7]])
    assert sorted(panel.current().values("id")) == sorted(points[:7])
    view = panel.view
    panel.send("show_points", data=[])  # the App sends this, too, when a point is clicked
    assert panel.view == view


def test_panel__follows_the_users_view(panel, run):
    panel.press("Only CLIP differs")
    panel.view = [*panel.view, *json.loads(json.dumps(run.dataset.limit(2)._serialize()))]
    panel.send("on_change_view")  # a stage of the user's on top: what is shown now is the user's view
    assert panel.texts[panel.texts.index("samples") - 1] == "2"
    assert not any(text.startswith("Showing") for text in panel.texts)
    panel.view = []
    panel.filters = {"zs_clip.label": {"values": ["tern"], "exclude": False, "isMatching": True}}
    panel.send("on_change_view")
    expected = len(run.dataset.match(F("zs_clip.label") == "tern"))
    assert panel.texts[panel.texts.index("samples") - 1] == str(expected)
    panel.press("Only CLIP differs")
    line = next(text for text in panel.texts if text.startswith("Showing "))
    assert int(line.split()[1]) == len(panel.current())


def test_panel__sends_nothing_twice_to_a_page_that_fires_its_events_together(panel, run):
    before = dict(panel.state)
    panel.view = json.loads(json.dumps(run.dataset.limit(20)._serialize()))
    panel.send("on_change_view")
    assert {"show_panel_output", "patch_panel_data", "patch_panel_state"} <= set(panel.sent)
    for event in ("on_change_view", "on_change_view", "on_change_selected"):
        panel.state = dict(before)  # they were fired before the first answer was there
        panel.send(event)
        assert panel.sent == []
    panel.view = []
    panel.send("on_change_view")
    assert "show_panel_output" in panel.sent


def test_panel__sends_all_to_a_page_that_is_opened_anew(panel, run):
    page = PanelSession(URI, run.dataset)
    page.send("on_load")
    assert {"show_panel_output", "patch_panel_data"} <= set(page.sent)
    assert page.texts == panel.texts
    assert page.data == panel.data


def test_panel__sends_the_same_again_after_a_while(panel, monkeypatch):
    assert (panel.send("on_change_view"), panel.sent) == ([], [])
    monkeypatch.setattr(type(foo.get_operator(URI)), "resend_seconds", 0.0)
    panel.send("on_change_view")
    assert panel.sent == ["show_panel_output"]  # where another process may have sent something else meanwhile


def test_panel__answers_a_click_before_the_app_has_brought_up_the_view(panel, run):
    (button,) = (one for one in panel.parts("Button") if one["label"] == "Only CLIP differs")
    messages = panel.send("show", **button["params"])
    (output,) = (one["params"]["output"] for one in messages if one["operator_uri"] == "show_panel_output")
    assert "where only CLIP differs" in json.dumps(output)
    assert output == panel.shown  # the view that came up then has changed nothing
    messages = panel.press(f"Back to your view ({len(run.dataset)} samples)")
    (output,) = (one["params"]["output"] for one in messages if one["operator_uri"] == "show_panel_output")
    assert "Back to your view" not in json.dumps(output)
    assert output == panel.shown


def test_panel__choices_change_what_is_compared(panel):
    first = cells(panel)
    panel.press("Swap")
    assert panel.state["page"]["pair"] == {"a_field": {"a": "lgca"}, "b_field": {"b": "clip"}}
    assert cells(panel) == {(column, at): count for (at, column), count in first.items()}
    panel.send("pick_a", value="wca")
    panel.send("pick_b", value="wca")  # that of the rows: they change places
    assert panel.state["page"]["pair"] == {"a_field": {"a": "clip"}, "b_field": {"b": "wca"}}
    panel.send("pick_labels", value="-")
    assert "Choose labels to compare with above." in panel.texts
    assert not any(label.endswith(" wrong") for label in panel.buttons())
    panel.send("pick_labels", value="labels")
    assert sum(part["label"].endswith(" wrong") for part in panel.parts("Button")) == 3


def test_panel__what_a_list_shows_counts_whatever_else_an_event_comes_with(panel):
    panel.state["page"]["head"]["labels_field"]["labels"] = "-"  # chosen, and not yet answered
    panel.state["page"]["pair"]["a_field"]["a"] = "wca"
    panel.send("on_change_view")
    assert "Choose labels to compare with above." in panel.texts
    assert panel.state["chosen"]["labels"] == "-"
    assert (panel.state["chosen"]["a"], panel.state["chosen"]["b"]) == ("wca", "lgca")


def test_panel__drops_the_pictures_that_the_app_mixes_into_its_state(panel):
    panel.state = {**panel.state, "page": {**panel.state["page"], "flow": panel.data["page.flow"]}, "more": [1] * 5000}
    panel.send("pick_labels", value="-")
    assert len(json.dumps(panel.state)) < 1500


def test_panel__pages_through_its_lists(panel):
    assert "1 to 5 of 15" in panel.texts
    assert panel.parts("Button")[[p["label"] for p in panel.parts("Button")].index("Previous")]["disabled"] is not False
    ids = [part["params"]["id"] for part in panel.parts("Button") if part["params"].get("part") == "sample"]
    panel.press("Next")
    panel.press("Next")
    assert "11 to 15 of 15" in panel.texts
    later = [part["params"]["id"] for part in panel.parts("Button") if part["params"].get("part") == "sample"]
    assert not set(ids[:5]) & set(later[:5])
    panel.press("Previous")
    assert "6 to 10 of 15" in panel.texts


def test_panel__says_what_is_wrong_with_a_decision(panel, run):
    panel.selected = run.dataset.match(F("zs_suggestion.label") == None).limit(1).values("id")  # noqa: E711
    panel.send("on_change_selected")
    panel.press("Accept suggestion")
    assert panel.notes[-1][0] == "error"
    assert "suggestion" in panel.notes[-1][1]
    assert Triage.of(run).decisions() == []


def test_panel__starts_the_operators_with_its_run(panel):
    for label, name, key in (
        ("Classify", "lgca_classify", "run_key"),
        ("Rescore", "lgca_rescore", "run"),
        ("Triage", "lgca_triage", "run"),
        ("Evaluate", "lgca_evaluate", "run"),
    ):
        panel.press(label)
        assert panel.asked[-1] == (name, {key: "zs"})
    panel.selected = ["0" * 24]
    panel.send("on_change_selected")
    panel.press("Other…")
    assert panel.asked[-1][0] == "lgca_decide"


def test_panel__of_views_that_it_can_not_show(panel, run):
    dataset = run.dataset
    dataset.first()
    for view, title in (
        (dataset.to_patches("zs_regions"), "This view shows parts of images"),
        (dataset.group_by("zs_clip.label"), "This view shows groups of samples"),
    ):
        panel.view = json.loads(json.dumps(view._serialize(), default=str))
        panel.send("on_change_view")
        assert title in panel.texts
        panel.press("Show the whole dataset")
        assert panel.view == []
        assert "disagreements" in panel.texts
    panel.view = json.loads(json.dumps(dataset.match(F("number") < 0)._serialize()))
    panel.send("on_change_view")
    assert "This view is empty" in panel.texts
    panel.view = json.loads(json.dumps(dataset.match(F("number") == 3)._serialize()))
    panel.send("on_change_view")
    assert "No predictions here" in panel.texts
    assert any("1 failed, 0 are without a result" in text for text in panel.texts)


def test_panel__starts_anew_with_another_dataset(panel):
    panel.send("pick_labels", value="-")
    other = new_run(["a", "b"], key="there", ground_truth="truth")
    add(other, [{"answers": ["a", "b", "a"], "truth": "a"}] * 3)
    panel.dataset = other.dataset
    panel.send("on_change_dataset")
    assert panel.state["chosen"] == {
        "run": "there", "labels": "truth", "a": "clip", "b": "lgca", "misleading": 0, "suspects": 0
    }  # fmt: skip
    fo.delete_dataset(other.dataset.name)


@pytest.mark.parametrize("count", [2, 200])
def test_panel__of_few_and_of_many_classes(count):
    classes = [f"a class with a rather long name, number {at}" for at in range(count)]
    run = new_run(classes)
    add(run, rows(120, seed=1, classes=classes))
    panel = PanelSession(URI, run.dataset).load()
    size = len(panel.data["page.flow"][0]["z"])
    assert size == min(count, 12)
    for (at, column), shown in cells(panel).items():
        if size - 1 in (at, column):  # with 200 classes, all others
            panel.send("show_cell", idx=[at, column])
            assert len(panel.current()) == shown
    assert max(part["layout"]["height"] for part in panel.parts("PlotlyView")) < 600
    fo.delete_dataset(run.dataset.name)


def test_panel__answers_events_of_two_datasets_at_once(run, monkeypatch):
    """Where FiftyOne keeps its plugins, one panel answers all pages, each in a thread."""
    other = compared()
    operator = foo.get_operator(URI)
    monkeypatch.setattr(foo, "get_operator", lambda _: operator)
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
    counts = [{text for text in page.texts if text in {"60", "35"}} for page in pages]
    assert counts == [{"60"}, {"35"}]
    fo.delete_dataset(other.dataset.name)
