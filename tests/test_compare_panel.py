"""The events of the panel that compares methods, as FiftyOne's server executes them, on real datasets."""

import json
import random
import uuid

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone import ViewField as F
from overview_world import add, new_run, triaged
from panel_session import PanelSession

import lgca_plugin as lgca
from lgca_plugin.dataset.overview import forget_overviews
from lgca_plugin.dataset.overview_memory import forget_tables
from lgca_plugin.dataset.queue import Triage

URI = "@lgca/zero-shot/lgca_compare"
CLASSES = ["tern", "swan", "gull"]


@pytest.fixture(autouse=True)
def nothing_in_memory():
    forget_tables()
    forget_overviews()


def rows(count, seed=0, classes=CLASSES):
    rng = random.Random(seed)
    found = []
    for at in range(count):
        row = {"answers": [rng.choice(classes) for _ in range(3)], "margins": [rng.random() for _ in range(3)]}
        row["truth"] = rng.choice(classes)
        if at % 10 == 3:
            row |= {"answers": [None] * 3, "error": "no image"}
        if at % 10 == 7:
            row["answers"] = [None] * 3
        found.append(row)
    return found


def triage_columns(count):
    return {
        "case": ["nobody right" if at % 2 else "all right" for at in range(count)],
        "misleading": [float(1 + at % 3) if at % 4 == 0 else None for at in range(count)],
        "quality": [at / count for at in range(count)],
        "suggested": ["swan" if at % 5 == 0 else None for at in range(count)],
    }


@pytest.fixture
def run():
    made = new_run(CLASSES)
    add(made, rows(60))
    yield triaged(made, triage_columns(60))
    if fo.dataset_exists(made.dataset.name):
        fo.delete_dataset(made.dataset.name)


@pytest.fixture
def panel(run):
    return PanelSession(URI, run.dataset).load()


def test_panel__is_registered_and_its_operator_opens_it(run):
    panels = {operator.config.name for operator in foo.list_operators() if isinstance(operator, foo.Panel)}
    assert "lgca_compare" in panels
    from operator_harness import context

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
    look = next(part["layout"] for part in panel.parts("PlotlyView") if part["layout"].get("annotations"))
    return {(note["y"], note["x"]): int(note["text"].replace(",", "")) for note in look["annotations"]}


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


def test_panel__sends_pictures_only_when_they_change(panel, run):
    panel.send("on_change_view")
    panel.send("on_change_selected")
    assert "patch_panel_data" not in panel.sent
    panel.press("Only CLIP differs")
    assert "patch_panel_data" not in panel.sent
    run.dataset.limit(1).set_values("zs_error", ["later"])
    panel.send("on_change_view")
    assert "patch_panel_data" in panel.sent


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
    (quiet,) = (base for base in type(foo.get_operator(URI)).__mro__ if base.__name__ == "QuietPanel")
    monkeypatch.setitem(quiet.execute.__globals__, "REMEMBERED_SECONDS", 0.0)  # not the clock: pymongo goes by it too
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


def test_panel__an_event_with_an_old_state_forgets_nothing(panel, run):
    panel.selected = run.dataset.limit(1).values("id")
    old = json.loads(json.dumps(panel.state))
    panel.send("on_change_selected")
    panel.press("Skip")
    now, panel.state = panel.state, old  # sent before the answer to the decision was there
    sent = panel.send("on_change_view")
    assert not any("action" in message["params"].get("state", {}) for message in sent)
    assert now["action"] is not None


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


def test_panel__decides_about_the_selected_and_takes_it_back(panel, run):
    dataset, triage = run.dataset, Triage.of(run)
    decisions = ("Accept suggestion", "Label is right", "Bad crop", "Bad image", "Skip", "Other…")
    assert not any(panel.buttons()[label] for label in decisions)
    suspects = triage.suspects().values("id")
    left = f"Show the {len(suspects)} undecided"
    assert left in panel.buttons()
    for label, value in zip(decisions, ("accepted", "label right", "bad crop", "bad image", "skipped"), strict=False):
        panel.selected = suspects[:2]
        panel.send("on_change_selected")
        assert "2 samples selected" in panel.texts
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


def obstacle(panel):
    return panel.texts[-2:], [label for label, usable in panel.buttons().items() if usable]


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


def test_panel__samples_added_since_are_without_a_result(panel, run):
    run.dataset.add_samples([fo.Sample(filepath=f"/new{at}.jpg", number=100) for at in range(4)])
    panel.send("on_change_view")
    texts = panel.texts
    assert texts[texts.index("without result") - 1] == "10"
    assert texts[texts.index("samples") - 1] == "64"


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
