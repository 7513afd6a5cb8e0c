"""The events of the panel that compares methods, as FiftyOne's server executes them, on real datasets."""

import json
import re

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F

from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.app.operators import context
from tests.helpers.app.panels import PanelSession, as_json, stages
from tests.helpers.checks import untouched
from tests.helpers.worlds.compared import URI, cells, compared
from tests.helpers.worlds.overview import add, new_run


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
    operator = foo.get_operator("@lgca/zero-shot/lgca_open_compare")
    ctx = context(run.dataset, {}, uri=operator.uri)
    operator.execute(ctx)
    (message,) = ctx.executor.to_json()["requests"]
    assert (message["operator_uri"], message["params"]["name"]) == ("open_panel", "lgca_compare")


def test_panel__shows_all_figures(panel):
    captions = ("samples", "predicted", "failed", "without result", "looks per image", "images a second")
    assert [panel.shown.number(caption) for caption in captions] == ["60", "48", "6", "6", "60.5", "12.2"]
    assert "Measured against labels, 48 labels, the same for all methods." in panel.shown.words
    assert set(panel.data) >= {"page.agreement", "page.flow", "page.margins"}
    assert panel.state["page"]["head"] == {"run_field": {"run": "zs"}, "labels_field": {"labels": "labels"}}
    assert len(json.dumps(panel.state)) < 1500


def test_panel__sends_its_pictures_again_where_the_app_has_kept_the_panel_but_not_them(panel):
    before, panel.data = panel.data, {}
    panel.send("on_load")
    assert panel.data == before
    assert panel.state["drawn"] is not None


def count_in_sentence(panel):
    """How many samples the panel says that it shows."""
    line = next(text for text in panel.shown.texts if text.startswith("Showing "))
    return int(line.split()[1].replace(",", ""))


def figures(panel):
    """All texts but the sentences about what is shown."""
    return [text for text in panel.shown.texts if not text.startswith(("Showing", "The figures below", "All figures"))]


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, 1])
def test_panel__every_button_that_shows_samples_shows_as_many_as_it_says(run, seed):
    view = stages(run.dataset.match(F("number") < 40)) if seed else []
    panel = PanelSession(URI, run.dataset, view=view).load()
    buttons = panel.shown.parts("Button")
    shows = [part for part in buttons if part["operator"].endswith("#show") and not part["disabled"]]
    assert len(shows) > 15
    for part in shows:
        panel.send("show", **part["params"])
        assert count_in_sentence(panel) == len(panel.current()) > 0
        assert panel.view[: len(view)] == view
        label = f"Back to your view ({40 if seed else 60} samples)"
        panel.press(label)
        assert panel.view == view
        assert label not in panel.shown.buttons


def test_panel__keeps_the_figures_of_the_users_view_while_it_shows_a_part(panel):
    before = figures(panel)
    panel.press("Only CLIP differs")
    assert figures(panel) == before
    assert len(panel.current()) < 60
    panel.press("Only WCA differs")  # from one part to another, not to a part of the part
    assert len(panel.view) == 1
    assert figures(panel) == before


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
    panel.view = [*panel.view, *stages(run.dataset.limit(2))]
    panel.send("on_change_view")  # a stage of the user's on top: what is shown now is the user's view
    assert panel.shown.number("samples") == "2"
    assert not [text for text in panel.shown.texts if text.startswith("Showing")]
    panel.view = []
    panel.filters = {"zs_clip.label": {"values": ["tern"], "exclude": False, "isMatching": True}}
    panel.send("on_change_view")
    assert panel.shown.number("samples") == str(len(run.dataset.match(F("zs_clip.label") == "tern")))
    panel.press("Only CLIP differs")
    assert count_in_sentence(panel) == len(panel.current())


def test_panel__sends_nothing_twice_to_a_page_that_fires_its_events_together(panel, run):
    before = as_json(panel.state)
    panel.change_view(run.dataset.limit(20))
    assert {"show_panel_output", "patch_panel_data", "patch_panel_state"} <= set(panel.sent)
    for event in ("on_change_view", "on_change_view", "on_change_selected"):
        panel.state = as_json(before)  # they were fired before the first answer was there
        panel.send(event)
        assert panel.sent == []
    panel.view = []
    panel.send("on_change_view")
    assert "show_panel_output" in panel.sent


def test_panel__sends_all_to_a_page_that_is_opened_anew(panel, run):
    page = PanelSession(URI, run.dataset)
    page.panel_id = panel.panel_id
    page.send("on_load")
    assert {"show_panel_output", "patch_panel_data"} <= set(page.sent)
    assert page.shown.texts == panel.shown.texts
    assert page.data == panel.data


def test_panel__sends_the_same_again_after_a_while(panel, monkeypatch):
    panel.send("on_change_view")
    assert panel.sent == []
    monkeypatch.setattr(type(foo.get_operator(URI)), "resend_seconds", 0.0)
    panel.send("on_change_view")
    assert panel.sent == ["show_panel_output"]  # where another process may have sent something else meanwhile


def test_panel__answers_a_click_before_the_app_has_brought_up_the_view(panel, run):
    shown = panel.press("Only CLIP differs")
    assert "where only CLIP differs" in shown.words
    assert shown.texts == panel.shown.texts  # the view that came up then has changed nothing
    label = f"Back to your view ({len(run.dataset)} samples)"
    shown = panel.press(label)
    assert label not in shown.buttons
    assert shown.texts == panel.shown.texts


def test_panel__choices_change_what_is_compared(panel):
    first = cells(panel)
    panel.press("Swap")
    assert panel.state["page"]["pair"] == {"a_field": {"a": "lgca"}, "b_field": {"b": "clip"}}
    assert cells(panel) == {(column, at): count for (at, column), count in first.items()}
    panel.send("pick_a", value="wca")
    panel.send("pick_b", value="wca")  # that of the rows: they change places
    assert panel.state["page"]["pair"] == {"a_field": {"a": "clip"}, "b_field": {"b": "wca"}}
    panel.send("pick_labels", value="-")
    assert "Choose labels to compare with above." in panel.shown.texts
    assert not any(re.fullmatch(r"\d+ differ", label) for label in panel.shown.buttons)
    panel.send("pick_labels", value="labels")
    assert sum(bool(re.fullmatch(r"\d+ differ", part["label"])) for part in panel.shown.parts("Button")) == 3


def test_panel__what_a_list_shows_counts_whatever_else_an_event_comes_with(panel):
    panel.state["page"]["head"]["labels_field"]["labels"] = "-"  # chosen, and not yet answered
    panel.state["page"]["pair"]["a_field"]["a"] = "wca"
    panel.send("on_change_view")
    assert "Choose labels to compare with above." in panel.shown.texts
    assert panel.state["chosen"]["labels"] == "-"
    assert (panel.state["chosen"]["a"], panel.state["chosen"]["b"]) == ("wca", "lgca")


def test_panel__drops_the_pictures_that_the_app_mixes_into_its_state(panel):
    panel.state = {**panel.state, "page": {**panel.state["page"], "flow": panel.data["page.flow"]}, "more": [1] * 5000}
    panel.send("pick_labels", value="-")
    assert len(json.dumps(panel.state)) < 1500


@pytest.mark.parametrize(
    "state",
    [
        {"chosen": {"run": 7, "gone": 1, "misleading": "x"}, "page": [], "drawn": {}, "action": 3},
        {"chosen": None, "page": {"head": None, "pair": {"a_field": 1}}},
    ],
)
def test_panel__a_state_that_can_not_be_read_is_replaced(run, panel, state):
    page = PanelSession(URI, run.dataset)
    page.state = state
    assert page.load().shown.texts == panel.shown.texts
    assert page.state == panel.state


def test_panel__goes_on_from_the_state_of_release_0_1_0(run):
    page = PanelSession(URI, run.dataset)
    chosen = {"run": "zs", "labels": "-", "a": "lgca", "b": "wca", "misleading": 5, "suspects": 0}
    lists = {"run_field": {"run": "zs"}, "labels_field": {"labels": "-"}}
    pair = {"a_field": {"a": "lgca"}, "b_field": {"b": "wca"}}
    page.state = {"chosen": chosen, "drawn": "0" * 16, "action": None, "undo": None}
    page.state["page"] = {"head": lists, "pair": pair}
    page.load()
    assert page.state["chosen"] == chosen
    assert page.state["page"] == {"head": lists, "pair": pair}
    assert {"6 to 10 of 15", "Choose labels to compare with above."} <= set(page.shown.texts)


def test_panel__pages_through_its_lists(panel):
    def listed():
        return [part["params"]["id"] for part in panel.shown.parts("Button") if part["params"].get("part") == "sample"]

    assert "1 to 5 of 15" in panel.shown.texts
    assert panel.shown.buttons["Previous"]["disabled"]
    first = listed()
    panel.press("Next", at=1)
    panel.press("Next", at=1)
    assert {"1 to 5 of 12", "11 to 15 of 15"} <= set(panel.shown.texts)
    assert not set(first[5:]) & set(listed()[5:])
    assert first[:5] == listed()[:5]
    panel.press("Previous", at=1)
    assert "6 to 10 of 15" in panel.shown.texts


def test_panel__says_what_is_wrong_with_a_decision(panel, run):
    panel.select(run.dataset.match(F("zs_suggestion.label") == None).limit(1).values("id"))  # noqa: E711
    panel.press("Change to the suggestion")
    kind, message = panel.notified[-1]
    assert kind == "error" and "suggestion" in message
    assert Triage.of(run).decisions() == []


def test_panel__starts_the_operators_with_its_run(panel):
    for label, name, key in (
        ("Classify", "lgca_classify", "run_key"),
        ("Rescore", "lgca_rescore", "run"),
        ("Triage", "lgca_triage", "run"),
        ("Evaluate", "lgca_evaluate", "run"),
    ):
        panel.press(label)
        assert panel.prompted[-1] == (name, {key: "zs"})
    panel.select(["0" * 24])
    panel.press("Other…")
    assert panel.prompted[-1][0] == "lgca_decide"


def test_panel__of_views_that_it_can_not_show(panel, run):
    dataset = run.dataset
    for view, title in (
        (dataset.to_patches("zs_regions"), "This view shows parts of images"),
        (dataset.group_by("zs_clip.label"), "This view shows groups of samples"),
    ):
        assert title in panel.change_view(view).texts
        panel.press("Show the whole dataset")
        assert panel.view == []
        assert "Do the methods agree?" in panel.shown.texts
    assert "This view is empty" in panel.change_view(dataset.match(F("number") < 0)).texts
    shown = panel.change_view(dataset.match(F("number") == 3))
    assert "No predictions here" in shown.texts
    assert "1 failed, 0 are without a result" in shown.words


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
