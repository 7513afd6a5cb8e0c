"""Every event of the evidence panel, on a real run: what it shows is what the run and its evidence say."""

import uuid
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.evidence.film_strip import PICTURES
from lgca_plugin.workflows.evidence.sample_record import EVIDENCE, FIGURES
from tests.helpers.panels import PanelSession
from tests.helpers.worlds.queue import triaged

pytestmark = pytest.mark.usefixtures("module_store")

URI = "@lgca/zero-shot/lgca_evidence"
SMALL = lgca.RegionConfig(crops=20, lgca_crops=6, scale_min=0.1, scale_max=0.3)  # where WCA and LGCA disagree often
METHODS = ("clip", "wca", "lgca", "lgca_d")
MINUS = "\u2212"


@pytest.fixture(autouse=True)
def nothing_kept():
    for kept in (EVIDENCE, FIGURES, PICTURES):
        kept.clear()


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("birds"), count=48, seed=3)[:18]


def classified(images, encoder, **options):
    dataset = fo.Dataset(f"evidence-{uuid.uuid4().hex[:8]}")
    dataset.add_samples(
        [fo.Sample(filepath=str(image.path), labels=fo.Classification(label=CLASSES[0])) for image in images]
    )
    dataset.add_sample(fo.Sample(filepath="/nowhere/missing.png"))
    settings = {"methods": METHODS, "regions": SMALL, "run_key": "zs", "ground_truth": "labels"}
    settings |= {"classes": CLASSES, "descriptions": DESCRIPTIONS, "encoder": encoder, "progress": False}
    return lgca.classify(dataset, **(settings | options))


@pytest.fixture(scope="module")
def module_run(images, demo_encoder):
    run = classified(images, demo_encoder)
    yield run
    run.dataset.delete()


@pytest.fixture
def run(module_run):
    """The run, for tests that read."""
    return module_run


@pytest.fixture
def own_run(images, demo_encoder):
    """A smaller one, for tests that write."""
    made = classified(images[:7], demo_encoder)
    yield made
    made.dataset.delete()


@pytest.fixture
def case(run):
    """A sample on which few crops mislead WCA."""
    found = [run.evidence(id_) for id_ in run.dataset.exists("zs_wca").values("id")]
    return next(one for one in found if one.case is not None and one.misleading.sum() > 1)


@pytest.fixture
def opened(run, case):
    session = PanelSession(URI, run.dataset, case.sample_id)
    return session, session.send("on_load")


def number(text):
    return float(text.replace(MINUS, "-"))


def rows(table, key):
    return [row[key] for row in table]


# ------------------------------------------------------------------------------------------------- what it shows


def test_load__shows_what_each_method_says(run, case, opened):
    _, shown = opened
    sample = run.dataset[case.sample_id]
    table = shown.tables["answers"]
    assert rows(table, "method") == ["CLIP", "WCA", "LGCA", "decisive LGCA"]
    for row, name in zip(table, METHODS, strict=True):
        field = sample[f"zs_{name}"]
        assert row["label"] == field.label
        assert row["confidence"] == f"{field.confidence:.1%}"
        assert float(row["margin"]) == pytest.approx(field.margin, abs=6e-5)
        assert row["stability"] == f"{case.stability[name]:.1%}"
    explained = shown.tooltips["answers"]
    assert [explained[1, place].partition(":")[0] for place in (2, 3, 4)] == ["Confidence", "Margin", "Stability"]
    assert f"Given label: {CLASSES[0]}" in shown.texts
    assert Path(sample.filepath).name in shown.texts
    assert not shown.notes
    assert f"Without {case.case.size} crop" in shown.words


def test_load__the_strip_and_the_map_show_the_evidence_in_pictures(case, opened):
    session, shown = opened
    strip = shown.plots["strip"]
    ids = [int(r) for r in strip["data"][0]["ids"]]
    assert set(np.flatnonzero(case.misleading)[:3].tolist()) & set(ids)
    a, b = case.misleading_pair
    shares = case.contributions("lgca", a, b)
    assert [row[3] for row in strip["data"][0]["customdata"]] == pytest.approx(shares[ids].tolist())
    pictures = [one["source"] for one in strip["layout"]["images"]]
    assert len(pictures) == len(ids) + len({row[0] for row in strip["data"][0]["customdata"]})
    assert all(one.startswith("data:image/jpeg;base64,") for one in pictures)
    assert sorted(shown.plots["map"]["data"][0]["ids"]) == sorted(map(str, ids))
    assert shown.plots["descriptions"]["height"] == f"{shown.plots['descriptions']['layout']['height']}px"
    assert (
        state_of(session, "first") == a and state_of(session, "second") == b and state_of(session, "method") == "lgca"
    )
    assert shown.lists["first"] == shown.lists["second"] == list(CLASSES)
    assert shown.lists["method"] == ["wca", "lgca", "lgca_d"]


def state_of(session, name):
    """The value of a list, wherever it stands in the panel's state."""

    def find(part):
        if isinstance(part, dict):
            if name in part and not isinstance(part[name], dict):
                return part[name]
            return next((value for value in map(find, part.values()) if value is not None), None)
        return None

    return find(session.state.get("page", {}))


def test_load__all_figures_are_plain_json_and_not_too_big(opened):
    _, shown = opened
    assert shown.bytes < 1_500_000


def test_choose__rivals_change_and_swap(case, opened):
    session, shown = opened
    a, b = case.misleading_pair
    third = next(name for name in CLASSES if name not in (a, b))
    session.send("click_frame", id="0")
    shown = session.send("pick_first", value=third)
    assert (state_of(session, "first"), state_of(session, "second")) == (third, b)
    assert number(shown.tables["leads"][1]["before"]) == pytest.approx(case.margin("wca", third, b), abs=6e-5)
    session.send("pick_second", value=third)  # is the first already: they change places
    assert (state_of(session, "first"), state_of(session, "second")) == (b, third)
    session.send("pick_first", value=b)  # what is chosen already
    assert (state_of(session, "first"), state_of(session, "second")) == (b, third)
    shown = session.send("pick_method", value="wca")
    ids = [int(r) for r in shown.plots["strip"]["data"][0]["ids"]]
    weights = [row[2] for row in shown.plots["strip"]["data"][0]["customdata"]]
    assert weights == pytest.approx(case.without([0]).weights["wca"][ids].tolist())


def test_choose__more_chains_and_few_again(case, opened):
    session, shown = opened
    few = len(shown.plots["strip"]["data"][0]["ids"])
    used = set(case.chain[(case.weights["lgca"] > 0) | case.misleading].tolist())
    shown = session.press(shown, f"Show {min(15, len(used))} of {len(used)} crops")
    chains = {row[0] for row in shown.plots["strip"]["data"][0]["customdata"]}
    assert len(chains) == min(15, len(used)) and chains <= used
    shown = session.press(shown, "Show fewer crops")
    assert len(shown.plots["strip"]["data"][0]["ids"]) == few


# ------------------------------------------------------------------------------------------------------ what if


def check_what_if(case, shown, out):
    if not len(out):
        assert "leads" not in shown.tables and "Put all back" not in shown.buttons
        return
    left = case.without(out)
    a, b = case.misleading_pair
    for row, name in zip(shown.tables["leads"], METHODS, strict=True):
        assert number(row["before"]) == pytest.approx(case.margin(name, a, b), abs=6e-5)
        assert number(row["after"]) == pytest.approx(left.margin(name, a, b), abs=6e-5)
        assert row["says"].startswith(left.labels[name])
        assert ("was" in row["says"]) == (left.labels[name] != case.labels[name])


def test_what_if__a_click_takes_a_region_out_and_another_puts_it_back(case, opened):
    session, shown = opened
    region = shown.plots["strip"]["data"][0]["ids"][0]
    assert "Put all back" not in shown.buttons
    shown = session.send("click_frame", id=region)
    check_what_if(case, shown, [int(region)])
    dimmed = [one for one in shown.plots["strip"]["layout"]["images"] if one["opacity"] < 1]
    assert len(dimmed) == 1
    other = shown.plots["map"]["data"][0]["ids"][0]
    shown = session.send("toggle_region", value=other)
    check_what_if(case, shown, {int(region), int(other)})
    shown = session.send("click_frame", id=region)
    check_what_if(case, shown, [int(other)])
    shown = session.press(shown, "Put all back")
    check_what_if(case, shown, [])
    assert "Put all back" not in shown.buttons


@pytest.mark.parametrize("id_", [None, "", "x", "99999", "-1"])
def test_what_if__a_click_beside_the_pictures_changes_nothing(case, opened, id_):
    session, _ = opened
    check_what_if(case, session.send("click_frame", id=id_), [])


def test_what_if__all_misleading_crops_or_the_fewest_that_do_it(case, opened):
    session, shown = opened
    (label,) = [one for one in shown.buttons if one.startswith("Take out all")]
    shown = session.press(shown, label)
    check_what_if(case, shown, np.flatnonzero(case.misleading))
    assert shown.buttons[label]["disabled"]
    (fewest,) = [one for one in shown.buttons if one.startswith("Take out the ")]
    shown = session.press(shown, fewest)
    check_what_if(case, shown, case.case.crops)
    says = dict(zip(METHODS, rows(shown.tables["leads"], "says"), strict=True))
    assert says["wca"] == f"{case.labels['lgca']} (was {case.labels['wca']})"


def test_what_if__nothing_left_is_no_answer(case, opened):
    session, _ = opened
    session.state["out"] = " ".join(map(str, range(len(case.step))))
    shown = session.send("pick_method", value="lgca")
    says = dict(zip(METHODS, rows(shown.tables["leads"], "says"), strict=True))
    assert says["wca"].startswith("no label: no region is left")
    assert says["clip"] == case.labels["clip"]


# ------------------------------------------------------------------------------------------------- following


def test_follow__another_sample_is_shown_and_nothing_is_taken_out_of_it(run, case, opened):
    session, shown = opened
    session.send("click_frame", id=shown.plots["strip"]["data"][0]["ids"][0])
    session.send("pick_first", value=next(name for name in CLASSES if name not in case.misleading_pair))
    session.send("pick_method", value="wca")
    other = next(id_ for id_ in run.dataset.exists("zs_wca").values("id") if id_ != case.sample_id)
    shown = session.turn_to(other)
    seen = run.evidence(other)
    assert Path(run.dataset[other].filepath).name in shown.texts
    assert rows(shown.tables["answers"], "label") == [seen.labels[name] for name in METHODS]
    assert "Put all back" not in shown.buttons
    assert state_of(session, "method") == "wca"  # a choice about the screen stays
    if seen.misleading_pair:
        assert (state_of(session, "first"), state_of(session, "second")) == seen.misleading_pair
    else:
        assert state_of(session, "first") == seen.labels["lgca"]
    again = session.turn_to(case.sample_id)
    assert rows(again.tables["answers"], "label") == [case.labels[name] for name in METHODS]


def test_follow__an_event_that_comes_twice_changes_nothing(opened):
    session, shown = opened
    shown = session.send("click_frame", id=shown.plots["strip"]["data"][0]["ids"][0])
    for event in ("on_change_current_sample", "on_change_group_slice", "on_load", "set_go_on"):
        assert session.send(event).tables == shown.tables
    for event, value in (("pick_run", "zs"), ("pick_first", state_of(session, "first")), ("toggle_region", None)):
        assert session.send(event, value=value).tables == shown.tables


def test_follow__another_slice_of_a_group(images, demo_encoder):
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    group = fo.Group()
    samples = [
        fo.Sample(filepath=str(image.path), group=group.element(name))
        for image, name in zip(images, ("left", "right"), strict=False)
    ]
    dataset.add_samples(samples)
    for name in ("left", "right"):
        view = dataset.select_group_slices(name)
        lgca.classify(view, classes=CLASSES, encoder=demo_encoder, regions=SMALL, run_key="zs", progress=False)
    try:
        session = PanelSession(URI, dataset, samples[0].id, group_slice="left")
        assert "bird" in session.send("on_load").words
        session.sample, session.request = samples[1].id, {"group_slice": "right"}
        shown = session.send("on_change_group_slice")
        assert Path(samples[1].filepath).name in shown.texts and shown.plots
    finally:
        dataset.delete()


def test_follow__a_patch_shows_the_sample_that_it_was_cut_from(run, case):
    patches = run.dataset.to_patches("zs_regions")
    patch = dict(zip(*patches.values(["sample_id", "id"]), strict=True))[case.sample_id]
    assert patch != case.sample_id
    session = PanelSession(URI, run.dataset, patch, view=patches._serialize())
    shown = session.send("on_load")
    assert rows(shown.tables["answers"], "label") == [case.labels[name] for name in METHODS]


def test_runs__the_latest_is_shown_and_another_can_be_picked(own_run):
    dataset = own_run.dataset
    own_run.rescore(classes=CLASSES[:2], run_key="two", methods=("clip", "wca"), progress=False)
    session = PanelSession(URI, dataset, dataset.first().id)
    shown = session.send("on_load")
    assert shown.lists["run"] == ["two", "zs"] and state_of(session, "run") == "two"
    assert rows(shown.tables["answers"], "method") == ["CLIP", "WCA"]
    assert shown.lists["first"] == list(CLASSES[:2])  # one pair of classes
    shown = session.send("pick_run", value="zs")
    assert rows(shown.tables["answers"], "method") == ["CLIP", "WCA", "LGCA", "decisive LGCA"]
    own_run.delete()
    shown = session.send("pick_first", value=CLASSES[0])
    assert "Run “zs” is gone" in shown.words
    assert rows(shown.tables["answers"], "method") == ["CLIP", "WCA"]
    lgca.load_run(dataset, "two").delete()
    shown = session.send("on_change_current_sample")
    assert "No zero-shot run yet" in shown.texts
    asked = session.press(shown, "Classify").requests["prompt_user_for_operation"]
    assert asked["operator_uri"] == "@lgca/zero-shot/lgca_classify"


# --------------------------------------------------------------------------------------------------- decisions


@pytest.fixture
def triage(own_run):
    triaged(own_run, "labels")
    return Triage.of(own_run)


def open_first(triage):
    suspects = triage.suspects().values("id")
    session = PanelSession(URI, triage.run.dataset, suspects[0])
    return session, session.send("on_load"), suspects


def test_decide__an_accepted_suggestion_is_written_and_the_next_suspect_opens(triage):
    session, shown, suspects = open_first(triage)
    suggested = triage.run.dataset[suspects[0]].zs_suggestion.label
    assert f"Suggested: {suggested} (90.0%)" in shown.texts
    assert any(text.startswith("Case: ") for text in shown.texts)
    shown = session.press(shown, f"Accept “{suggested}”")
    (row,) = triage.decisions()
    assert (row.sample_id, row.decision.value, row.corrected) == (suspects[0], "accepted", suggested)
    assert shown.requests["open_sample"]["id"] == suspects[1]
    assert f"of {len(suspects)} suspects left" in shown.requests["notify"]["message"]
    assert f"Decided: accepted as {suggested}, by {row.by}" in shown.texts
    shown = session.press(shown, "Undo")
    assert triage.decisions() == []
    assert "open_sample" not in shown.requests and "Undo" not in shown.buttons


@pytest.mark.parametrize(
    ("label", "decision"),
    [
        ("Label is right", "label right"),
        ("Bad crop", "bad crop"),
        ("Bad image", "bad image"),
        ("Skip", "skipped"),
    ],
)
def test_decide__each_button_decides_what_it_says_and_stays_where_the_user_wants(triage, label, decision):
    session, shown, suspects = open_first(triage)
    assert shown.switches == ["go_on"] and session.state["page"]["go_on"] is True
    session.state["page"]["go_on"] = False  # as the App does when the switch is pressed
    shown = session.send("set_go_on", value=False)
    shown = session.press(shown, label)
    (row,) = triage.decisions()
    assert (row.sample_id, row.decision.value) == (suspects[0], decision)
    assert "open_sample" not in shown.requests


def test_decide__a_sample_that_is_not_suspected_has_nothing_to_accept(triage):
    ids = triage.run.dataset.exists("zs_wca").values("id")
    other = next(id_ for id_ in ids if id_ not in triage.suspects().values("id"))
    session = PanelSession(URI, triage.run.dataset, other)
    shown = session.send("on_load")
    assert not [label for label in shown.buttons if label.startswith("Accept")]
    shown = session.send("accept", sample=other)  # as from a page that is out of date
    assert shown.requests["notify"]["variant"] == "error" and triage.decisions() == []
    asked = session.press(shown, "Another label …").requests["prompt_user_for_operation"]
    assert asked["operator_uri"] == "@lgca/zero-shot/lgca_decide" and asked["params"] == {"run": "zs"}
    shown = session.press(session.send("on_load"), "Bad image")
    assert "open_sample" not in shown.requests  # not of the queue, so there is no next one
    assert session.send("undo", sample=other).requests["notify"]["variant"] == "success"
    assert session.send("undo", sample=other).requests["notify"]["variant"] == "error"


def test_decide__nothing_about_a_sample_that_is_open_but_was_not_shown_yet(triage):
    session, shown, suspects = open_first(triage)
    session.sample = suspects[1]  # the user turns over, and presses before the panel has followed
    for label in ("Label is right", "Bad image"):
        assert session.press(shown, label).requests["notify"]["variant"] == "warning"
    assert triage.decisions() == []


def test_decide__without_a_triage_its_form_is_offered(opened):
    session, shown = opened
    assert "To decide about labels, triage the run first." in shown.texts
    asked = session.press(shown, "Triage this run").requests["prompt_user_for_operation"]
    assert asked["operator_uri"] == "@lgca/zero-shot/lgca_triage" and asked["params"] == {"run": "zs"}


# ------------------------------------------------------------------------------------------------------ states


def test_state__no_dataset_and_no_sample(run):
    assert "No dataset is open" in PanelSession(URI, None).send("on_load").texts
    shown = PanelSession(URI, run.dataset).send("on_load")
    assert "No sample is open" in shown.texts and not shown.plots
    shown = PanelSession(URI, run.dataset, "6b02a7ee12685269568657fe").send("on_load")
    assert "No such sample" in shown.texts


def test_state__no_run(dataset, images):
    dataset.add_sample(fo.Sample(filepath=str(images[0].path)))
    session = PanelSession(URI, dataset, dataset.first().id)
    shown = session.send("on_load")
    assert "No zero-shot run yet" in shown.texts and list(shown.buttons) == ["Classify"]


def test_state__a_run_that_can_not_be_read(own_run):
    dataset = own_run.dataset
    info = dataset.get_run_info("zs")
    info.config.run = "{}"
    dataset.update_run_config("zs", info.config)
    shown = PanelSession(URI, dataset, dataset.first().id).send("on_load")
    assert "This run can't be read" in shown.texts and "Classify" in shown.buttons


def test_state__a_failed_sample_says_why(run):
    failed = next(iter(run.failures))
    shown = PanelSession(URI, run.dataset, failed).send("on_load")
    assert "This image failed" in shown.texts and "the file does not exist" in shown.words
    assert "Classify" in shown.buttons and not shown.plots


def test_state__added_since_and_not_come_to_yet(own_run, images):
    new = own_run.dataset.add_sample(fo.Sample(filepath=str(images[0].path)))
    session = PanelSession(URI, own_run.dataset, new)
    assert "Not part of this run" in session.send("on_load").texts
    own_run.results["status"] = "interrupted"
    own_run.save()
    assert "Not classified yet" in session.send("on_load").texts
    shown = session.turn_to(own_run.dataset.first().id)
    assert "Run “zs” is not finished: other images have no result yet." in shown.notes and shown.plots


def test_state__a_file_that_changed_and_one_that_is_gone(own_run, tmp_path):
    sample = own_run.dataset.first()
    path = tmp_path / "bird.jpg"
    path.write_bytes(Path(sample.filepath).read_bytes())
    sample.filepath = str(path)
    sample.save()
    session = PanelSession(URI, own_run.dataset, sample.id)
    assert not session.send("on_load").notes
    from PIL import Image

    Image.new("RGB", (300, 200), (10, 200, 30)).save(path)
    shown = session.send("on_load")
    assert "The file has changed since it was classified" in shown.words and shown.plots["map"]
    path.write_bytes(b"no picture")
    shown = session.send("on_load")
    assert "There are no pictures: the file is not an image that can be read" in shown.words
    path.unlink()
    shown = session.send("on_load")
    assert "There are no pictures: the file does not exist" in shown.words
    assert session.send("click_frame", id="0").tables["leads"] and "strip" in shown.plots and "map" not in shown.plots
    assert not shown.plots["strip"]["layout"]["images"]


def test_state__regions_that_are_not_stored_leave_the_boxes(images, demo_encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    run = classified(images[:4], demo_encoder, store_regions=False)
    try:
        sample = run.dataset.first()
        session = PanelSession(URI, run.dataset, sample.id)
        shown = session.send("on_load")
        assert "only the boxes stored on the sample" in shown.words
        frames = shown.plots["strip"]["data"][0]["customdata"]
        boxes = sample.zs_regions.detections
        assert sorted(row[2] for row in frames) == pytest.approx(sorted(box.weight for box in boxes))
        assert rows(shown.tables["answers"], "method")[0] == "CLIP"
        assert session.send("click_frame", id="0").tables == shown.tables  # no what if
        assert session.send("take_misleading").tables == shown.tables
    finally:
        run.dataset.delete()


def test_state__a_cloned_dataset_has_boxes_and_no_embeddings(run, case):
    clone = run.dataset.clone()
    try:
        same = clone.match(fo.ViewField("filepath") == run.dataset[case.sample_id].filepath).first()
        shown = PanelSession(URI, clone, same.id).send("on_load")
        assert "only the boxes stored on the sample" in shown.words and shown.plots["strip"]
        assert rows(shown.tables["answers"], "label") == [case.labels[name] for name in METHODS]
    finally:
        clone.delete()


def test_state__a_run_that_looks_at_whole_images_only(own_run):
    own_run.rescore(methods=("clip", "clip_d"), run_key="plain", progress=False)
    session = PanelSession(URI, own_run.dataset, own_run.dataset.first().id)
    shown = session.send("on_load")
    assert "there are no regions to show" in shown.words
    assert rows(shown.tables["answers"], "method") == ["CLIP"] and "strip" not in shown.plots


@pytest.mark.parametrize("methods", [("clip", "lgca"), ("clip", "wca"), ("lgca_d",)])
def test_state__a_run_that_lacks_methods(own_run, methods):
    own_run.rescore(methods=methods, run_key="some", progress=False)
    session = PanelSession(URI, own_run.dataset, own_run.dataset.first().id)
    shown = session.send("on_load")
    assert shown.plots["strip"] and len(shown.tables["answers"]) == len(methods)
    assert len(session.send("click_frame", id="0").tables["leads"]) == len(methods)
    assert state_of(session, "method") == methods[-1]
    assert not [label for label in shown.buttons if "misleading" in label]


def test_state__a_video_is_not_an_image(run):
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath="/nowhere/film.mp4"))
    try:
        shown = PanelSession(URI, dataset, dataset.first().id).send("on_load")
        assert "No zero-shot run yet" in shown.texts
    finally:
        dataset.delete()
    mixed = fo.Dataset()
    mixed.add_group_field("group", default="image")
    group = fo.Group()
    image, film = (
        fo.Sample(filepath=path, group=group.element(name))
        for path, name in ((run.dataset.first().filepath, "image"), ("/nowhere/film.mp4", "film"))
    )
    mixed.add_samples([image, film])
    try:
        with_run = lgca.classify(mixed, classes=CLASSES, regions=SMALL, run_key="zs", encoder="demo", progress=False)
        assert with_run.results["predicted"] == 1
        shown = PanelSession(URI, mixed, film.id, group_slice="film").send("on_load")
        assert "Not an image" in shown.texts
    finally:
        mixed.delete()


def test_state__two_hundred_classes_with_long_names(own_run):
    many = [f"a bird of the species number {at} with a name that is rather long, as some are" for at in range(200)]
    own_run.rescore(classes=many, descriptions={}, run_key="many", methods=("clip", "wca", "lgca"), progress=False)
    session = PanelSession(URI, own_run.dataset, own_run.dataset.first().id)
    shown = session.send("on_load")
    assert shown.lists["first"] == many and shown.plots["strip"] and shown.plots["descriptions"]
    shown = session.send("pick_second", value=many[150])
    assert state_of(session, "second") == many[150]
