"""The figures' data against hand-written inputs and the identities they claim; their looks in a real browser."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
from html import unescape
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.config import RegionConfig
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import class_texts, label_prompt
from lgca_plugin.figures import descriptions as figures
from lgca_plugin.figures import page as figure_page
from lgca_plugin.method.core import scores
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.regions import RegionEmbeddings
from tests.helpers.app import ROOT, browser_page, find_browser, missing_browser_reason, on_ci
from tests.helpers.engine import encode, plan_of
from tests.helpers.figure_look import PAGES, look_at
from tests.helpers.matching import all_of

BLUE, ORANGE, GREY = "#0072b2", "#d55e00", "#a8a8a8"
TEXT, MUTED = "#262626", "#6f6f6f"
FIVE = ["one", "two", "three", "four", "five"]
FIVE_WEIGHTS = np.array([0.05, 0.4, 0.25, 0.18, 0.12])  # 0.25, 2, 1.25, 0.9 and 0.6 of an equal share
X = figure_page.TIMES
LONG = "a small bird with a forked tail and a red throat, seen from below against a bright sky, " * 4


def notes(figure: Any, name: str) -> list[Any]:
    return [one for one in figure.layout.annotations if one.name == name]


def lines(figure: Any, name: str, xref: str = "x") -> list[Any]:
    return [one for one in figure.layout.shapes if one.name == name and one.xref == xref]


def plain(markup: str) -> str:
    """What a reader sees of a text with Plotly's markup, on one line."""
    return unescape(re.sub("<[^>]*>", "", markup.replace("<br>", " ")))


def trace(figure: Any, name: str) -> Any:
    return next(one for one in figure.data if one.name == name)


def unit(*rows: Any) -> Any:
    return scores.normalize(np.array(rows, dtype=np.float64))


# --- what defines a class


def test_weights__bars_start_at_zero_and_sum_to_one_the_longest_on_top():
    figure = figures.description_weights("swallow", FIVE, FIVE_WEIGHTS)
    bars = trace(figure, "weight")
    assert bars.base is None and list(bars.x) == [0.4, 0.25, 0.18, 0.12, 0.05] and sum(bars.x) == pytest.approx(1)
    assert [note.text for note in notes(figure, "text")] == ["two", "three", "four", "five", "one"]
    assert list(bars.y) == [note.y for note in notes(figure, "text")] == sorted(bars.y)
    assert figure.layout.yaxis.range[0] > max(bars.y) and figure.layout.yaxis.range[1] == 0  # downwards
    assert figure.layout.xaxis.range[0] == 0


def test_weights__what_is_beyond_an_equal_share_and_what_is_missing_to_it():
    figure = figures.description_weights("swallow", FIVE, FIVE_WEIGHTS)
    (line,) = lines(figure, "equal share")
    assert line.x0 == line.x1 == 0.2
    beyond, missing = trace(figure, "beyond"), trace(figure, "missing")
    assert beyond.base == 0.2 and np.allclose(beyond.x, [0.2, 0.05, 0, 0, 0])
    assert np.allclose(missing.base, trace(figure, "weight").x) and np.allclose(missing.x, [0, 0, 0.02, 0.08, 0.15])


def test_weights__colours_split_at_the_equal_share_and_irrelevant_ones_are_grey():
    figure = figures.description_weights("swallow", FIVE, FIVE_WEIGHTS)
    assert list(trace(figure, "weight").marker.color) == [BLUE, BLUE, ORANGE, ORANGE, GREY]
    assert [note.font.color for note in notes(figure, "text")] == [TEXT] * 4 + [MUTED]
    hover = trace(figure, "weight").hovertext
    assert ["Hardly counts" in text for text in hover] == [False] * 4 + [True]


def test_weights__numbers_are_per_cent_and_times_an_equal_share():
    figure = figures.description_weights("swallow", FIVE, FIVE_WEIGHTS)
    numbers = [note.text for note in notes(figure, "number")]
    assert numbers[:4] == ["40.0%", f"{X}2.00", "25.0%", f"{X}1.25"] and numbers[-2:] == ["5.0%", f"{X}0.25"]
    assert f"40.0% ({X}2.00 equal)" in trace(figure, "weight").hovertext[0]


def test_weights__irrelevant_is_under_half_an_equal_share_and_not_half():
    def colours(weight: float) -> list[str]:
        figure = figures.description_weights("swallow", ["a", "b"], np.array([1 - weight, weight]))
        return list(trace(figure, "weight").marker.color)

    assert figures.HARDLY_COUNTS == 0.5
    assert colours(0.25) == [BLUE, ORANGE] and colours(0.2499) == [BLUE, GREY]


def test_weights__equal_weights_keep_their_order_and_none_is_irrelevant():
    figure = figures.description_weights("swallow", FIVE, np.full(5, 0.2))
    assert [note.text for note in notes(figure, "text")] == FIVE
    assert GREY not in trace(figure, "weight").marker.color
    assert [note.text for note in notes(figure, "number")][:2] == ["20.0%", f"{X}1.00"]


def test_weights__a_single_description_is_the_class():
    figure = figures.description_weights("swallow", ["only"], np.ones(1))
    assert list(trace(figure, "weight").x) == [1.0] and sum(trace(figure, "missing").x) == 0


def test_weights__tiny_weights_are_not_shown_as_nothing():
    figure = figures.description_weights("swallow", ["a", "b"], np.array([0.9999, 0.0001]))
    assert plain(notes(figure, "number")[2].text) == "<0.1%"


def test_weights__height_grows_with_number_and_length_of_texts():
    heights = [
        figures.description_weights("swallow", texts, np.full(len(texts), 1 / len(texts))).layout.height
        for texts in (["short"], ["short"] * 5, [LONG] * 5, [LONG] * 60)
    ]
    assert heights == sorted(set(heights))


def test_weights__rows_do_not_overlap():
    figure = figures.description_weights("swallow", [LONG, "b", LONG, "d"], np.array([0.4, 0.3, 0.2, 0.1]))
    rows = notes(figure, "text")
    halves = [(note.text.count("<br>") + 1) * 12 * 1.3 / 2 for note in rows]
    ends = [(note.y - half, note.y + half) for note, half in zip(rows, halves, strict=True)]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


@given(st.text(min_size=1, max_size=400), st.integers(min_value=420, max_value=1300))
@settings(max_examples=60, deadline=None)
def test_weights__every_word_of_a_text_is_shown(text: str, min_width: int):
    figure = figures.description_weights("x", [text], np.ones(1), min_width=min_width)
    shown = unescape(re.sub("<br>", "", notes(figure, "text")[0].text))
    assert shown.replace(" ", "") == ("".join(text.split()) or "(empty)")
    hover = unescape(trace(figure, "weight").hovertext[0].replace("<br>", ""))
    assert hover.replace(" ", "").startswith("".join(text.split()))


def test_texts__markup_and_formulas_are_shown_as_they_are():
    text = "a <b>bold</b> & $x$ costs %{y}"
    figure = figures.description_weights(text, [text], np.ones(1))
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
def test_weights__that_do_not_fit_are_refused(texts: Any, weights: list[float], message: list[str]):
    with pytest.raises(ValueError, match=all_of(message)):
        figures.description_weights("swallow", texts, np.array(weights))


def test_page__unknown_theme_and_width_are_refused():
    with pytest.raises(ValueError, match=all_of(["theme", "light", "dark", "app", "'blue'"])):
        figures.description_weights("x", ["a"], np.ones(1), theme="blue")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=all_of(["min_width", "420", "300"])):
        figures.description_weights("x", ["a"], np.ones(1), min_width=300)


# --- which descriptions speak for which class

A, B = ["a1", "a2"], ["b1"]
HAND = {
    "names": ("swallow", "tern"),
    "embeddings_a": unit([1, 0, 0], [0, 1, 0]),
    "embeddings_b": unit([0, 0, 1]),
    "weights_a": np.array([0.6, 0.4]),
    "weights_b": np.array([1.0]),
}
NORM = np.sqrt(0.6**2 + 0.4**2)


def hand_votes(vectors: dict[str, Any], **more: Any) -> Any:
    return figures.description_votes(A, B, **{**HAND, "vectors": vectors, **more})


def test_votes__positions_are_fits_from_the_tie_point():
    figure = hand_votes({"clip": np.array([0.8, 0.0, 0.6])})
    score_a, score_b = 0.6 * 0.8 / NORM, 0.6
    tie = (score_a + score_b) / 2
    assert [note.text for note in notes(figure, "score")] == [f"{score_a:.4f}", f"{score_b:.4f}"]
    a, b = trace(figure, "clip: swallow"), trace(figure, "clip: tern")
    assert np.allclose(a.x, [0.8 / NORM - tie, -tie]) and np.allclose(b.x, [0.6 - tie])
    assert list(a.marker.symbol) == ["circle", "circle-open"] and list(b.marker.symbol) == ["circle-open"]
    assert a.marker.color == BLUE and b.marker.color == ORANGE
    assert np.allclose(np.array(a.x) - a.error_x.arrayminus + a.error_x.array, 0)  # stems end at the tie point
    averages = [line.x0 for line in lines(figure, "average")]
    assert np.allclose(averages, [score_a - tie, score_b - tie])
    assert np.allclose([line.x0 for line in lines(figure, "other average")], averages[::-1])
    assert f"swallow ahead by {score_a - score_b:.4f}" in plain(notes(figure, "heading")[0].text)


def test_votes__dots_are_as_large_as_their_weights():
    figure = hand_votes({"clip": np.array([0.8, 0.0, 0.6])})
    a, b = trace(figure, "clip: swallow").marker.size, trace(figure, "clip: tern").marker.size
    assert np.allclose(np.array([*a, *b]) ** 2 / b[0] ** 2, [1.2, 0.8, 1.0])  # in equal shares
    heavy = hand_votes({"clip": np.array([0.8, 0.0, 0.6])}, weights_a=np.array([0.99, 0.01]))
    assert max(trace(heavy, "clip: swallow").marker.size) <= 17


def test_votes__rows_follow_the_fit_under_the_last_method():
    vectors = {"clip": np.array([1.0, 0, 0]), "lgca": np.array([0.0, 1, 0])}
    shown = [plain(note.text) for note in notes(hand_votes(vectors), "text")]
    assert shown == ["● swallow: score", "a2", "a1", "● tern: score", "b1"]
    figure = hand_votes(vectors)
    assert [row[0] for row in trace(figure, "clip: swallow").customdata] == [0.0, 1.0]
    assert list(trace(figure, "clip: swallow").y) == [notes(figure, "text")[1].y, notes(figure, "text")[2].y]


def test_votes__all_columns_have_one_scale_around_their_tie_points():
    figure = hand_votes({"clip": np.array([0.8, 0.0, 0.6]), "lgca": unit([3, 2, 1])[0]})
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    assert figure.layout.xaxis.range[0] == -figure.layout.xaxis.range[1]
    assert figure.layout.xaxis.domain[1] < figure.layout.xaxis2.domain[0]
    assert all(abs(x) < figure.layout.xaxis.range[1] for one in figure.data for x in one.x)
    assert {one.xaxis for one in figure.data} == {"x", "x2"}


def test_votes__texts_that_hardly_count_are_grey():
    figure = hand_votes({"lgca": unit([3, 2, 1])[0]}, weights_a=np.array([0.8, 0.2]))
    assert [note.font.color for note in notes(figure, "text")] == [TEXT, TEXT, MUTED, TEXT, TEXT]


def test_votes__clip_says_what_its_label_prompts_decide():
    vectors = {"clip": np.array([0.8, 0.0, 0.6]), "lgca": np.array([0.8, 0.0, 0.6])}
    clip, lgca = (plain(note.text) for note in notes(hand_votes(vectors, label_margins={"clip": -0.031}), "heading"))
    assert clip.startswith("clip label prompts decide: ● tern ahead by 0.0310 descriptions alone: ● swallow ahead by")
    assert lgca.startswith("lgca ● swallow ahead by")


def test_votes__a_tie_and_a_lead_too_small_for_four_digits():
    same = {"embeddings_a": unit([1, 0, 0], [1, 0, 0]), "embeddings_b": unit([1, 0, 0])}
    figure = hand_votes({"clip": np.array([1.0, 0, 0])}, **same, label_margins={"clip": 0.000012})
    title = plain(notes(figure, "heading")[0].text)
    assert "swallow ahead by 0.000012" in title and title.endswith("a tie")


@pytest.mark.parametrize("seed", range(5))
def test_votes__shares_sum_to_the_score_and_pulls_to_the_margin(seed: int):
    rng = np.random.default_rng(seed)
    g_a, g_b = (unit(*rng.normal(size=(count, 16)) + 0.3) for count in (7, 3))
    label_a, label_b, clip, lgca = unit(*rng.normal(size=(4, 16)) + 0.3)
    figure = figures.description_votes(
        [f"a{j}" for j in range(7)],
        [f"b{j}" for j in range(3)],
        names=("swallow", "tern"),
        vectors={"clip": clip, "lgca": lgca},
        embeddings_a=g_a,
        embeddings_b=g_b,
        weights_a=scores.description_weights(g_a, label_a, 2.0),
        weights_b=scores.description_weights(g_b, label_b, 2.0),
    )
    for method, z in (("clip", clip), ("lgca", lgca)):
        expected = [
            float(z @ scores.class_vector(g, label, kind="weighted", text_scale=2.0))
            for g, label in ((g_a, label_a), (g_b, label_b))
        ]
        a, b = (np.array(trace(figure, f"{method}: {name}").customdata) for name in ("swallow", "tern"))
        assert np.allclose([a[:, 2].sum(), b[:, 2].sum()], expected, atol=1e-12)
        assert a[:, 3].sum() + b[:, 3].sum() == pytest.approx(expected[0] - expected[1], abs=1e-12)
        averages = [line.x0 for line in lines(figure, "average", "x" if method == "clip" else "x2")]
        assert averages[0] - averages[1] == pytest.approx(expected[0] - expected[1], abs=1e-12)
        # an average is where the class's dots balance
        assert (a[:, 1] * trace(figure, f"{method}: swallow").x).sum() == pytest.approx(averages[0], abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": {}}, ["vectors", "1 to 4", "0"]),
        ({"vectors": dict.fromkeys("abcde", np.ones(3))}, ["vectors", "1 to 4", "700 pixels", "5"]),
        ({"vectors": {"clip": np.ones(4)}}, ["embeddings_a", "'clip'", "[2, 3]", "[4]"]),
        ({"vectors": {"clip": np.full(3, np.nan)}}, ["embeddings_a", "finite"]),
        ({"embeddings_b": np.ones((2, 3))}, ["embeddings_b", "[1, d]", "[2, 3]"]),
        ({"weights_b": np.array([0.5])}, ["weights_b", "sum to 1"]),
        ({"label_margins": {"CLIP": 0.1}}, ["label_margins", "'CLIP'", "clip"]),
    ],
)
def test_votes__inputs_that_do_not_fit_are_refused(change: dict[str, Any], message: list[str]):
    with pytest.raises(ValueError, match=all_of(message)):
        hand_votes(**{"vectors": {"clip": np.ones(3)}, **change})


# --- both


def both(theme: str = "light", min_width: int = 700) -> dict[str, Any]:
    options: dict[str, Any] = {"theme": theme, "min_width": min_width}
    return {
        "weights": figures.description_weights("swallow", FIVE, FIVE_WEIGHTS, **options),
        "votes": hand_votes({"clip": unit([3, 2, 1])[0], "lgca": unit([1, 2, 3])[0]}, **options),
    }


@pytest.mark.parametrize("theme", ["light", "dark", "app"])
def test_figures__are_plain_json_without_a_colour_of_their_own_behind_them(theme: str):
    for figure in both(theme).values():
        document = json.loads(figure.to_json())
        assert set(document) == {"data", "layout"} and "bdata" not in figure.to_json()
        layout = document["layout"]
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
        assert "layout" not in layout["template"] and "width" not in layout and layout["height"] > 100
        page = layout["font"].get("color")
        assert (page is None) == (theme == "app"), "in the App, text takes the App's colour"
        assert not {page, *(note["font"].get("color") for note in layout["annotations"])} & {"black", "#000000"}


def test_figures__do_not_import_plotly_before_they_are_drawn():
    code = (
        "import sys, lgca_plugin.figures.descriptions; sys.exit('plotly' in sys.modules or 'fiftyone' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# --- a real model, a real image


@pytest.fixture(scope="module")
def demo_votes(demo_encoder: Any, demo_images: list[Any]) -> Any:
    """Draws, for a picture that CLIP and LGCA disagree about, the two classes that they say."""
    names = ("clip", "wca", "lgca")
    plan = plan_of(names, RegionConfig())
    texts = class_texts(CLASSES, DESCRIPTIONS)
    class_vectors = {name: texts.class_vectors(demo_encoder, METHODS[name]) for name in names}
    for drawing in demo_images:
        (image,) = encode([drawing.path], demo_encoder, plan)
        vectors = {}
        for name in names:
            method = METHODS[name]
            embeddings = RegionEmbeddings(image.regions, image.whole, image.step, image.chain)
            weights = scores.region_weights(method, embeddings, plan.crop_counts)
            vectors[name] = scores.image_vector(embeddings, weights, method.global_weight)
        all_scores = {name: class_vectors[name] @ vectors[name] for name in names}
        a, b = (int(all_scores[name].argmax()) for name in ("lgca", "clip"))
        if a != b:
            break
    assert a != b, "CLIP and LGCA agree about every picture"
    embeddings = [demo_encoder.encode_texts(DESCRIPTIONS[CLASSES[k]]) for k in (a, b)]
    labels = demo_encoder.encode_texts([label_prompt(CLASSES[k]) for k in (a, b)])
    margins = {name: float(all_scores[name][a] - all_scores[name][b]) for name in names}

    def draw(shown: tuple[str, ...] = names, **options: Any) -> Any:
        return figures.description_votes(
            DESCRIPTIONS[CLASSES[a]],
            DESCRIPTIONS[CLASSES[b]],
            names=(CLASSES[a], CLASSES[b]),
            vectors={name: vectors[name] for name in shown},
            embeddings_a=embeddings[0],
            embeddings_b=embeddings[1],
            weights_a=scores.description_weights(embeddings[0], labels[0], 2.0),
            weights_b=scores.description_weights(embeddings[1], labels[1], 2.0),
            label_margins={"clip": margins["clip"]} if "clip" in shown else None,
            **options,
        )

    draw.names, draw.margins = (CLASSES[a], CLASSES[b]), margins  # type: ignore[attr-defined]
    return draw


def demo_weights(encoder: Any, name: str, **options: Any) -> Any:
    label = encoder.encode_texts([label_prompt(name)])[0]
    weights = scores.description_weights(encoder.encode_texts(DESCRIPTIONS[name]), label, 2.0)
    return figures.description_weights(name, DESCRIPTIONS[name], weights, **options)


def test_demo__pulls_sum_to_the_margins_that_the_methods_decide_by(demo_votes: Any):
    figure = demo_votes()
    for name in ("wca", "lgca"):
        pulls = [np.array(trace(figure, f"{name}: {of}").customdata)[:, 3].sum() for of in demo_votes.names]
        assert sum(pulls) == pytest.approx(demo_votes.margins[name], abs=1e-6)
    clip = plain(notes(figure, "heading")[0].text)
    assert f"{demo_votes.names[1]} ahead by {-demo_votes.margins['clip']:.4f}" in clip.split("descriptions alone")[0]


def test_demo__sentences_that_name_the_class_define_it(demo_encoder: Any):
    figure = demo_weights(demo_encoder, "barn swallow")
    shown = notes(figure, "text")
    assert all("barn swallow" in plain(note.text) and note.font.color == TEXT for note in shown[:2])
    assert plain(shown[-1].text) == "a bird with a black beak." and shown[-1].font.color == MUTED


# --- how they look


@pytest.mark.app
def test_figures__in_a_browser_no_text_overlaps_another_or_leaves_the_picture(demo_encoder: Any, demo_votes: Any):
    if not find_browser():
        (pytest.fail if on_ci() else pytest.skip)(missing_browser_reason())
    from plotly.offline import get_plotlyjs

    many = [*DESCRIPTIONS["barn swallow"], LONG, "W" * 80, "x" * 300, "燕" * 90, "<b>markup</b> & $5 to $6"] * 5
    rng = np.random.default_rng(0)
    name = "a class of birds with a name that does not end soon, as some have"
    rows = unit(*rng.normal(size=(len(many) + 4, 8)))
    weights = scores.description_weights(rows[:-4], rows[-1], 1.0)
    with browser_page() as page:
        page.add_script_tag(content=get_plotlyjs())
        for theme, colour in PAGES.values():
            drawn = {
                "weights": demo_weights(demo_encoder, "barn swallow", theme=theme),
                "votes": demo_votes(("clip", "lgca"), theme=theme),
            }
            for kind, figure in drawn.items():
                for width in (700, 1280):
                    look_at(page, figure, f"{kind}_{theme}_{width}", width, colour)
        look_at(page, demo_weights(demo_encoder, "barn swallow", min_width=420), "weights_420", 420, "#ffffff")
        look_at(page, demo_votes(("clip", "lgca"), min_width=420), "votes_420", 420, "#ffffff")
        look_at(page, demo_votes(("clip", "wca", "lgca")), "votes_3", 700, "#ffffff")
        look_at(page, figures.description_weights(name, many, weights), "weights_many", 700, "#ffffff")
        crowded = figures.description_votes(
            many,
            ["the only one"],
            names=(name, f"another: {name}"),
            vectors={"clip": rows[-4], "crops_mean": rows[-3], "lgca": rows[-2], "a method's name": rows[-4]},
            embeddings_a=rows[:-4],
            embeddings_b=rows[-1:],
            weights_a=weights,
            weights_b=np.ones(1),
            label_margins={"clip": 0.01},
        )
        look_at(page, crowded, "votes_many", 700, "#ffffff")
