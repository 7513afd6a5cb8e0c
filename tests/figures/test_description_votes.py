"""The figure of description votes against hand-written inputs and the identities that it claims."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from lgca_plugin.figures.description_votes import description_votes
from lgca_plugin.figures.description_weights import description_weights
from lgca_plugin.method.core import scores
from tests.helpers.browser.figures import BLUE, MUTED, ORANGE, TEXT, lines, notes, plain, trace
from tests.helpers.checks import all_of
from tests.helpers.paths import ROOT


def unit(*rows: Any) -> Any:
    return scores.normalize(np.array(rows, dtype=np.float64))


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
    return description_votes(A, B, **{**HAND, "vectors": vectors, **more})


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


def test_votes__the_title_of_clip_has_the_margin_of_label_prompts():
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
    figure = description_votes(
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
def test_votes__inputs_that_do_not_match_are_rejected(change: dict[str, Any], message: list[str]):
    with pytest.raises(ValueError, match=all_of(message)):
        hand_votes(**{"vectors": {"clip": np.ones(3)}, **change})


def both(theme: str = "light", min_width: int = 700) -> dict[str, Any]:
    options: dict[str, Any] = {"theme": theme, "min_width": min_width}
    return {
        "weights": description_weights("swallow", ["one", "two"], np.array([0.6, 0.4]), **options),
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
    modules = "'plotly' in sys.modules or 'fiftyone' in sys.modules"
    code = f"import sys, lgca_plugin.figures.description_votes; sys.exit({modules})"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
