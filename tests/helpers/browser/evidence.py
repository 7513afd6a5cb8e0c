"""The evidence panel on the App's page, as a person uses it."""

import re

from tests.helpers.browser.app import ARTIFACTS

WIDTH, HEIGHT = 1280, 1500
MINUS = "\u2212"
STICKS_OUT = """() => {
    const panel = document.querySelector('[data-cy=panel-content-lgca_evidence]');
    const edge = panel.getBoundingClientRect().right + 1;
    return [...panel.querySelectorAll('*')].filter(one => {
        const box = one.getBoundingClientRect();
        return box.width && box.height && box.right > edge && !one.closest('svg');
    }).map(one => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`);
}"""


class EvidencePage:
    """What a person does with the panel beside a sample."""

    def __init__(self, app, dataset):
        self.app, self.page, self.dataset = app, app.page, dataset
        self.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
        self.page.set_default_timeout(20_000)  # generous: nothing here takes longer than some seconds
        self.body = self.page.locator("[data-cy=panel-content-lgca_evidence]")

    def open(self, sample_id, *, split=False):
        """Opens a sample and the panel, which is a tab above it, or, if the page came first, in the menu of panels."""
        page = self.page
        address = f"{self.app.address}/datasets/{self.dataset.name}?id={sample_id}"
        page.goto(address, wait_until="domcontentloaded")
        tab = page.locator("[data-cy=panel-tab-lgca_evidence]")
        new = page.locator("[data-cy=modal] [data-cy=new-panel-btn]")
        tab.or_(new).first.wait_for()
        if not tab.count():
            new.click()
            page.locator("[data-cy=new-panel-option-lgca_evidence]").click()  # stands beside the image at once
        elif split:
            tab.click()
            button = page.get_by_title("Split horizontally")
            if button.count():  # the browser remembers that it is split
                button.first.click()
        self.body.wait_for()

    def says(self, words):
        self.body.get_by_text(words).first.wait_for()

    def button(self, name):
        """A button by what stands on it; its accessible name is what it explains on hovering."""
        words = name if isinstance(name, re.Pattern) else re.compile(f"^(undo|restart_alt)?{re.escape(name)}$")
        return self.body.locator("button").filter(has_text=words)

    def press(self, name):
        """Presses a button."""
        self.button(name).click()

    def list_of(self, label):
        return self.body.locator(f"xpath=.//*[text()='{label}']/following::*[@role='combobox'][1]").first

    def choose(self, label, value):
        """Chooses from a list."""
        box = self.list_of(label)
        box.click()
        self.page.get_by_role("option", name=value, exact=True).click()

    def shown(self, label):
        """What a list shows as chosen."""
        return self.list_of(label).inner_text()

    def frames(self, figure):
        """The points of a figure: 0 is the strip, 1 the map."""
        return self.body.locator(".js-plotly-plot").nth(figure).locator(".scatterlayer .point")

    def rows(self, table):
        """The cells of a table: 0 is the answers, 1 what if."""
        rows = self.body.locator("table").nth(table).locator("tr")
        rows.nth(1).wait_for()
        return [[cell.strip() for cell in row.locator("td, th").all_inner_texts()] for row in rows.all()]

    def cancel(self):
        """Closes the dialog in front: the Escape key would close the sample, too."""
        self.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        self.page.get_by_role("dialog").get_by_role("button", name="Cancel").wait_for(state="detached")

    def numbers(self, table, column):
        """The numbers in a column of a table."""
        return [float(row[column].replace(MINUS, "-")) for row in self.rows(table)[1:]]

    def strip_ids(self):
        """The regions of the strip."""
        plot = "document.querySelector('[data-cy=panel-content-lgca_evidence] .js-plotly-plot')"
        return [int(region) for region in self.page.evaluate(f"{plot}.data[0].ids")]

    def options(self, label):
        """The texts of a list's values."""
        self.list_of(label).click()
        options = self.page.get_by_role("option")
        options.first.wait_for()
        found = options.all_inner_texts()
        self.page.keyboard.press("Escape")
        options.first.wait_for(state="detached")
        return found

    def sticks_out(self):
        """What reaches over the panel's right edge."""
        return self.page.evaluate(STICKS_OUT)

    def picture(self, name):
        self.page.mouse.move(5, 5)
        ARTIFACTS.mkdir(exist_ok=True)
        before = None
        for _ in range(10):
            self.page.wait_for_timeout(250)
            found = self.page.screenshot(path=str(ARTIFACTS / f"evidence_{name}.png"))
            if found == before:
                break
            before = found
        assert self.sticks_out() == []
