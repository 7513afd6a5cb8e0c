"""Parts of Plotly figures, and how figures look in a real browser."""

import contextlib
import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from tests.helpers.browser.app import ARTIFACTS, browser_page, find_browser, missing_browser_reason, on_ci

TEXTS_SEEN = """() => {
    const svg = document.querySelector('.js-plotly-plot .main-svg').getBoundingClientRect();
    const texts = [...document.querySelectorAll('.js-plotly-plot .main-svg text')].map(one => {
        const box = one.getBoundingClientRect();
        return [one.textContent, box.left - svg.left, box.top - svg.top, box.right - svg.left, box.bottom - svg.top];
    });
    return [[svg.width, svg.height], texts.filter(one => one[0].trim() && one[3] > one[1])];
}"""
DRAW = """async ([figure, colour]) => {
    document.body.style = `margin: 0; background: ${colour}`;
    document.body.innerHTML = '<div id="figure"></div>';
    await Plotly.newPlot('figure', figure.data, figure.layout, {responsive: true});
    await document.fonts.ready;
}"""
BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#a8a8a8"
TEXT, MUTED = "#262626", "#6f6f6f"
PAGES = {"light": ("light", "#ffffff"), "dark": ("dark", "#1a1a1a")}


def notes(figure: Any, name: str) -> list[Any]:
    return [one for one in figure.layout.annotations if one.name == name]


def lines(figure: Any, name: str, xref: str = "x") -> list[Any]:
    return [one for one in figure.layout.shapes if one.name == name and one.xref == xref]


def trace(figure: Any, name: str) -> Any:
    return next(one for one in figure.data if one.name == name)


def plain(markup: str) -> str:
    """What a reader sees of a text with Plotly's markup, on one line."""
    return unescape(re.sub("<[^>]*>", "", markup.replace("<br>", " ")))


@contextlib.contextmanager
def plotly_page() -> Iterator[Any]:
    """A page with Plotly; the test is skipped where there is no browser, but not on CI."""
    if not find_browser():
        (pytest.fail if on_ci() else pytest.skip)(missing_browser_reason())
    with browser_page() as page:
        page.add_script_tag(content=get_plotlyjs())
        yield page


def look_at(page: Any, figure: Any, name: str, width: int, colour: str) -> None:
    """Opens a figure on a page of a width, stores a screenshot, and checks that all texts are readable."""
    page.set_viewport_size({"width": width, "height": int(figure.layout.height)})
    page.evaluate(DRAW, [json.loads(figure.to_json()), colour])
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=str(ARTIFACTS / f"figure_{name}.png"))
    (svg_width, svg_height), texts = page.evaluate(TEXTS_SEEN)
    assert svg_width == width and svg_height == figure.layout.height
    assert len(texts) >= len(figure.layout.annotations)
    for text, left, top, right, bottom in texts:
        assert left >= 0 and top >= 0 and right <= width and bottom <= svg_height, (
            f"{name}: {text!r} leaves the picture"
        )
    for i, (text, left, top, right, bottom) in enumerate(texts):
        for other, left_2, top_2, right_2, bottom_2 in texts[:i]:
            apart = right <= left_2 + 1 or right_2 <= left + 1 or bottom <= top_2 + 1 or bottom_2 <= top + 1
            assert apart, f"{name}: {text!r} overlaps {other!r}"
