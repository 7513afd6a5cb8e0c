"""The figures of descriptions with the demo's model and images, and in a real browser."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lgca_plugin.config import RegionConfig
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_names import ClassNames
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.figures.description_votes import description_votes
from lgca_plugin.figures.description_weights import description_weights
from lgca_plugin.method.core import scores
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.regions import RegionEmbeddings
from tests.helpers.browser.figures import MUTED, PAGES, TEXT, look_at, notes, plain, plotly_page, trace
from tests.helpers.engine import encode, plan_of

LONG = "a small bird with a forked tail and a red throat, seen from below against a bright sky, " * 4


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
            regions = RegionEmbeddings(image.regions, image.whole, image.step, image.chain)
            weights = scores.region_weights(method, regions, plan.crop_counts)
            vectors[name] = scores.image_vector(regions, weights)
        all_scores = {name: class_vectors[name] @ vectors[name] for name in names}
        a, b = (int(all_scores[name].argmax()) for name in ("lgca", "clip"))
        if a != b:
            break
    assert a != b, "CLIP and LGCA agree about every picture"
    embeddings = [demo_encoder.encode_texts(DESCRIPTIONS[CLASSES[k]]) for k in (a, b)]
    labels = demo_encoder.encode_texts([ClassNames().label_prompt(CLASSES[k]) for k in (a, b)])
    margins = {name: float(all_scores[name][a] - all_scores[name][b]) for name in names}

    def draw(shown: tuple[str, ...] = names, **options: Any) -> Any:
        return description_votes(
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
    label = encoder.encode_texts([ClassNames().label_prompt(name)])[0]
    weights = scores.description_weights(encoder.encode_texts(DESCRIPTIONS[name]), label, 2.0)
    return description_weights(name, DESCRIPTIONS[name], weights, **options)


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


@pytest.mark.thorough
@pytest.mark.app
def test_figures__in_a_browser_no_text_overlaps_another_or_leaves_the_picture(demo_encoder: Any, demo_votes: Any):
    many = [*DESCRIPTIONS["barn swallow"], LONG, "W" * 80, "x" * 300, "燕" * 90, "<b>markup</b> & $5 to $6"] * 5
    rng = np.random.default_rng(0)
    name = "a class of birds with a name that does not end soon, as some have"
    rows = scores.normalize(rng.normal(size=(len(many) + 4, 8)))
    weights = scores.description_weights(rows[:-4], rows[-1], 1.0)
    with plotly_page() as page:
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
        look_at(page, description_weights(name, many, weights), "weights_many", 700, "#ffffff")
        crowded = description_votes(
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
