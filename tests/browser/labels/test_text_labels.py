"""Labels that are plain texts in the real App: found by themselves, searched, reviewed and corrected; screenshots."""

import re

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset

PAGE_SIZE = 1280, 900

pytestmark = pytest.mark.thorough


@pytest.fixture
def birds(tmp_path):
    """Thirty-six pictures of the demo, two with a wrong label, with the names of their classes in ``species``."""
    dataset = load_demo_dataset("texts-in-the-app", tmp_path / "birds", count=36, overwrite=True)
    dataset.add_sample_field("species", fo.StringField)
    dataset.set_values("species", dataset.values("ground_truth.label"))
    dataset.add_sample_field("split", fo.StringField)
    dataset.set_values("split", ["train", "val"] * 18)
    dataset.delete_sample_fields(["ground_truth", "truth"])
    yield dataset
    fo.delete_dataset(dataset.name)


def test_text_labels__are_found_searched_and_corrected(app, birds):
    page, given = app.page, birds.values("species")
    app.open_dataset(birds.name)
    app.open_operator("Find wrong labels")
    app.wait_until_ready("Find wrong labels")
    page.get_by_role("combobox").filter(has_text="species").wait_for()
    app.screenshot("texts_form")
    app.submit("Find wrong labels")
    page.get_by_text(re.compile(r"of 36 labels looks? wrong\.$")).first.wait_for(timeout=300_000)
    app.screenshot("texts_answer")
    page.get_by_role("dialog").get_by_role("button", name="Review labels").click()
    page.get_by_role("button", name=re.compile("^Change to ")).first.wait_for()
    app.screenshot("texts_review")

    birds.reload()
    triage = lgca.load_run(birds, "zeroshot").last_triage()
    first = triage.suspects().first()
    suggested = first["zeroshot_suggestion"].label
    page.get_by_role("button", name=f"Change to {suggested}").first.click()
    page.get_by_text(re.compile("^1 of .* reviewed, 1 changed")).first.wait_for()
    app.screenshot("texts_changed")
    birds.reload()
    corrected = birds.values("species_corrected")
    assert [own for own, new in zip(given, corrected, strict=True) if own != new] == [first["species"]]
    assert birds[first.id]["species_corrected"] == suggested and birds.values("species") == given
