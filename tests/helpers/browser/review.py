"""The review panel on the App's page, as a person uses it."""

import re

STICKS_OUT = """() => {
    const panel = document.querySelector('[data-cy=panel-content-lgca_review]');
    const edge = panel.getBoundingClientRect().right + 1;
    return [...panel.querySelectorAll('*')].filter(one => {
        const box = one.getBoundingClientRect();
        return box.width && box.height && box.right > edge;
    }).map(one => `${one.tagName} ${one.textContent.slice(0, 40)}`);
}"""


class ReviewPage:
    """What a person does with the panel beside the grid, or beside an open sample."""

    def __init__(self, app, *, in_sample=False):
        self.app, self.page = app, app.page
        self.page.set_default_timeout(20_000)  # generous: nothing here takes longer than some seconds
        modal = "[data-cy=modal] " if in_sample else ""
        self.body = self.page.locator(f"{modal}[data-cy=panel-content-lgca_review]")

    def open(self):
        """Opens the panel with its operator, found by what a person looks for."""
        self.app.open_operator("Review labels")
        self.body.wait_for()

    def button(self, name):
        """A button by what stands on it; its accessible name is what it explains on hovering."""
        words = name if isinstance(name, re.Pattern) else re.compile(f"^{re.escape(name)}$")
        return self.body.locator("button").filter(has_text=words)

    def press(self, name):
        self.button(name).click()

    def says(self, words):
        self.body.get_by_text(words).first.wait_for()

    def shows(self, file):
        """Waits until the large picture is that of a file."""
        self.body.locator("img").first.and_(self.body.get_by_alt_text(file)).wait_for()

    def key(self, letter):
        """Presses a key together with Alt, as a keyboard does: Playwright's own event is no such key for Chromium."""
        keyboard = self.page.context.new_cdp_session(self.page)
        code = {"key": letter, "code": f"Key{letter.upper()}", "windowsVirtualKeyCode": ord(letter.upper())}
        keyboard.send(
            "Input.dispatchKeyEvent",
            {"type": "keyDown", "modifiers": 1, "text": letter, "unmodifiedText": letter, **code},
        )
        keyboard.send("Input.dispatchKeyEvent", {"type": "keyUp", "modifiers": 1, **code})
        keyboard.detach()

    def visible_at_once(self, name):
        """Whether a button is seen without scrolling."""
        box = self.button(name).bounding_box()
        return box is not None and box["y"] + box["height"] <= self.page.viewport_size["height"]

    def scrolled_by(self, pixels):
        """Scrolls the panel down; returns how far down it is then."""
        down = "(top, by) => [top, ...top.querySelectorAll('*')].map(one => (one.scrollTop += by, one.scrollTop))"
        return max(self.body.evaluate(down, pixels))

    def marked(self):
        """Places of the pictures in the grid that are marked."""
        tiles = "() => [...document.querySelectorAll('[data-cy=looker]')].map(one => one.matches('.lgca-reviewed'))"
        return [place for place, marked in enumerate(self.page.evaluate(tiles)) if marked]

    def focuses_the_list(self):
        """Waits until what is typed goes to the list of classes."""
        self.page.wait_for_function("document.activeElement.matches('input[role=combobox]')")

    def picture(self, name):
        """Saves a screenshot, once nothing changes any more and nothing reaches over the panel's edge."""
        self.app.picture_of(self.page.locator("body"))
        self.app.screenshot(f"review_{name}")
        assert self.page.evaluate(STICKS_OUT) == []
