"""Wrong labels of boxes in the real App: in its view of patches they are found, shown, reviewed and corrected."""

import re

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.flocks import load_flocks_dataset
from tests.helpers.browser.review import ReviewPage

PAGE_SIZE = 1280, 900


@pytest.fixture
def flocks(tmp_path):
    """Pictures of birds with boxes, a tenth of which have a wrong label."""
    dataset = load_flocks_dataset(tmp_path, "flocks-in-the-app", count=12, seed=11)
    dataset.persistent = True  # the App's server is another process
    yield dataset
    for name in fo.list_datasets(f"{dataset.name}*"):
        fo.delete_dataset(name)


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
