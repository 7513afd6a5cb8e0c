"""The menu above the grid in the real App: two clicks to a form; screenshots in ``artifacts/``."""

import uuid

import fiftyone as fo
import pytest

from lgca_plugin.demo.dataset import draw_images
from tests.helpers.worlds.birds import bird_dataset
from tests.helpers.worlds.overview import new_run

PAGE_SIZE = 1280, 900


@pytest.fixture
def birds(tmp_path):
    """Drawn birds and a run that no image was classified in, on more than nine hundred samples."""
    pictures = draw_images(tmp_path, count=12, seed=7)
    dataset = bird_dataset(pictures, persistent=True)
    dataset.add_samples([fo.Sample(filepath=f"/nowhere/{uuid.uuid4().hex}.jpg") for _ in range(980)])
    yield dataset
    fo.delete_dataset(dataset.name)


def test_menu__one_button_above_the_grid_opens_every_form(app, birds):
    page = app.page
    app.open_dataset(birds.name)
    menu = app.open_menu()
    found = menu.get_by_role("button").all_inner_texts()
    assert found == ["Find wrong labels", "Classify", "Describe classes", "Cancel"]
    app.screenshot("menu_no_run")
    menu.get_by_role("button", name="Cancel").click()
    menu.wait_for(state="hidden")

    new_run(["tern", "gull"], dataset=birds, ground_truth=None)
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
