"""A label that a copy of its picture contradicts, in the real App: from the search to the twin; a screenshot."""

from pathlib import Path
from types import SimpleNamespace

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.browser.review import ReviewPage
from tests.helpers.worlds.birds import bird_dataset, classify_birds

PAGE_SIZE = 1280, 800


@pytest.fixture
def triage(tmp_path, demo_encoder):
    """Drawings with right labels, and a copy of one of them with a wrong one."""
    pictures = draw_images(tmp_path, count=48, seed=3)
    copy = tmp_path / "from-another-folder.jpg"
    copy.write_bytes(Path(pictures[0].path).read_bytes())
    wrong = CLASSES[(CLASSES.index(pictures[0].truth) + 1) % len(CLASSES)]
    labels = [*(picture.truth for picture in pictures), wrong]
    dataset = bird_dataset([*pictures, SimpleNamespace(path=copy)], persistent=True, labels=labels)
    run = classify_birds(dataset, demo_encoder, regions=lgca.RegionConfig(crops=8), ground_truth="labels")
    yield run.triage(progress=False)
    fo.delete_dataset(dataset.name)


@pytest.mark.thorough
def test_review__of_a_label_that_a_copy_contradicts_shows_the_copy_and_opens_it(app, triage):
    dataset = triage.run.dataset
    first, copy = dataset.first(), dataset.last()
    panel = ReviewPage(app)
    app.open_dataset(dataset.name)
    panel.open()
    panel.shows(copy.filename)
    panel.says(f"Nearly the same picture is labelled “{first['labels'].label}”: usually one of the two is wrong.")
    panel.says(f"Nearly the same picture, labelled {first['labels'].label}")
    panel.picture("near_duplicate")
    panel.body.get_by_alt_text(first.filename).first.click()
    app.page.locator("[data-cy=modal]").wait_for()
    app.page.wait_for_url(f"**id={first.id}*")
