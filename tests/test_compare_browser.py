"""The panel that compares methods in the real App: everything that can be clicked is; screenshots in artifacts/."""

import uuid

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images

pytestmark = pytest.mark.app

COUNT, WRONG_EVERY = 72, 9
PANEL = "Compare zero-shot methods"


@pytest.fixture(scope="module")
def birds(tmp_path_factory, demo_encoder):
    """Drawn birds, every ninth of them labelled wrongly, and a file that is no image. Persistent, for the App."""
    dataset = fo.Dataset(f"compared-{uuid.uuid4().hex[:8]}", persistent=True)
    pictures = draw_images(tmp_path_factory.mktemp("compared"), count=COUNT, seed=7)
    labels = [
        CLASSES[(CLASSES.index(picture.truth) + 3) % len(CLASSES)] if at % WRONG_EVERY == 0 else picture.truth
        for at, picture in enumerate(pictures)
    ]
    broken = tmp_path_factory.mktemp("broken") / "broken.jpg"
    broken.write_bytes(b"no image")
    samples = [
        fo.Sample(filepath=picture.path, truth=fo.Classification(label=label), number=at)
        for at, (picture, label) in enumerate(zip(pictures, labels, strict=True))
    ]
    dataset.add_samples([*samples, fo.Sample(filepath=str(broken), number=COUNT)])
    lgca.classify(
        dataset,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        encoder=demo_encoder,
        regions=lgca.RegionConfig(crops=14, scale_min=0.15, scale_max=0.6),
        ground_truth="truth",
        run_key="birds",
        progress=False,
    )
    dataset.save_view("first fifty", dataset.match(F("number") < 50))
    yield dataset
    fo.delete_dataset(dataset.name)


class Compare:
    """What a person does with the panel."""

    def __init__(self, app):
        self.app, self.page = app, app.page

    def open(self, address=None):
        page = self.page
        if address:
            page.goto(address, wait_until="domcontentloaded")
            page.locator("[data-cy=new-panel-btn]").first.wait_for()
            self.app.dismiss_popups()
        page.locator("[data-cy=new-panel-btn]").first.click()
        page.locator("[data-cy=new-panel-option-lgca_compare]").first.click()

    def press(self, name, at=0):
        self.page.get_by_role("button", name=name, exact=True).nth(at).click()

    def has(self, words):
        self.page.get_by_text(words).first.wait_for()

    def gone(self, words):
        self.page.get_by_text(words).first.wait_for(state="detached")

    def shown(self, words="Showing"):
        """The sentence about what is shown, once the grid shows it; how many samples that are."""
        line = self.page.get_by_text(words).first
        line.wait_for()
        sentence = line.inner_text()
        count = int(sentence.split()[1].replace(",", ""))
        self.grid_has(count)
        return sentence, count

    def grid_has(self, count):
        """Waits until the grid says that it shows so many samples."""
        word = "sample" if count == 1 else "samples"
        self.page.locator("[data-cy=entry-counts]").get_by_text(f"{count} {word}").wait_for()

    def back(self):
        button = self.page.get_by_role("button", name="Back to your view")
        button.click()
        button.wait_for(state="detached")

    def plot(self, at):
        plot = self.page.locator(".js-plotly-plot").nth(at)
        plot.scroll_into_view_if_needed()
        return plot

    def area(self, at):
        """The drawing area of a plot, once it no longer moves, as a function from shares of it to the page's pixels."""
        plot = self.plot(at)
        drag = plot.locator(".nsewdrag").first
        box = None
        while box != drag.bounding_box():
            box = drag.bounding_box()
            self.page.wait_for_timeout(100)
        return lambda x, y: (box["x"] + x * box["width"], box["y"] + y * box["height"])

    def click_at(self, point):
        self.page.mouse.move(point[0] - 3, point[1])
        self.page.mouse.move(*point)
        self.page.mouse.down()
        self.page.mouse.up()

    def choose(self, label, value):
        self.page.locator(f"xpath=//*[text()='{label}']/following::*[@role='combobox'][1]").click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def overflow(self):
        """How many pixels of the panel's page stick out of it, and of the texts and buttons in it."""
        return self.page.evaluate(
            """() => {
                const panel = [...document.querySelectorAll('.js-plotly-plot')][0].closest('[data-cy=panel-container]')
                    || [...document.querySelectorAll('.js-plotly-plot')][0].parentElement.parentElement.parentElement;
                const right = document.documentElement.clientWidth;
                return Math.max(...[...panel.querySelectorAll('*')]
                    .filter(e => !e.closest('.js-plotly-plot')).map(e => e.getBoundingClientRect().right - right));
            }"""
        )


@pytest.fixture
def compare(address, failed, request):
    """The App at 1280 pixels wide, as on a small laptop."""
    from app_harness import App, browser_page

    with browser_page(width=1280, height=1000) as page:
        app = App(page, address)
        yield Compare(app)
        if failed():
            app.screenshot(f"failed_{request.node.name}")


def test_compare__everything_that_can_be_clicked(compare, birds):
    page, app = compare.page, compare.app
    compare.app.open_dataset(birds.name)
    compare.open()
    compare.has("Do the methods agree?")
    compare.plot(2).locator(".scatterlayer .trace").first.wait_for()
    assert compare.overflow() <= 0
    assert page.get_by_role("button", name="Label is right").count() == 0
    compare.page.get_by_text("A triage finds them").first.scroll_into_view_if_needed()
    app.screenshot("compare_untriaged")
    compare.press("Triage this run")
    page.get_by_text("predicted samples; clip, wca and lgca are compared").wait_for()
    app.submit("Triage")
    page.get_by_text("samples triaged in").first.wait_for(timeout=120_000)
    app.close_dialog()
    compare.has("Label is right")  # the panel has followed

    run = lgca.load_run(birds, "birds")
    triage = run.last_triage()
    suspects = triage.suspects().values("id")
    birds.reload()
    compare.back_to_all()
    app.screenshot("compare")


def ids_of_tiles(page):
    """The names of the files that the grid shows."""
    return page.locator("[data-cy=looker]").count()
