"""The figure of description weights against hand-written inputs."""

from __future__ import annotations

import itertools
import re
from html import unescape
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.figures.description_weights import HARDLY_COUNTS, description_weights
from lgca_plugin.figures.page import TIMES as X
from tests.helpers.browser.figures import BLUE, GREY, MUTED, ORANGE, TEXT, lines, notes, plain, trace
from tests.helpers.checks import all_of

FIVE = ["one", "two", "three", "four", "five"]
FIVE_WEIGHTS = np.array([0.05, 0.4, 0.25, 0.18, 0.12])  # 0.25, 2, 1.25, 0.9 and 0.6 of an equal share
LONG = "a small bird with a forked tail and a red throat, seen from below against a bright sky, " * 4


@pytest.fixture(scope="module")
def figure() -> Any:
    return description_weights("swallow", FIVE, FIVE_WEIGHTS)


def test_weights__bars_start_at_zero_and_sum_to_one_the_longest_on_top(figure: Any):
    bars = trace(figure, "weight")
    assert bars.base is None and list(bars.x) == [0.4, 0.25, 0.18, 0.12, 0.05] and sum(bars.x) == pytest.approx(1)
    assert [note.text for note in notes(figure, "text")] == ["two", "three", "four", "five", "one"]
    assert list(bars.y) == [note.y for note in notes(figure, "text")] == sorted(bars.y)
    assert figure.layout.yaxis.range[0] > max(bars.y) and figure.layout.yaxis.range[1] == 0  # downwards
    assert figure.layout.xaxis.range[0] == 0


def test_weights__what_is_beyond_an_equal_share_and_what_is_missing_to_it(figure: Any):
    (line,) = lines(figure, "equal share")
    assert line.x0 == line.x1 == 0.2
    beyond, missing = trace(figure, "beyond"), trace(figure, "missing")
    assert beyond.base == 0.2 and np.allclose(beyond.x, [0.2, 0.05, 0, 0, 0])
    assert np.allclose(missing.base, trace(figure, "weight").x) and np.allclose(missing.x, [0, 0, 0.02, 0.08, 0.15])


def test_weights__colours_split_at_the_equal_share_and_irrelevant_ones_are_grey(figure: Any):
    assert list(trace(figure, "weight").marker.color) == [BLUE, BLUE, ORANGE, ORANGE, GREY]
    assert [note.font.color for note in notes(figure, "text")] == [TEXT] * 4 + [MUTED]
    hover = trace(figure, "weight").hovertext
    assert ["Hardly counts" in text for text in hover] == [False] * 4 + [True]


def test_weights__numbers_are_per_cent_and_times_an_equal_share(figure: Any):
    numbers = [note.text for note in notes(figure, "number")]
    assert numbers[:4] == ["40.0%", f"{X}2.00", "25.0%", f"{X}1.25"] and numbers[-2:] == ["5.0%", f"{X}0.25"]
    assert f"40.0% ({X}2.00 equal)" in trace(figure, "weight").hovertext[0]


def test_weights__irrelevant_is_under_half_an_equal_share_and_not_half():
    def colours(weight: float) -> list[str]:
        figure = description_weights("swallow", ["a", "b"], np.array([1 - weight, weight]))
        return list(trace(figure, "weight").marker.color)

    assert HARDLY_COUNTS == 0.5
    assert colours(0.25) == [BLUE, ORANGE] and colours(0.2499) == [BLUE, GREY]


def test_weights__equal_weights_keep_their_order_and_none_is_irrelevant():
    figure = description_weights("swallow", FIVE, np.full(5, 0.2))
    assert [note.text for note in notes(figure, "text")] == FIVE
    assert GREY not in trace(figure, "weight").marker.color
    assert [note.text for note in notes(figure, "number")][:2] == ["20.0%", f"{X}1.00"]


def test_weights__a_single_description_is_the_class_and_tiny_weights_are_not_shown_as_nothing():
    figure = description_weights("swallow", ["only"], np.ones(1))
    assert list(trace(figure, "weight").x) == [1.0] and sum(trace(figure, "missing").x) == 0
    figure = description_weights("swallow", ["a", "b"], np.array([0.9999, 0.0001]))
    assert plain(notes(figure, "number")[2].text) == "<0.1%"


def test_weights__height_grows_with_number_and_length_of_texts():
    heights = [
        description_weights("swallow", texts, np.full(len(texts), 1 / len(texts))).layout.height
        for texts in (["short"], ["short"] * 5, [LONG] * 5, [LONG] * 60)
    ]
    assert heights == sorted(set(heights))


def test_weights__rows_do_not_overlap():
    figure = description_weights("swallow", [LONG, "b", LONG, "d"], np.array([0.4, 0.3, 0.2, 0.1]))
    rows = notes(figure, "text")
    halves = [(note.text.count("<br>") + 1) * 12 * 1.3 / 2 for note in rows]
    ends = [(note.y - half, note.y + half) for note, half in zip(rows, halves, strict=True)]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


@given(st.text(min_size=1, max_size=400), st.integers(min_value=420, max_value=1300))
@settings(max_examples=60, deadline=None)
def test_weights__every_word_of_a_text_is_shown(text: str, min_width: int):
    figure = description_weights("x", [text], np.ones(1), min_width=min_width)
    shown = unescape(re.sub("<br>", "", notes(figure, "text")[0].text))
    assert shown.replace(" ", "") == ("".join(text.split()) or "(empty)")
    hover = unescape(trace(figure, "weight").hovertext[0].replace("<br>", ""))
    assert hover.replace(" ", "").startswith("".join(text.split()))


def test_texts__markup_and_formulas_are_shown_as_they_are():
    text = "a <b>bold</b> & $x$ costs %{y}"
    figure = description_weights(text, [text], np.ones(1))
    for shown in (notes(figure, "text")[0].text, notes(figure, "title")[0].text, trace(figure, "weight").hovertext[0]):
        assert "$" not in shown and "<b>" not in shown and text in plain(shown)


@pytest.mark.parametrize(
    ("texts", "weights", "message"),
    [
        ([], [], ["weights", "at least one", "(0,)"]),
        (["a", "b"], [1.0], ["weights", "(1,)", "2"]),
        (["a", "b"], [0.5, 0.4], ["weights", "sum to 1", "0.4"]),
        (["a", "b"], [1.5, -0.5], ["weights", "at least 0"]),
        (["a", "b"], [np.nan, 1.0], ["weights", "sum to 1", "nan"]),
        ("ab", [0.5, 0.5], ["weights", "text"]),
    ],
)
def test_weights__that_do_not_fit_are_rejected(texts: Any, weights: list[float], message: list[str]):
    with pytest.raises(ValueError, match=all_of(message)):
        description_weights("swallow", texts, np.array(weights))


def test_page__unknown_theme_and_width_are_rejected():
    with pytest.raises(ValueError, match=all_of(["theme", "light", "dark", "app", "'blue'"])):
        description_weights("x", ["a"], np.ones(1), theme="blue")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=all_of(["min_width", "420", "300"])):
        description_weights("x", ["a"], np.ones(1), min_width=300)
