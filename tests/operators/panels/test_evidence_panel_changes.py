"""The evidence panel on runs that change: decisions, several runs, and samples or runs with less to show."""

from itertools import islice, permutations
from pathlib import Path

import fiftyone as fo
import pytest
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.demo.captions import vocabulary
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.app.panels import PanelSession
from tests.helpers.worlds.birds import METHODS, SMALL, classify_birds, small_crops_run, state_of
from tests.helpers.worlds.queue import triaged

pytestmark = pytest.mark.usefixtures("module_store")

URI = "@lgca/zero-shot/lgca_evidence"


@pytest.fixture
def run(images, demo_encoder, made):
    found = small_crops_run(images[:7], demo_encoder)
    made.append(found.dataset)
    return found


def opened(run, sample=None, **request):
    """A panel on a sample, the first one if none is given; and what it shows."""
    session = PanelSession(URI, run.dataset, sample or run.dataset.first().id, **request)
    return session, session.send("on_load")


def form(shown):
    """The form that an event has opened, with its parameters."""
    request = shown.requests["prompt_user_for_operation"]
    return request["operator_uri"].rpartition("/")[2], request["params"]


def methods_of(shown):
    return [row["method"] for row in shown.tables["answers"]]


# Runs


def test_runs__the_latest_is_shown_and_another_can_be_picked(run):
    run.rescore(classes=CLASSES[:2], run_key="two", methods=("clip", "wca"), progress=False)
    session, shown = opened(run)
    assert shown.lists["run"] == ["two", "zs"] and state_of(session, "run") == "two"
    assert methods_of(shown) == ["CLIP", "WCA"]
    assert shown.lists["first"] == list(CLASSES[:2])  # one pair of classes
    assert methods_of(session.send("pick_run", value="zs")) == ["CLIP", "WCA", "LGCA", "decisive LGCA"]
    run.delete()
    shown = session.send("pick_first", value=CLASSES[0])
    assert "Run “zs” is gone" in shown.words
    assert methods_of(shown) == ["CLIP", "WCA"]
    lgca.load_run(run.dataset, "two").delete()
    assert "No zero-shot run yet" in session.send("on_change_current_sample").texts
    assert form(session.press("Classify zero-shot"))[0] == "lgca_classify"


@pytest.mark.parametrize("methods", [("clip", "lgca"), ("clip", "wca"), ("lgca_d",)])
def test_runs__that_lack_methods(run, methods):
    run.rescore(methods=methods, run_key="some", progress=False)
    session, shown = opened(run)
    assert shown.plots["strip"] and len(methods_of(shown)) == len(methods)
    assert len(session.send("click_frame", id="0").tables["leads"]) == len(methods)
    assert state_of(session, "method") == methods[-1]
    assert not [label for label in shown.buttons if "misleading" in label]


def test_runs__that_look_at_whole_images_only(run):
    run.rescore(methods=("clip", "clip_d"), run_key="plain", progress=False)
    _, shown = opened(run)
    assert "there are no regions to show" in shown.words
    assert methods_of(shown) == ["CLIP"] and "strip" not in shown.plots


@pytest.mark.thorough
def test_runs__of_two_hundred_classes_with_long_names(run):
    words = islice(permutations(vocabulary(), 2), 200)  # classes that are one text to the model are refused
    many = [f"{first} {second}, a species of bird with a name that is rather long" for first, second in words]
    run.rescore(classes=many, descriptions={}, run_key="many", methods=("clip", "wca", "lgca"), progress=False)
    session, shown = opened(run)
    assert shown.lists["first"] == many and shown.plots["strip"] and shown.plots["descriptions"]
    session.send("pick_second", value=many[150])
    assert state_of(session, "second") == many[150]


# Decisions


@pytest.fixture
def triage(run):
    triaged(run, "labels")
    return Triage.of(run)


@pytest.fixture
def suspects(triage):
    return triage.suspects().values("id")


def test_decide__an_accepted_suggestion_is_written_and_the_next_suspect_opens(triage, suspects):
    session, shown = opened(triage.run, suspects[0])
    suggested = triage.run.dataset[suspects[0]].zs_suggestion.label
    assert f"Suggested: {suggested} (90.0%)" in shown.texts
    assert any(text.startswith("Case: ") for text in shown.texts)
    shown = session.press(f"Change to “{suggested}”")
    (row,) = triage.decisions()
    assert (row.sample_id, row.decision, row.corrected) == (suspects[0], "accepted", suggested)
    assert shown.requests["open_sample"]["id"] == suspects[1]
    assert f"of {len(suspects)} suspects left" in shown.requests["notify"]["message"]
    assert f"Decided: changed to {suggested}, by {row.by}" in shown.texts
    shown = session.press("Undo")
    assert triage.decisions() == []
    assert "open_sample" not in shown.requests and "Undo" not in shown.buttons


def test_decide__each_button_decides_what_it_says_and_stays_where_the_user_wants(triage, suspects):
    session, shown = opened(triage.run, suspects[0])
    assert shown.switches == ["go_on"] and session.state["page"]["go_on"] is True
    session.state["page"]["go_on"] = False  # as the App does when the switch is pressed
    session.send("set_go_on", value=False)
    given = triage.run.dataset[suspects[0]].labels.label
    labels = {
        f"Keep “{given}”": "label right",
        "Keep it: bad crop": "bad crop",
        "Bad image": "bad image",
        "Can't tell": "skipped",
    }
    for label, decision in labels.items():
        assert "open_sample" not in session.press(label).requests
        assert [(row.sample_id, row.decision) for row in triage.decisions()] == [(suspects[0], decision)]


def test_decide__a_sample_that_is_not_suspected_has_nothing_to_accept(triage, suspects):
    ids = triage.run.dataset.exists("zs_wca").values("id")
    other = next(id_ for id_ in ids if id_ not in suspects)
    session, shown = opened(triage.run, other)
    assert not [label for label in shown.buttons if label.startswith("Change to")]
    shown = session.send("decide", decision="accepted", sample=other)  # as from a page that is out of date
    assert shown.requests["notify"]["variant"] == "error" and triage.decisions() == []
    assert form(session.press("Another label …")) == ("lgca_decide", {"run": "zs"})
    assert "open_sample" not in session.press("Bad image").requests  # not of the queue, so there is no next one
    for kind in ("success", "error"):
        assert session.send("undo", sample=other).requests["notify"]["variant"] == kind


def test_decide__nothing_about_a_sample_that_is_open_but_was_not_shown_yet(triage, suspects):
    session, _ = opened(triage.run, suspects[0])
    given = triage.run.dataset[suspects[0]].labels.label
    for label in (f"Keep “{given}”", "Bad image"):
        button = session.shown.buttons[label]
        session.sample = suspects[1]  # the user turns over, and presses before the panel has followed
        shown = session.send("decide", **button["params"])
        assert shown.requests["notify"]["variant"] == "warning"
        session.turn_to(suspects[0])
    assert triage.decisions() == []


def test_decide__without_a_triage_its_form_is_offered(run):
    session, shown = opened(run)
    assert "To decide about labels, triage the run first." in shown.texts
    assert form(session.press("Triage this run")) == ("lgca_triage", {"run": "zs"})


# Less to show


def test_shown__without_a_dataset_a_sample_or_a_run(run, images, dataset):
    dataset.add_sample(fo.Sample(filepath=str(images[0].path)))
    for of, sample, title in (
        (None, None, "No dataset is open"),
        (run.dataset, None, "No sample is open"),
        (run.dataset, "6b02a7ee12685269568657fe", "No such sample"),
        (dataset, dataset.first().id, "No zero-shot run yet"),
    ):
        shown = PanelSession(URI, of, sample).send("on_load")
        assert title in shown.texts and not shown.plots
        assert list(shown.buttons) == (["Classify zero-shot"] if of is dataset else [])


def test_shown__of_a_run_that_can_not_be_read(run):
    run.dataset.rename_run("zs", "other")
    words = opened(run)[1].words
    assert "still called 'zs': rename it back in code" in words and "dataset." not in words
    run.dataset.rename_run("other", "zs")
    info = run.dataset.get_run_info("zs")
    info.config.run = "{}"
    run.dataset.update_run_config("zs", info.config)
    _, shown = opened(run)
    assert "This run can't be read" in shown.texts and "Classify zero-shot" in shown.buttons


def test_shown__of_samples_without_a_result(run, images):
    session, shown = opened(run, next(iter(run.failures)))
    assert "This image failed" in shown.texts and "the file does not exist" in shown.words
    assert "Classify zero-shot" in shown.buttons and not shown.plots
    new = run.dataset.add_sample(fo.Sample(filepath=str(images[0].path)))
    assert "Not part of this run" in session.turn_to(new).texts
    run.results["status"] = "interrupted"
    run.save()
    assert "Not classified yet" in session.send("on_load").texts
    shown = session.turn_to(run.dataset.first().id)
    assert "Run “zs” is not finished: other images have no result yet." in shown.notes and shown.plots


def test_shown__of_a_file_that_changed_and_one_that_is_gone(run, tmp_path):
    sample = run.dataset.first()
    path = tmp_path / "bird.jpg"
    path.write_bytes(Path(sample.filepath).read_bytes())
    sample.filepath = str(path)
    sample.save()
    session, shown = opened(run)
    assert not shown.notes
    Image.new("RGB", (300, 200), (10, 200, 30)).save(path)
    shown = session.send("on_load")
    assert "The file has changed since it was classified" in shown.words and shown.plots["map"]
    path.write_bytes(b"no picture")
    assert "There are no pictures: the file is not an image of a format" in session.send("on_load").words
    path.unlink()
    shown = session.send("on_load")
    assert "There are no pictures: the file does not exist" in shown.words
    assert "strip" in shown.plots and "map" not in shown.plots
    assert not shown.plots["strip"]["layout"]["images"]
    assert session.send("click_frame", id="0").tables["leads"]


def test_shown__boxes_of_the_sample_where_regions_are_not_stored(images, demo_encoder, made, tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    run = small_crops_run(images[:4], demo_encoder, store_regions=False)
    made.append(run.dataset)
    session, shown = opened(run)
    assert "only the boxes stored on the sample" in shown.words
    frames = shown.plots["strip"]["data"][0]["customdata"]
    boxes = run.dataset.first().zs_regions.detections
    assert sorted(row[2] for row in frames) == pytest.approx(sorted(box.weight for box in boxes))
    assert methods_of(shown)[0] == "CLIP"
    for event in ("click_frame", "take_misleading"):  # no what if
        assert session.send(event, id="0").tables == shown.tables


def test_shown__a_cloned_dataset_has_the_embeddings_of_the_original(run, made):
    made.append(run.dataset.clone())
    shown = PanelSession(URI, made[-1], made[-1].first().id).send("on_load")
    assert "only the boxes stored on the sample" not in shown.words and shown.plots["strip"]
    assert shown.tables == opened(run)[1].tables


def test_shown__boxes_of_a_copy_where_nothing_is_stored(run, made, monkeypatch, tmp_path):
    made.append(run.dataset.clone())
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    shown = PanelSession(URI, made[-1], made[-1].first().id).send("on_load")
    sample = run.dataset.first()
    assert "only the boxes stored on the sample" in shown.words and shown.plots["strip"]
    assert [row["label"] for row in shown.tables["answers"]] == [sample[f"zs_{name}"].label for name in METHODS]


def grouped(dataset, **paths):
    """Adds a group with a file for each slice; the first slice is the default. Returns its samples."""
    dataset.add_group_field("group", default=next(iter(paths)))
    group = fo.Group()
    samples = [fo.Sample(filepath=str(path), group=group.element(name)) for name, path in paths.items()]
    dataset.add_samples(samples)
    return samples


def test_shown__of_another_slice_of_a_group(images, demo_encoder, dataset):
    samples = grouped(dataset, left=images[0].path, right=images[1].path)
    for name in ("left", "right"):
        run = classify_birds(dataset.select_group_slices(name), demo_encoder, regions=SMALL, run_key="zs")
    session, shown = opened(run, samples[0].id, group_slice="left")
    assert Path(samples[0].filepath).name in shown.texts and shown.plots
    session.sample, session.request = samples[1].id, {"group_slice": "right"}
    shown = session.send("on_change_group_slice")
    assert Path(samples[1].filepath).name in shown.texts and shown.plots


def test_shown__of_a_video(images, demo_encoder, dataset):
    _, film = grouped(dataset, image=images[0].path, film="/nowhere/film.mp4")
    mixed = classify_birds(dataset, demo_encoder, regions=SMALL, run_key="zs")
    assert mixed.results["predicted"] == 1
    assert "Not an image" in opened(mixed, film.id, group_slice="film")[1].texts
