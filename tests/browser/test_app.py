"""The App as a person uses it: a real server, a real database, a real browser. Screenshots land in artifacts/."""

import json
import time

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset

LABELS = "ground_truth.label"
LABEL = "Classify zero-shot (CLIP, WCA, LGCA)"
COUNT = 500


@pytest.fixture(scope="module")
def birds(demo_images):
    """24 drawn birds and no run."""
    dataset = bird_dataset(demo_images, persistent=True, ground_truth=[image.label for image in demo_images])
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.fixture
def app(app, birds):
    """The birds, without a run."""
    app.open_dataset(birds.name)
    yield app
    birds.reload()
    for key in lgca.list_runs(birds):
        lgca.load_run(birds, key).delete()


def test_app__opens_without_a_dataset(app_at, new_address):
    """In an App that has just started: it would open the dataset that was open last."""
    app = app_at(new_address)
    app.open_home()
    app.page.get_by_placeholder("Select dataset").wait_for()
    app.screenshot("home")


@pytest.mark.thorough
def test_classify__an_error_on_the_way_is_shown_in_the_dialog(app, birds, tmp_path):
    broken = tmp_path / "weights.pt"
    broken.write_bytes(b"these are no weights")
    app.open_operator(LABEL)
    app.page.get_by_role("tab", name="Checkpoint file").click()
    app.field("Path of the checkpoint").fill(str(broken))
    app.page.get_by_text("there is no file").first.wait_for(state="detached")
    app.submit("Classify")
    app.page.get_by_text("The run has stopped").wait_for(timeout=120_000)
    app.page.get_by_text("weights.pt").first.wait_for()
    app.screenshot("classify_stopped")
    birds.reload()
    assert birds.list_runs() == []


@pytest.mark.thorough
def test_classify__with_descriptions_from_an_uploaded_file(app, birds, tmp_path):
    page = app.page
    described = {name.upper(): ["a yellow breast", "a bird with a blue cap."] for name in birds.distinct(LABELS)}
    good, bad = tmp_path / "birds.json", tmp_path / "table.json"
    good.write_text(json.dumps(described))
    bad.write_text('{"blue tit": "a yellow breast"}')
    app.open_operator(LABEL)
    page.get_by_role("tab", name="Demo model").click()
    page.get_by_role("tab", name="Upload a file").click()
    page.get_by_text("choose a JSON file that maps each class to a list of texts", exact=True).first.wait_for()
    page.locator("input[type=file]").set_input_files(bad)
    page.get_by_text("descriptions of 'blue tit' must be a list of texts, got a text").first.wait_for()
    app.screenshot("classify_bad_upload")
    app.wait_until_refused("Classify")

    page.locator("input[type=file]").set_input_files(good)
    page.get_by_text("must be a list of texts, got a text").first.wait_for(state="detached")
    line = "24 texts: 12 put into a sentence with their class, such as \u201c"
    page.get_by_text(line).wait_for()
    page.get_by_role("tab", name="Whole texts").click()
    page.get_by_text("24 texts, each used as it is, such as \u201ca yellow breast\u201d").wait_for()
    page.get_by_role("tab", name="Each by itself").click()
    page.get_by_text(line).wait_for()
    app.screenshot("classify_upload")
    app.submit("Classify")
    page.get_by_text("Run 'zeroshot': 24 predicted of 24 images").wait_for(timeout=180_000)
    birds.reload()
    run = lgca.load_run(birds, "zeroshot")
    assert run.summary()["templates"] == []
    assert run.descriptions["blue tit"][0] == "blue tit, which has a yellow breast."


def test_delete__from_the_menu(app, birds, demo_encoder):
    lgca.classify(
        birds,
        ground_truth="ground_truth",
        encoder=demo_encoder,
        methods=["clip"],
        regions=lgca.RegionConfig(crops=1, steps=0),
        progress=False,
    )
    app.open_operator("Delete a zero-shot run")
    app.page.get_by_text("The fields zeroshot_clip, zeroshot_error of 24 predicted samples").first.wait_for()
    app.page.get_by_text("Tick “Delete run 'zeroshot' for good”").first.wait_for()
    app.screenshot("delete_form")
    app.page.get_by_role("checkbox").last.check()
    app.submit("Delete")
    app.page.get_by_text("Run 'zeroshot' and its fields are deleted").first.wait_for()
    birds.reload()
    assert lgca.list_runs(birds) == []
    assert "zeroshot_clip" not in birds.get_field_schema()


@pytest.mark.thorough
def test_classify__from_the_operator_browser_to_labels_and_boxes(app, birds):
    page = app.page
    assert birds.list_runs() == []
    app.open_operator(LABEL)
    page.get_by_text("24 images x 87 encodes = 2,088 encodes").first.wait_for()
    page.get_by_role("tab", name="Demo model").click()
    page.get_by_text("A tiny model for the demo's drawn birds").first.wait_for()
    app.screenshot("classify_form")

    with app.bringing_up("Loading the model|[0-9]+ of 24 images"):
        app.submit("Classify")
    app.screenshot("classify_progress")
    page.get_by_text("Run 'zeroshot': 24 predicted of 24 images").wait_for(timeout=180_000)
    app.screenshot("classify_done")

    birds.reload()
    run = lgca.load_run(birds, "zeroshot")
    assert run.summary()["status"] == "done"
    assert birds.count("zeroshot_lgca") == 24
    assert birds.count("zeroshot_regions.detections") > 24

    app.close_dialog()
    bird = birds.first()
    tile = page.locator("[data-cy=looker]").first
    assert tile.locator("[data-cy=tag-zeroshot_lgca]").count() == 0, "predictions are one click away"
    for field in ("ground_truth", "zeroshot_clip", "zeroshot_wca", "zeroshot_lgca"):
        if field != "ground_truth":
            app.toggle_field(field)
        label = tile.locator(f"[data-cy=tag-{field}]")
        label.wait_for()
        assert label.inner_text() == bird[field].label
    without_boxes = app.picture_of(tile)
    app.screenshot("classify_grid")
    app.toggle_field("zeroshot_regions")
    assert app.picture_of(tile) != without_boxes

    tile.click()
    modal = page.locator("[data-cy=modal]")
    regions = modal.locator("[data-cy=zeroshot_regions-field]")
    regions.wait_for()
    assert regions.locator("[data-cy=entry-count-all]").inner_text() == str(len(bird.zeroshot_regions.detections))
    tooltip = page.get_by_text("similarity", exact=True)  # of the box under the pointer, once the picture is there
    for _ in range(30):
        modal.locator("[data-cy=sample-canvas]").hover()
        page.wait_for_timeout(1000)
        if tooltip.is_visible():
            break
        page.mouse.move(0, 0)
    tooltip.wait_for()
    app.screenshot("classify_sample")


@pytest.fixture
def many_birds(tmp_path):
    """Birds that no other run has seen, so that they take some time."""
    images = draw_images(tmp_path, count=COUNT, seed=71)
    dataset = bird_dataset(images, persistent=True, ground_truth=[image.label for image in images])
    yield dataset
    fo.delete_dataset(dataset.name)


def wait_for_state(dataset, name, seconds=120):
    deadline = time.monotonic() + seconds
    while True:
        dataset.reload()
        state = lgca.load_run(dataset, "zeroshot").state
        if state.name == name:
            return state
        assert time.monotonic() < deadline, f"not {name}, but {state}"
        time.sleep(0.2)


@pytest.mark.thorough
def test_cancel__beside_the_progress_and_in_the_menu_and_a_closed_page_ends_nothing(app, many_birds):
    page = app.page
    app.open_dataset(many_birds.name)
    app.open_operator(LABEL)
    page.get_by_role("tab", name="Demo model").click()
    app.submit("Classify")
    cancel = page.get_by_role("button", name="Cancel the run", exact=True)
    page.get_by_text(f"of {COUNT} images").first.wait_for()
    app.screenshot("cancel_progress")
    cancel.click()
    page.get_by_text("Cancelled", exact=True).first.wait_for()
    app.screenshot("cancel_done")
    state = wait_for_state(many_birds, "cancelled")
    assert "was cancelled by somebody in the App" in state.reason
    done = many_birds.count("zeroshot_lgca")
    assert 0 < done < COUNT

    page.get_by_role("button", name="Go on …").click()  # the same settings: it goes on
    page.get_by_role("button", name="Classify", exact=True).wait_for()
    app.submit("Classify")
    page.get_by_text("images/s").first.wait_for()
    page.reload()
    page.locator("[data-cy=looker]").first.wait_for()
    assert wait_for_state(many_birds, "running").progress
    dialog = app.open_menu()
    app.screenshot("cancel_menu")
    dialog.get_by_role("button", name="Cancel a run …").click()
    page.get_by_text("Being classified since").first.wait_for()
    app.screenshot("cancel_form")
    page.get_by_role("button", name="Stop the run", exact=True).wait_for()
    page.keyboard.press("Escape")
    wait_for_state(many_birds, "completed")
    assert many_birds.count("zeroshot_lgca") == COUNT
