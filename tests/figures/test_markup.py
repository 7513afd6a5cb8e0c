"""Names in figures: whatever they hold, no text of a figure is read as markup or as a formula."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lgca_plugin.figures.compare import agreement_picture, flow_picture, margin_picture
from lgca_plugin.figures.description_votes import description_votes
from lgca_plugin.figures.description_weights import description_weights
from lgca_plugin.figures.evaluation import evaluation_figure
from lgca_plugin.method.comparison.evaluation import evaluation_of

EVIL = '<a href="javascript:alert(1)">x</a><img src=http://evil/ onerror=alert(1)> &lt;b&gt; $x^2$'
OWN = re.compile(r"</?(b|br|i|span)( style=\"color:[^\"<>]*\")?>")


def texts_of(document: Any) -> Iterator[str]:
    """All texts in a figure's document."""
    if isinstance(document, dict):
        for value in document.values():
            yield from texts_of(value)
    elif isinstance(document, list | tuple):
        for value in document:
            yield from texts_of(value)
    elif isinstance(document, str):
        yield document


def votes() -> Any:
    side: dict[str, Any] = {
        "embeddings_a": np.eye(2)[:1],
        "embeddings_b": np.eye(2)[1:],
        "weights_a": [1.0],
        "weights_b": [1.0],
    }
    return description_votes([EVIL], [EVIL], names=(EVIL, EVIL + "2"), vectors={EVIL: np.array([0.8, 0.6])}, **side)


def evaluation() -> Any:
    correct = {EVIL: np.array([True, False, True]), "wca": np.array([True, True, True])}
    keys = dict.fromkeys(correct, "e")
    truth = np.array([0, 1, 1])
    scores = evaluation_of(truth, correct, keys, run_key=EVIL, ground_truth=EVIL, excluded={EVIL: 1})
    return evaluation_figure(scores, min_width=700)


FIGURES = {
    "agreement": lambda: agreement_picture([(EVIL, 3), (EVIL, 1)]),
    "flow": lambda: flow_picture([EVIL, EVIL], np.array([[3, 1], [0, 2]]), methods=(EVIL, EVIL)),
    "folded flow": lambda: flow_picture([EVIL, EVIL], np.eye(2, dtype=int), methods=(EVIL, EVIL), folded=True),
    "margins": lambda: margin_picture(
        np.ones(2), np.ones(2), [(EVIL, np.array([0])), (EVIL, np.array([1]))], ids="ab", hover=[EVIL] * 2,
        methods=(EVIL, EVIL),
    ),
    "votes": votes,
    "weights": lambda: description_weights(EVIL, [EVIL], np.ones(1)),
    "evaluation": evaluation,
}  # fmt: skip


@pytest.mark.parametrize("name", FIGURES)
def test_names__are_never_read_as_markup(name: str) -> None:
    figure = FIGURES[name]()
    texts = list(texts_of(figure if isinstance(figure, dict) else figure.to_plotly_json()))
    assert any("javascript" in text for text in texts)
    for text in texts:
        left = OWN.sub("", text)
        assert "<" not in left and ">" not in left and "$" not in left, text
        assert "&lt;b" not in left.replace("&amp;lt;b", ""), text
