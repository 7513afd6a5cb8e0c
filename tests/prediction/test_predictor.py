"""Labels, confidences and margins from class scores."""

from dataclasses import replace

import numpy as np
import pytest

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.prediction.predictor import decisions, vector_key


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
