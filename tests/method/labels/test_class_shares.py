"""Offsets by known shares of the classes equal plain loops, and bring the mean probabilities to the target."""

import math

import numpy as np
import pytest

from lgca_plugin.method.labels.class_shares import changed_labels, share_offsets


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def world(seed, n=200, classes=4, spread=3.0):
    rng = np.random.default_rng(seed)
    return spread * rng.standard_normal((n, classes)), rng.integers(0, 50, classes).astype(float)


def plain_offsets(logits, counts, slack=0.5, rounds=100):
    """The rule as it is written, one number at a time."""
    n, classes = len(logits), len(counts)

    def mean_probabilities(offsets):
        sums = [0.0] * classes
        for row in logits.tolist():
            powers = [math.exp(value + own) for value, own in zip(row, offsets, strict=True)]
            for k in range(classes):
                sums[k] += powers[k] / math.fsum(powers)
        return [value / n for value in sums]

    offsets = [0.0] * classes
    own = mean_probabilities(offsets)
    target = [(counts[k] + 1) ** (1 - slack) * own[k] ** slack for k in range(classes)]
    target = [value / math.fsum(target) for value in target]
    for _ in range(rounds):
        now = mean_probabilities(offsets)
        offsets = [offsets[k] + math.log(target[k] / now[k]) for k in range(classes)]
    middle = math.fsum(offsets) / classes
    return [value - middle for value in offsets], target


@pytest.mark.parametrize("slack", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_share_offsets__equal_plain_loops_and_reach_the_target(seed, slack):
    logits, counts = world(seed, n=60)
    expected, target = plain_offsets(logits, counts, slack=slack)
    offsets = share_offsets(softmax(logits).astype(np.float32), counts, slack=slack)
    np.testing.assert_allclose(offsets, expected, atol=1e-3)
    np.testing.assert_allclose(softmax(logits + offsets).mean(axis=0), target, atol=1e-4)


def test_share_offsets__change_nothing_where_the_counts_are_the_methods_own_shares():
    logits, _ = world(5)
    own = softmax(logits).mean(axis=0)
    offsets = share_offsets(softmax(logits), 1e9 * own)
    np.testing.assert_allclose(offsets, 0, atol=1e-6)
    assert changed_labels(softmax(logits), offsets) == 0


def test_share_offsets__stay_numbers_where_no_image_gives_a_class_any_probability():
    probabilities = np.array([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.0, 1.0, 0.0]], np.float32)
    offsets = share_offsets(probabilities, np.array([1.0, 5.0, 9.0]))
    assert np.isfinite(offsets).all()
    assert offsets[1] > offsets[0]
    assert share_offsets(np.array([[0.5, 0.5]]), np.zeros(2)) == pytest.approx([0.0, 0.0])


def test_changed_labels__are_those_of_another_most_probable_class():
    logits, counts = world(7, classes=5)
    offsets = share_offsets(softmax(logits), counts)
    expected = int((logits.argmax(axis=1) != (logits + offsets).argmax(axis=1)).sum())
    assert expected > 0
    assert changed_labels(softmax(logits), offsets) == expected
