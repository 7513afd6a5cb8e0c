"""Rescoring a run in the real App, as a person would; screenshots in artifacts/."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import METHODS, bird_dataset, classify_birds

PAGE_SIZE = 1600, 1400

LABEL = "Rescore a zero-shot run"
SMALL = lgca.RegionConfig(crops=14)
COUNT = 60
GONE = ("blue tit", "redpoll")
REFUSED_UNTIL_THERE = """() => document.body.textContent.includes('Equally good')
    || [...document.querySelectorAll('button')].some(one => one.textContent === 'Rescore' && one.disabled)"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("birds"), count=COUNT, seed=7)


@pytest.fixture
def run(pictures, demo_encoder):
    """A run on drawn birds."""
    labels = {"ground_truth": [one.label for one in pictures], "truth": [one.truth for one in pictures]}
    dataset = bird_dataset(pictures, persistent=True, **labels)
    yield classify_birds(dataset, demo_encoder, methods=METHODS, regions=SMALL, ground_truth="ground_truth")
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_rescore__with_another_class_list_in_place(app, run):
    page, dataset = app.page, run.dataset
    position = dataset.values("birds_lgca.label").index("blue tit")
    app.open_dataset(dataset.name)
    app.toggle_field("birds_lgca")
    tiles = page.locator("[data-cy=looker]")
    shown = tiles.nth(position).locator("[data-cy=tag-birds_lgca]")
    shown.wait_for()
    assert shown.inner_text() == "blue tit"

    app.open_operator(LABEL)
    page.get_by_text(f"{COUNT} samples, and no image is encoded").first.wait_for()
    app.screenshot("rescore_form")
    page.get_by_role("tab", name="Edit").click()
    names = page.get_by_role("dialog").locator("textarea").first
    assert app.wait_for_value(names).split("\n") == list(CLASSES)
    fewer = [name for name in CLASSES if name not in GONE]
    names.fill("\n".join([*fewer, fewer[0]]))
    page.get_by_text(f"class {fewer[0]!r} is given twice").first.wait_for()
    app.wait_until_refused("Rescore")
    names.fill("\n".join(fewer))
    page.get_by_text("2 left out: blue tit, redpoll").first.wait_for()
    page.get_by_role("tab", name="In place of run 'birds'").click()
    page.get_by_text("The labels and boxes of run 'birds' are replaced").first.wait_for()
    app.screenshot("rescore_classes")
    app.submit("Rescore")
    page.get_by_text(f"Run 'birds': {COUNT} predicted of {COUNT} images").wait_for(timeout=120_000)
    page.get_by_text(f"{COUNT} images, none encoded").first.wait_for()
    app.screenshot("rescore_done")

    dataset.reload()
    assert lgca.list_runs(dataset) == ["birds"]
    assert lgca.load_run(dataset, "birds").config.classes == tuple(fewer)
    assert not set(GONE) & set(dataset.distinct("birds_lgca.label"))
    app.close_dialog()
    now = dataset.values("birds_lgca.label")[position]
    shown.get_by_text(now, exact=True).first.wait_for()
    app.screenshot("rescore_grid")
    tiles.nth(position).click()
    regions = page.locator("[data-cy=modal]").locator("[data-cy=birds_regions-field]")
    regions.wait_for()
    boxes = len(dataset.values("birds_regions.detections")[position])
    assert regions.locator("[data-cy=entry-count-all]").inner_text() == str(boxes)
    app.screenshot("rescore_sample")


@pytest.mark.thorough
def test_rescore__with_changed_settings_as_a_new_run(app, run):
    page, dataset = app.page, run.dataset
    dataset.info["lgca_descriptions"] = {name: [f"a small {name}."] for name in CLASSES}
    dataset.save()
    app.open_dataset(dataset.name)
    app.open_operator(LABEL)
    page.get_by_role("tab", name="Saved on the dataset").click()
    page.get_by_text("Descriptions of 12 classes, saved in dataset.info").first.wait_for()
    page.get_by_role("tab", name="Change").click()
    scale = app.field("wca: image scale")
    assert app.wait_for_value(scale) == "4"
    scale.fill("99")
    page.get_by_text("image scale is an exponent and must be in [-20, 20], got 99").first.wait_for()
    app.wait_until_refused("Rescore")
    scale.fill("")
    page.get_by_text("image scale is an exponent").first.wait_for(state="detached")
    scale.fill("2.5")
    app.field("lgca: step weights").fill("1, 2")
    page.get_by_text("step weights of lgca must be 3 numbers, one a step").first.wait_for()
    app.screenshot("rescore_bad_weights")
    app.field("lgca: step weights").fill("1, 2, 4")
    page.get_by_text("step weights of lgca must be").first.wait_for(state="detached")
    app.screenshot("rescore_change")
    app.submit("Rescore")
    page.get_by_text(f"Run 'birds_2': {COUNT} predicted of {COUNT} images").wait_for(timeout=120_000)
    dataset.reload()
    rescored = lgca.load_run(dataset, "birds_2")
    assert rescored.descriptions["redpoll"] == ["a small redpoll."]
    methods = {method.name: method for method in rescored.config.methods}
    assert (methods["wca"].image_scale, methods["lgca"].image_scale) == (2.5, 4.0)
    assert methods["lgca"].step_weights == (1.0, 2.0, 4.0)
    app.close_dialog()
    app.toggle_field("birds_2_wca")
    page.locator("[data-cy=looker]").first.locator("[data-cy=tag-birds_2_wca]").wait_for()


@pytest.mark.thorough
def test_rescore__with_suggested_settings(app, run):
    page, dataset = app.page, run.dataset
    report = run.sweep("truth", max_samples=1000, progress=False)
    better = {choice.group for choice in report.choices if choice.gain.low > 0}
    own = {method.name: method for method in run.config.methods}
    filled_in = {name: report.chosen[name] if name in better else own[name] for name in ("wca", "lgca")}
    app.open_dataset(dataset.name)
    app.open_operator(LABEL)
    with app.bringing_up("Trying settings on the samples with a label in ground_truth"):
        page.get_by_role("tab", name="Suggest from labels").click()
    app.screenshot("rescore_trying")
    page.wait_for_function(REFUSED_UNTIL_THERE)
    page.get_by_text("Equally good").wait_for(timeout=120_000)
    page.locator("xpath=//*[text()='Labels to choose by']/following::*[@role='combobox'][1]").click()
    with app.bringing_up("Trying settings on the samples with a label in truth"):
        page.get_by_role("option", name="truth", exact=True).click()
    page.get_by_text("Equally good").wait_for(timeout=120_000)
    page.get_by_text("on these samples:").first.wait_for()
    scale = app.field("lgca: text scale")
    assert float(app.wait_for_value(scale)) == filled_in["lgca"].text_scale
    app.screenshot("rescore_suggested")
    scale.fill("3.25")
    page.get_by_role("dialog").get_by_text("no image is encoded").last.scroll_into_view_if_needed()
    app.screenshot("rescore_suggested_below")
    app.submit("Rescore")
    page.get_by_text(f"Run 'birds_2': {COUNT} predicted of {COUNT} images").wait_for(timeout=120_000)
    dataset.reload()
    methods = {method.name: method for method in lgca.load_run(dataset, "birds_2").config.methods}
    assert methods["wca"] == filled_in["wca"]
    assert methods["lgca"].text_scale == 3.25
    assert methods["lgca"].image_scale == filled_in["lgca"].image_scale
