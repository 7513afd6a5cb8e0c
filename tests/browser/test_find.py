"""The menu above the grid, and finding wrong labels, in the real App; screenshots in artifacts/."""

import re
import uuid

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import draw_images, load_demo_dataset
from lgca_plugin.demo.flocks import load_flocks_dataset
from tests.helpers.browser.review import ReviewPage
from tests.helpers.worlds.birds import bird_dataset
from tests.helpers.worlds.overview import new_run

PAGE_SIZE = 1280, 900


@pytest.fixture
def birds(tmp_path):
    """Thirty-six pictures of the demo, two of them with a wrong label."""
    dataset = load_demo_dataset("find-in-the-app", tmp_path / "birds", count=36, overwrite=True)
    yield dataset
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_find__from_the_operator_browser_to_the_review(app, birds):
    page = app.page
    app.open_dataset(birds.name)
    page.keyboard.press("Backquote")
    search = page.get_by_placeholder(re.compile("search operations", re.IGNORECASE))
    search.fill("mistake")
    page.get_by_text("Find wrong labels", exact=True).first.wait_for()
    app.screenshot("find_browser")
    search.press("Enter")  # the first of those found

    page.get_by_text("you can start without waiting for it").wait_for()
    app.wait_until_ready("Find wrong labels")
    app.screenshot("find_measuring")
    page.get_by_text(re.compile("^About .* for 36 pictures on this machine's CPU$")).wait_for()
    app.screenshot("find_form")
    with app.bringing_up("Images classified: .* (left|done)"):
        app.submit("Find wrong labels")
        page.get_by_text(re.compile(r"of 36 labels looks? wrong\.$")).first.wait_for(timeout=180_000)
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("CLIP, WCA, LGCA and decisive WCA agree on").wait_for()
    birds.reload()
    suspects = lgca.load_run(birds, "zeroshot").last_triage().suspects()
    assert dialog.locator("img").count() == min(6, len(suspects))
    dialog.get_by_text(suspects.first()["zeroshot_suggestion"].label, exact=True).first.wait_for()
    app.screenshot("find_answer")

    dialog.get_by_role("button", name="Review labels").click()
    dialog.wait_for(state="hidden")
    page.get_by_role("button", name=re.compile("^Change to ")).first.wait_for()
    app.screenshot("find_review")

    app.open_operator("Find wrong labels")
    page.get_by_text("A few seconds: all 36 pictures are classified already").wait_for()
    app.screenshot("find_again")
    app.submit("Find wrong labels")
    dialog.get_by_role("button", name="Undo this run …").click()
    page.get_by_text("This cannot be undone").wait_for()


@pytest.fixture
def many(tmp_path):
    """Drawn birds and a run that no image was classified in, on more than nine hundred samples."""
    pictures = draw_images(tmp_path, count=12, seed=7)
    dataset = bird_dataset(pictures, persistent=True)
    dataset.add_samples([fo.Sample(filepath=f"/nowhere/{uuid.uuid4().hex}.jpg") for _ in range(980)])
    yield dataset
    fo.delete_dataset(dataset.name)


def test_menu__one_button_above_the_grid_opens_every_form(app, many):
    page = app.page
    app.open_dataset(many.name)
    menu = app.open_menu()
    found = menu.get_by_role("button").all_inner_texts()
    assert found == ["Find wrong labels", "Classify", "Describe classes", "Cancel"]
    app.screenshot("menu_no_run")
    menu.get_by_role("button", name="Cancel").click()
    menu.wait_for(state="hidden")

    new_run(["tern", "gull"], dataset=many, ground_truth=None)
    page.reload()
    menu = app.open_menu()
    assert menu.get_by_role("button").last.inner_text() == "Cancel"  # what deletes stands last, before it
    assert menu.get_by_role("button").all_inner_texts()[-2] == "Delete a run …"
    app.screenshot("menu")
    menu.get_by_role("button", name="Delete a run").click()
    page.get_by_role("dialog").get_by_text("Delete a zero-shot run").wait_for()
    assert page.get_by_role("dialog").count() == 1  # the menu has closed
    app.close_dialog()
    app.open_menu().get_by_role("button", name="Compare methods").click()
    page.get_by_text("No predictions here").wait_for()
    page.get_by_role("dialog").wait_for(state="hidden")


@pytest.fixture
def flocks(tmp_path):
    """Pictures of birds with boxes, a tenth of which have a wrong label."""
    dataset = load_flocks_dataset(tmp_path, "flocks-in-the-app", count=12, seed=11)
    dataset.persistent = True  # the App's server is another process
    yield dataset
    for name in fo.list_datasets(f"{dataset.name}*"):
        fo.delete_dataset(name)


@pytest.mark.thorough
def test_boxes__found_in_the_patches_view_reviewed_and_corrected(app, flocks):
    page = app.page
    app.open_dataset(flocks.name)
    app.open_operator("Find wrong labels")
    page.get_by_text("the labels of this dataset are on boxes, in ground_truth").first.wait_for()
    app.screenshot("boxes_refused")
    app.close_dialog()
    page.locator("[data-cy=action-clips-patches]").click()
    app.screenshot("boxes_menu")
    page.get_by_text("ground_truth", exact=True).last.click()
    page.locator("[data-cy=entry-counts]").get_by_text(re.compile("patches")).wait_for()
    count = len(flocks.to_patches("ground_truth"))
    app.open_operator("Find wrong labels")
    page.get_by_text(re.compile(f"^About .* for {count} ")).wait_for(timeout=60_000)
    app.screenshot("boxes_form")
    app.submit("Find wrong labels")
    page.get_by_text(re.compile(rf"of {count} labels looks? wrong\.$")).first.wait_for(timeout=180_000)
    app.screenshot("boxes_answer")
    triage = lgca.load_run(flocks.to_patches("ground_truth"), "zeroshot").last_triage()
    suspects = triage.suspects()
    first = suspects.first()
    page.get_by_role("dialog").get_by_role("button", name="Review labels").click()
    panel = ReviewPage(app)
    panel.says(f"0 of {len(suspects)} reviewed, 0 changed")
    panel.picture("box")
    panel.press(f"Change to {first.ground_truth['zeroshot_suggestion']}")
    panel.says(f"1 of {len(suspects)} reviewed, 1 changed")
    flocks.reload()
    corrected = flocks.to_patches("ground_truth_corrected")[first.id].ground_truth_corrected.label
    assert corrected == first.ground_truth["zeroshot_suggestion"]
    assert flocks.to_patches("ground_truth")[first.id].ground_truth.label == first.ground_truth.label
    app.screenshot("boxes_corrected")
