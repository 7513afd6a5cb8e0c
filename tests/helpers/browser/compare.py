"""The compare panel on the App's page, as a person uses it."""

import contextlib
import re
from itertools import pairwise

PANEL = "Compare zero-shot methods"


class ComparePage:
    """What a person does with the panel beside the grid."""

    def __init__(self, app):
        self.app, self.page = app, app.page

    def open(self):
        """Opens the panel from the list beside the tabs, unless the App has kept it open on this dataset."""
        if not self.page.locator("[data-cy^='panel-tab-']").get_by_text(PANEL).count():
            self.app.open_panel("lgca_compare")

    def press(self, name, at=0):
        self.page.get_by_role("button", name=name, exact=True).nth(at).click()

    def has(self, words):
        self.page.get_by_text(words).first.wait_for()

    def shown(self, words):
        """The sentence about what is shown, once the grid shows it; how many samples that are."""
        line = self.page.get_by_text(re.compile(f"^Showing .*{words}")).first
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

    def click_at(self, find):
        """Clicks into a plot, at the place that ``find`` gives, once the plot says what is there."""
        hover = self.page.locator(".js-plotly-plot .hoverlayer .hovertext").first
        self.page.mouse.move(5, 5)
        hover.wait_for(state="detached")
        while not hover.is_visible():  # what is clicked on is what the pointer was found to be on
            point = find()
            self.page.mouse.move(point[0] - 2, point[1] - 1)
            self.page.mouse.move(*point)
            self.page.wait_for_timeout(200)
        self.page.mouse.down()
        self.page.mouse.up()

    def draw_around(self, corners):
        """Draws a line with the lasso."""
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for start, end in pairwise(corners):
            for part in range(1, 6):
                self.page.mouse.move(*(a + (b - a) * part / 5 for a, b in zip(start, end, strict=True)))
        self.page.mouse.up()

    def a_cell(self, at):
        """A cell off the diagonal of the heatmap with a number in it: the number, and where it is."""
        texts = self.plot(at).locator(".textpoint text")
        boxes = [(texts.nth(i).text_content(), texts.nth(i).bounding_box()) for i in range(texts.count())]
        number, box = min(((int(words), box) for words, box in boxes), key=lambda one: one[0])
        return number, (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def a_point(self, at):
        """Where the middle of a point of the scatter plot is."""
        box = self.plot(at).locator(".scatterlayer .trace .point").last.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def select(self, at):
        """Selects a sample of the grid."""
        tile = self.page.locator("[data-cy=looker]").nth(at)
        tile.hover()
        tile.click(position={"x": 18, "y": 18})

    def settled(self):
        """Waits until what is seen no longer changes."""
        self.app.picture_of(self.page.locator("body"))

    def choose(self, label, value):
        """Chooses a value of the list under a label; an event that is answered meanwhile may close the list again."""
        option = self.page.get_by_role("option", name=value, exact=True)
        for _ in range(8):
            with contextlib.suppress(Exception):
                self.page.locator(f"xpath=//*[text()='{label}']/following::*[@role='combobox'][1]").click(timeout=5_000)
                option.click(timeout=5_000)
                return
        raise AssertionError(f"{value!r} can't be chosen under {label!r}")

    def chosen(self, label):
        """What is chosen in the list under a label, once it is another than the first method."""
        box = self.page.locator(f"xpath=//*[text()='{label}']/following::*[@role='combobox'][1]")
        box.get_by_text(re.compile("^(?!CLIP)")).or_(box.filter(has_not_text="CLIP")).first.wait_for()
        return box.inner_text()

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
