"""Drives the real FiftyOne App in a headless browser, as a person would.

The App's server runs in a process of its own, on the same database as the tests. Playwright is imported where
it is used, so that the set-up script can ask for :func:`find_browser` before the tests run.
"""

import base64
import contextlib
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

from tests.helpers.paths import ROOT

ARTIFACTS = ROOT / "artifacts"

BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chrome")
MAC_CHROME = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
# BROWSER_SLOWDOWN=4 makes the browser four times slower, to find waits that depend on who is quicker.
SLOWDOWN = float(os.environ.get("BROWSER_SLOWDOWN", "1"))
TIMEOUT = 60_000  # milliseconds
NO_APP = "favicon.ico"  # at the App's address, and none of its code
# The App's advertisement lies over the page until it is closed. This is how the App remembers that it was.
ADVERTISEMENT_SEEN = "localStorage.setItem('fiftyone-enterprise-tooltip-seen', 'true')"
# Bars that move for as long as something takes cost more than what they wait for, where no graphics card draws them.
NOTHING_ENDLESS = """{
    const sheet = new CSSStyleSheet();
    sheet.replaceSync("*, *::before, *::after { animation-iteration-count: 1 !important }");
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}"""
# Looks at every change of the page, so that a text is found however short the time that it is shown.
WATCH = """pattern => {
    const wanted = new RegExp(pattern);
    window.textWasShown = false;
    const watcher = new MutationObserver(() => {
        if (!wanted.test(document.body.textContent)) return;
        window.textWasShown = true;
        watcher.disconnect();
    });
    watcher.observe(document.body, {childList: true, characterData: true, subtree: true});
}"""
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_browser():
    """The path of a Chromium or Chrome, the system's before Playwright's own; None if there is none."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    if MAC_CHROME.is_file():
        return str(MAC_CHROME)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


@contextlib.contextmanager
def running_app(home, **variables):
    """Starts the App's server on a free port; yields its address.

    The server runs alone, as it does for many users at once: a session of ``fo.launch_app`` would push its own
    state, which knows no dataset, onto the page whenever its connection is renewed.

    Args:
        home: a folder that the server takes for the home directory; it keeps a language model's answers there
        variables: further variables of its environment
    """
    import fiftyone.constants as foc

    from scripts import mongod

    port = mongod.free_port()
    log = Path(home) / "server.log"
    command = [sys.executable, "main.py", "--port", port, "--address", "127.0.0.1"]
    environment = {**os.environ, "FIFTYONE_DISABLE_SERVICES": "1", "HOME": str(home)}
    environment.pop("OPENAI_API_KEY", None)
    environment.update(variables)
    with mongod.background(command, log, cwd=foc.SERVER_DIR, env=environment):
        mongod.wait_for(port, log, timeout=180)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def running_browser():
    """Starts a headless browser.

    While it runs, Playwright keeps an event loop in this thread, where other tests may want one of their own.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser, width=1600, height=1000):
    """A browser context; its pages share the cached code and the settings of the App."""
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT)
    context.add_init_script(ADVERTISEMENT_SEEN)
    context.add_init_script(NOTHING_ENDLESS)
    return context


class OnePage:
    """One page of one browser for test after test: a page that has had the App's code loads it in half the time."""

    def __init__(self):
        self._running = contextlib.ExitStack()
        self._context: Any = None
        self._page: Any = None

    def get(self, width=1600, height=1000):
        """Returns the page, in this size; starts the browser if none runs."""
        if self._context is None:
            self._context = new_context(self._running.enter_context(running_browser()))
        if self._page is None:
            self._page = self._context.new_page()
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.set_default_timeout(TIMEOUT)
        return self._page

    def leave(self, address):
        """Leaves the App, and deletes all that the App has stored in the page."""
        self._page.goto(f"{address}/{NO_APP}")
        self._page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self._page.context.clear_cookies()

    def discard(self):
        """Closes the page with all that it has stored, so that the next test gets a new one."""
        self._context.clear_cookies()
        self._page.evaluate("localStorage.clear(); sessionStorage.clear()")
        self._page.close()
        self._page = None

    def close(self):
        """Closes the browser, if one runs."""
        self._context = self._page = None
        self._running.close()


@contextlib.contextmanager
def browser_page(width=1600, height=1000):
    """Opens one page of a browser of its own."""
    with running_browser() as browser:
        yield new_context(browser, width, height).new_page()


class App:
    """What a person does in the App.

    Args:
        page: a Playwright page
        address: the address of the App's server
    """

    def __init__(self, page, address):
        self.page = page
        self.address = address
        # Should it come all the same: Playwright looks for it before it clicks.
        dismiss = re.compile("^dismiss$", re.IGNORECASE)
        self._closing = page.locator(".MuiPopover-root").get_by_role("button", name=dismiss)
        page.add_locator_handler(self._closing, lambda button: button.click())
        self._devtools = page.context.new_cdp_session(page)
        if SLOWDOWN > 1:
            self._devtools.send("Emulation.setCPUThrottlingRate", {"rate": SLOWDOWN})

    def end(self):
        """Detaches from the page, which the next test uses."""
        self.page.remove_locator_handler(self._closing)
        self._devtools.detach()

    def open_home(self):
        """Opens the App with no dataset chosen."""
        self.page.goto(self.address, wait_until="domcontentloaded")
        self.page.wait_for_load_state("load")

    def open_dataset(self, name, view=None):
        """Opens a dataset, or a saved view of it, and waits until its grid shows samples."""
        query = f"?view={view}" if view else ""
        self.page.goto(f"{self.address}/datasets/{name}{query}", wait_until="domcontentloaded")
        self.page.locator("[data-cy=looker]").first.wait_for()

    def panel_option(self, name):
        """Opens the list of panels beside the tabs of the grid, and returns the panel's entry in it."""
        from playwright.sync_api import TimeoutError as NotYet

        option = self.page.locator(f"[data-cy=new-panel-option-{name}]").first
        for _ in range(12):
            self.page.locator("[data-cy=new-panel-btn]").first.click()
            with contextlib.suppress(NotYet):
                option.wait_for(timeout=5_000)  # a page that is still loading closes the list again
                return option
        raise AssertionError(f"the App does not offer the panel {name}")

    def open_panel(self, name):
        """Opens a panel beside the grid."""
        self.panel_option(name).click()

    @contextlib.contextmanager
    def bringing_up(self, pattern):
        """Checks that the block brings up a text, for however short a time."""
        self.page.evaluate(WATCH, pattern)
        yield
        self.page.wait_for_function("window.textWasShown")

    def open_operator(self, label):
        """Opens the operator browser with its key, searches for an operator and chooses it."""
        self.page.keyboard.press("Backquote")
        search = self.page.get_by_placeholder(re.compile("search operations", re.IGNORECASE))
        search.wait_for()
        search.fill(label)
        self.page.get_by_text(label, exact=True).first.click()

    def open_menu(self):
        """Opens the plugin's menu with its button above the grid, and returns the dialog."""
        self.page.get_by_text("Wrong labels", exact=True).first.click()
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("button", name="Classify", exact=True).wait_for()
        return dialog

    def field(self, label):
        """The text field under a label of the form."""
        return self.page.locator(f"xpath=//*[text()='{label}']/following::input[1]")

    def choose(self, label, value):
        """Chooses a value of the drop-down list under a label."""
        self.page.locator(f"xpath=//*[text()='{label}']/following::*[@role='combobox'][1]").click()
        self.page.get_by_role("option", name=value).click()

    def wait_for_value(self, field):
        """What a text field holds, once it holds something."""
        from playwright.sync_api import expect

        expect(field).not_to_have_value("", timeout=60_000)
        return field.input_value()

    def wait_until_ready(self, button):
        """Waits until the form's button can be pressed."""
        self._wait_for_button(button, "to_be_enabled")

    def wait_until_refused(self, button):
        """Waits until the form's button cannot be pressed; the form takes a moment after what was typed."""
        self._wait_for_button(button, "to_be_disabled")

    def _wait_for_button(self, button, state):
        from playwright.sync_api import expect

        getattr(expect(self.page.get_by_role("button", name=button, exact=True)), state)(timeout=60_000)

    def submit(self, button):
        """Presses the form's button, once what was typed has been checked."""
        self.page.get_by_role("button", name=button, exact=True).click()

    def toggle_field(self, field):
        """Shows a field's labels, or hides them, with its checkbox in the sidebar."""
        self.page.locator(f"[data-cy={field}-field] input[type=checkbox]").first.click()

    def picture_of(self, locator):
        """A picture of a part of the page, taken when it no longer changes, with the pointer out of the way."""
        self.page.mouse.move(5, 5)
        before = None
        for _ in range(20):
            self.page.wait_for_timeout(500)
            picture = locator.screenshot()
            if picture == before:
                break
            before = picture
        return picture

    def close_dialog(self):
        """Closes the dialog in front, and one that has come up meanwhile in the place of the progress."""
        from playwright.sync_api import TimeoutError  # noqa: A004 (its own)

        for _ in range(5):
            self.page.keyboard.press("Escape")
            with contextlib.suppress(TimeoutError):
                self.page.get_by_role("dialog").last.wait_for(state="hidden", timeout=3_000)
                return
        self.page.get_by_role("dialog").last.wait_for(state="hidden")

    def screenshot(self, name):
        """Saves what is seen to ``artifacts/``."""
        ARTIFACTS.mkdir(exist_ok=True)
        path = ARTIFACTS / f"{name}.png"
        # Playwright's own spends most of its time on making the file small.
        taken = self._devtools.send("Page.captureScreenshot", {"format": "png", "optimizeForSpeed": True})
        path.write_bytes(base64.b64decode(taken["data"]))
        return path


def missing_browser_reason():
    """A sentence for the person whose browser tests are skipped."""
    return (
        "No Chromium or Chrome was found, so the App was not tested in a browser. "
        "On Debian: apt-get install chromium; elsewhere: .venv/bin/python -m playwright install chromium"
    )


def on_ci():
    """Whether this is a CI machine, where nothing may be skipped."""
    return os.environ.get("CI") == "true"
