"""Clicks in the panel that compares methods, in the real App and a headless browser; two checkouts, clicked in turn.

Used by :mod:`benchmarks.compare_panel`, which makes the dataset. A machine's speed changes while it works, so that two
checkouts can be told apart only where each click with the one is followed by the same click with the other.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STOPWATCH = """() => new Promise(done => {
    const find = path => document.evaluate(path, document).iterateNext();
    const words = () => find("//*[starts-with(text(), 'Showing ')]")?.textContent;
    const counts = () => document.querySelector("[data-cy='entry-counts']")?.textContent;
    const before = {words: words(), counts: counts()}, steps = __STEPS__, seen = {};
    let started;
    const look = () => {
        for (const [name, there] of Object.entries(steps))
            if (!(name in seen) && there()) seen[name] = (performance.now() - started) / 1000;
        Object.keys(seen).length < Object.keys(steps).length ? setTimeout(look, 20) : done(seen);
    };
    addEventListener("click", () => { started = performance.now(); setTimeout(look, 20) }, {capture: true, once: true});
})"""
"""Notes in the page how long after the next click each step is there: whoever asks from outside slows it down."""

OPENING = """{
    figures: () => find("//*[starts-with(text(), 'Do the methods agree?')]"),
    pictures: () => document.querySelector(".scatterlayer .trace .point"),
}"""
NARROWING = """{
    answer: () => words() && words() !== before.words,
    grid: () => counts() && counts() !== before.counts,
}"""
BUTTONS = ("Only CLIP differs", "Only WCA differs", "Only LGCA differs", "All differ")
PLUGINS = "FIFTYONE_PLUGINS_DIR"
SETTLED_MS = 5_000
"""So long does the App work on after a click: on the grid's pictures and the sidebar's numbers."""


def plugins_of(root: Path, folder: Path) -> str:
    """Makes a folder of plugins that holds this one, from a checkout; gives its path."""
    folder.mkdir(parents=True)
    (folder / "lgca").symlink_to(root)
    return str(folder)


def measure_in_browser(dataset: str, home: Path, roots: list[Path], clicks: int) -> dict[str, Any]:
    """Opens the panel in the real App and clicks on buttons of it.

    Args:
        dataset: name of a dataset with a run of three methods
        home: a folder for the servers
        roots: checkouts of the plugin, one or two, each with a server and a page of its own
        clicks: how many, for each

    Returns:
        of each checkout, ``this`` and ``other``: seconds from the click that opens the panel until its ``figures`` and
        its last picture are there; of each further click, seconds until the panel has answered, and until the grid
        has too; with two checkouts, ``this_to_other``: the ratio of all that the panel's answers took
    """
    from tests.helpers.browser.app import App, browser_page, running_app

    names = ("this", "other")[: len(roots)]
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        stack.callback(os.environ.__setitem__, PLUGINS, os.environ[PLUGINS])  # for who comes after
        pages: list[Any] = []
        for name, root in zip(names, roots, strict=True):
            os.environ[PLUGINS] = plugins_of(root, home / name / "plugins")
            page = stack.enter_context(browser_page(1280, 900)) if not pages else pages[0].context.new_page()
            app = App(page, stack.enter_context(running_app(home / name)))
            app.open_dataset(dataset)
            option = app.panel_option("lgca_compare")
            page.wait_for_timeout(3 * SETTLED_MS)  # until the App has counted what its sidebar shows
            found[name] = {"open": _timed(page, OPENING, option), "clicks": [], "grids": []}
            pages.append(page)
        for number in range(clicks):
            # Each checkout goes first in turn: what the database has just read it reads quicker.
            turn = list(zip(names, pages, strict=True))[:: 1 if number % 2 else -1]
            for name, page in turn:
                page.bring_to_front()
                page.wait_for_timeout(SETTLED_MS)
                seconds = _timed(page, NARROWING, page.get_by_role("button", name=BUTTONS[number % len(BUTTONS)]))
                found[name]["clicks"].append(seconds["answer"])
                found[name]["grids"].append(seconds["grid"])
    if len(roots) > 1 and clicks:
        found["this_to_other"] = sum(found["this"]["clicks"]) / sum(found["other"]["clicks"])
    return found


def _timed(page: Any, steps: str, locator: Any) -> dict[str, float]:
    """Clicks, and gives the seconds until each step is there."""
    page.evaluate(f"() => {{ window.steps = ({STOPWATCH.replace('__STEPS__', steps)})(); }}")
    locator.click()
    found: dict[str, float] = page.evaluate("window.steps")
    return found
