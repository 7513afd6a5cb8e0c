"""Takes the six pictures of the story in ``docs/story.md``, in the real App, on a dataset of drawings.

``make story`` runs it. The drawings vary more than the demo's, so that their crops mislead more often. It finds their
wrong labels, opens one image that was chosen by hand, accepts the suggestion for it, and undoes the decision at the
end, so that it can be run again.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import fiftyone as fo
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset
from lgca_plugin.demo.drawings import VARIED
from tests.helpers.browser.app import App, new_context, running_app, running_browser
from tests.helpers.paths import ROOT

DATASET, RUN, IMAGE = "lgca-story", "zeroshot", "bird-091.jpg"
PICTURES = ROOT / "docs" / "images"


class Story:
    """One page of the App, and the pictures of it."""

    def __init__(self, app: App) -> None:
        self.app, self.page = app, app.page
        self._taken = 0

    def picture(self, name: str) -> None:
        """Takes the next picture, once the page no longer changes."""
        self._taken += 1
        shot = Image.open(io.BytesIO(self.app.picture_of(self.page.locator("body")))).convert("RGB")
        shot.quantize(256).save(PICTURES / f"story_{self._taken}_{name}.png", optimize=True)  # a third of the size

    def press(self, name: str, at: int = 0) -> None:
        """Presses a button."""
        self.page.get_by_role("button", name=name, exact=True).nth(at).click()

    def wait_for(self, words: str) -> None:
        """Waits for a text."""
        self.page.get_by_text(words).first.wait_for()

    def fields(self, *shown: str, within: str = "body") -> None:
        """Shows the labels of these fields, and of no others."""
        for row in self.page.locator(f"{within} [data-cy$=-field]:has(input[type=checkbox])").all():
            box = row.locator("input[type=checkbox]").first
            if box.is_checked() != (str(row.get_attribute("data-cy")).removesuffix("-field") in shown):
                box.click()


def take_pictures(story: Story, sample: fo.Sample) -> None:
    """Does what the story describes, and takes its six pictures."""
    page = story.page
    story.app.open_dataset(DATASET)
    story.fields("ground_truth")
    story.picture("grid")

    page.locator("[data-cy=new-panel-btn]").first.click()
    page.locator("[data-cy=new-panel-option-lgca_compare]").first.click()
    story.wait_for("Do the methods agree?")
    story.press("Only WCA differs")
    story.wait_for("where only WCA differs")
    story.fields("ground_truth", f"{RUN}_wca", f"{RUN}_lgca")
    story.picture("disagreement")

    page.goto(f"{story.app.address}/datasets/{DATASET}?id={sample.id}", wait_until="domcontentloaded")
    page.locator("[data-cy=modal] [data-cy=new-panel-btn]").or_(
        page.locator("[data-cy=panel-tab-lgca_evidence]")
    ).first.wait_for()
    story.fields("ground_truth", f"{RUN}_wca", f"{RUN}_lgca", f"{RUN}_regions", within="[data-cy=modal]")
    story.picture("crops")

    tab = page.locator("[data-cy=panel-tab-lgca_evidence]")
    if not tab.count():
        page.locator("[data-cy=modal] [data-cy=new-panel-btn]").click()
        page.locator("[data-cy=new-panel-option-lgca_evidence]").click()
    tab.click()
    page.get_by_title("Split horizontally").first.click()
    story.wait_for("How crops grow")
    page.get_by_text("How crops grow").first.evaluate("one => one.scrollIntoView({block: 'start'})")
    story.picture("strip")

    page.get_by_role("button", name="that do it").click()
    story.wait_for("Without 2 regions")
    button = page.get_by_role("button", name=f"Change to “{sample[f'{RUN}_suggestion'].label}”")
    button.scroll_into_view_if_needed()
    story.picture("correction")
    button.click()
    story.wait_for("Changed: 1 sample")
    page.goto(f"{story.app.address}/datasets/{DATASET}?id={sample.id}", wait_until="domcontentloaded")
    story.wait_for("Decided: changed to")
    story.fields("ground_truth", "ground_truth_corrected", within="[data-cy=modal]")
    story.picture("result")


def main() -> int:
    """Finds wrong labels, takes the pictures, and undoes the decision."""
    os.environ["LOGNAME"] = "curator"  # who decides
    dataset = load_demo_dataset(DATASET, composition=VARIED)
    triage = lgca.find_wrong_labels(
        dataset, "ground_truth", run_key=RUN, methods=tuple(lgca.METHODS), budget="full", progress=False
    )
    sample = next(one for one in dataset if one.filepath.endswith(IMAGE))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_app(Path(folder)) as address,
        running_browser() as browser,
    ):
        page = new_context(browser, 1440, 1000).new_page()
        try:
            take_pictures(Story(App(page, address)), sample)
        except BaseException:
            page.screenshot(path=str(Path(tempfile.gettempdir()) / "story_stopped.png"))
            raise
        finally:
            dataset.reload()
            if any(row.sample_id == sample.id for row in triage.decisions()):
                triage.undo(sample_ids=sample.id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
