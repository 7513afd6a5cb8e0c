"""Labels, confidences and margins from class scores, and regions on display."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.embeddings import KnownRegions
from lgca_plugin.engine.region_expansion import RegionExpansion
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.prediction.predictor import Predictor, decisions
from lgca_plugin.prediction.vector_keys import vector_key

CLASSES = class_texts(
    [f"class {number}" for number in range(7)], {f"class {n}": [f"seen {n}", f"{n}"] for n in range(7)}
)


def test_decisions__leave_the_scores_alone_if_logits_are_returned():
    found = np.array([[0.1, 0.5, 0.2], [0.9, 0.1, 0.3]])
    before = found.copy()
    made = decisions(found, 10.0)
    np.testing.assert_array_equal(found, before)
    assert [one.label for one in made] == [1, 0]
    assert [one.margin for one in made] == pytest.approx([0.3, 0.6])
    assert made[0].confidence == pytest.approx(np.exp(5) / np.exp([1, 5, 2]).sum())
    quick = decisions(found, 10.0, with_logits=False)
    assert [(a.label, a.confidence, a.margin) for a in quick] == [(b.label, b.confidence, b.margin) for b in made]
    assert quick[0].logits is None


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_logits__have_the_confidence_as_their_softmax(kind):
    scores = np.random.default_rng(3).uniform(-0.3, 0.3, (50, 7)).astype(kind)
    for row, one in zip(scores, decisions(scores, 100.0), strict=True):
        assert one.logits is not None and one.logits.dtype == kind
        np.testing.assert_allclose(one.logits, 100 * row, rtol=1e-6)
        odds = np.exp(one.logits.astype(np.float64) - one.logits.max())
        assert one.label == one.logits.argmax()
        assert one.confidence == pytest.approx(odds.max() / odds.sum(), rel=1e-5)


class Texts:
    """Embeds each text as a random vector of 16 numbers, near one that all share."""

    logit_scale = 30.0

    def encode_texts(self, texts):
        vectors = [1 + np.random.default_rng(list(text.encode())).normal(size=16) for text in texts]
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def encoded(number, plan):
    """An image with random embeddings of the regions that a plan looks at."""
    rng = np.random.default_rng(number)
    whole = 1 + rng.normal(size=16)
    known = KnownRegions((300, 400), unit(whole), np.zeros((0, 4), np.int64), np.zeros((0, 16), np.float32))
    steps = RegionExpansion(f"{number:032x}", plan, known=known)
    while True:
        for box in steps.missing():
            steps.embeddings[box] = unit(whole + rng.normal(size=16))
        if not steps.next_step():
            return steps.result(str(number))


def unit(vector):
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def predictor(methods, texts=CLASSES, **settings):
    presets = tuple(METHODS[name] for name in methods)
    plan = RegionPlan.of(presets, RegionConfig(crops=12))
    return Predictor(presets, texts, Texts(), plan, **settings), plan


@pytest.mark.parametrize("methods", [("clip", "wca", "lgca", "wca_d"), ("clip", "wca", "lgca"), ("clip", "lgca_d")])
def test_predictions__of_a_batch_are_those_of_its_images_one_by_one(methods):
    together, plan = predictor(methods)
    alone, _ = predictor(methods, scores_bytes=1)
    images = [encoded(number, plan) for number in range(9)]
    for one, other in zip(together.predict(images, find=True), alone.predict(images, find=True), strict=True):
        assert repr(one.finding) == repr(other.finding)  # nan is no case
        np.testing.assert_allclose(one.vectors, other.vectors, atol=1e-6)
        for name in methods:
            a, b = one.methods[name], other.methods[name]
            assert (a.label, a.confidence, a.margin) == (b.label, pytest.approx(b.confidence), pytest.approx(b.margin))
        assert [asdict(region) for region in one.regions] == [
            {name: pytest.approx(value, abs=1e-5) for name, value in asdict(region).items()} for region in other.regions
        ]


@pytest.mark.parametrize("methods", [("clip", "wca", "lgca", "wca_d"), ("clip", "wca", "lgca")])
def test_displayed_regions__have_their_own_votes_and_mislead_where_they_pull_to_the_label_of_wca(methods):
    """By hand for each region; with decisive weights all regions are scored before, without only those on display."""
    own, plan = predictor(methods, shown_chains=12)
    vectors = own.class_vectors["lgca"].astype(np.float64)
    n_misleading = n_shown = 0
    for number in range(30):
        image = encoded(number, plan)
        (made,) = own.predict([image])
        a, b = made.methods["wca"].label, made.methods["lgca"].label
        for region in made.regions:
            (row,) = np.flatnonzero((image.step == region.step) & (image.chain == region.chain))
            scores = vectors @ image.regions[row]
            odds = np.exp(30.0 * scores)
            assert (region.label, region.confidence) == (
                scores.argmax(),
                pytest.approx(odds.max() / odds.sum(), abs=1e-5),
            )
            pulls = a != b and region.step == 0 and region.label == a and scores[a] > scores[b]
            assert region.misleading == pulls
            n_misleading += pulls
            n_shown += 1
    assert n_shown == 30 * len(image.step) and n_misleading > 5


def key(name="wca_d", texts="a", crops=60, **changes):
    method = replace(METHODS[name], **changes)
    return vector_key(method, RegionPlan.of((method,), RegionConfig(crops=crops)), texts)


def test_vector_keys__hold_what_the_vectors_depend_on():
    assert key("clip") == key("clip", texts="b") == key("clip_d")
    assert key("lgca") == key("lgca", texts="b", text_scale=1.0) != key("lgca", regions="all")
    distinct = {
        key(),
        key("lgca_d"),
        key("crops_mean"),
        key(texts="b"),
        key(crops=30),
        key(decisiveness=3.0),
        key(temperature=1.0),
        key(text_scale=1.0),
        key(class_vectors="label"),
        key(class_vectors="mean"),
        key(global_weight=0.5),
    }
    assert len(distinct) == 11
    assert key(class_vectors="mean") == key(class_vectors="mean", text_scale=1.0)
