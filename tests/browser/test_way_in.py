"""From the grid to a changed label in the real App, by a person who knows no more than the words on the screen."""

import re

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset

PAGE_SIZE = 1280, 800
MOST_CLICKS = 6
SEARCHED = 180_000  # milliseconds


@pytest.fixture
def birds(tmp_path):
    """The demo's dataset as it is drawn: no run, no decision, and nothing that the App remembers of it."""
    dataset = load_demo_dataset("way-in", tmp_path, count=72)
    yield dataset
    fo.delete_dataset(dataset.name)


class Stranger:
    """Clicks on words, and counts the clicks."""

    def __init__(self, app):
        self.app, self.page, self.clicks = app, app.page, 0

    def click(self, words, *, timeout=60_000):
        """Clicks on a button of the dialog in front if there is one, else on words of the page."""
        dialogs = self.page.get_by_role("dialog")
        found = dialogs.last.get_by_role("button", name=words) if dialogs.count() else self.page.get_by_text(words)
        target = found.first
        target.wait_for(timeout=timeout)
        self.app.picture_of(target)  # people press what no longer moves
        target.click(timeout=timeout)
        self.clicks += 1


def changed_labels(dataset):
    """The corrected labels that are not the given ones."""
    dataset.reload()
    pairs = zip(*dataset.values(["ground_truth.label", "ground_truth_corrected.label"]), strict=True)
    return [(given, corrected) for given, corrected in pairs if corrected not in (None, given)]


def finish(app, stranger, dataset):
    """Starts the search, and changes the first suspect's label; returns what it became."""
    app.wait_until_ready("Find wrong labels")
    stranger.click(re.compile("^Find wrong labels$"))
    app.page.get_by_text("labels look wrong").first.wait_for(timeout=SEARCHED)
    behind = app.page.locator("[data-cy=panel-content-lgca_review]")
    behind.get_by_text(re.compile("^Change to")).first.wait_for()  # behind the answer, the review is ready
    app.screenshot("way_in_found")
    stranger.click(re.compile("^Review labels$"))
    change = app.page.get_by_role("button", name=re.compile("^Change to"))
    change.first.wait_for()  # a dialog in front hides it from whoever reads the screen
    label = change.first.inner_text().removeprefix("Change to ")
    stranger.click(re.compile("^Change to"))
    app.page.get_by_text(re.compile("1 of .* reviewed, 1 changed")).first.wait_for()
    app.screenshot("way_in_changed")
    [(_, corrected)] = changed_labels(dataset)
    assert corrected == label
    return label


def test_way_in__from_the_grid_to_a_changed_label_in_six_clicks(app, birds):
    stranger = Stranger(app)
    app.open_dataset(birds.name)
    stranger.click(re.compile("^Wrong labels$"))
    stranger.click(re.compile("^Find wrong labels$"))
    finish(app, stranger, birds)
    assert stranger.clicks <= MOST_CLICKS
    [key] = lgca.list_runs(birds)
    assert lgca.load_run(birds, key).last_triage().left()["accepted"] == 1


@pytest.mark.thorough
def test_way_in__by_the_operator_browser_and_the_word_mistake(app, birds):
    stranger, page = Stranger(app), app.page
    app.open_dataset(birds.name)
    page.keyboard.press("Backquote")
    search = page.get_by_placeholder(re.compile("search operations", re.IGNORECASE))
    search.wait_for()
    page.keyboard.type("mistake")
    app.screenshot("way_in_mistake")
    page.get_by_text("Find wrong labels", exact=True).first.wait_for()
    page.keyboard.press("Enter")  # the first entry
    finish(app, stranger, birds)
    assert stranger.clicks <= MOST_CLICKS
