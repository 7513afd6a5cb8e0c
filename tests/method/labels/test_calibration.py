"""Calibration: the error equals a plain loop, the fit a search over a fine grid, and wrong labels hardly move it."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from lgca_plugin.method.labels import calibration
from lgca_plugin.method.labels.calibration import MAX_WRONG_SHARE, calibrate, calibration_error, fit_temperature
from tests.helpers.checks import all_of


def softmax(logits, temperature=1.0):
    shifted = (logits.astype(np.float64) - logits.max(axis=1, keepdims=True)) / temperature
    return np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)


def world(n, classes, *, temperature, seed, spread=4.0):
    """Logits that are calibrated when divided by ``temperature``, and labels drawn from what they then say."""
    rng = np.random.default_rng(seed)
    logits = temperature * spread * rng.standard_normal((n, classes))
    beliefs = np.cumsum(softmax(logits, temperature), axis=1)
    truth = (rng.random((n, 1)) > beliefs).sum(axis=1).clip(0, classes - 1)
    return logits.astype(np.float32), truth


def spoil(labels, classes, share, *, seed):
    """The labels with a share of them drawn blindly from the other classes."""
    rng = np.random.default_rng(seed)
    spoilt = labels.copy()
    chosen = rng.choice(len(labels), round(share * len(labels)), replace=False)
    spoilt[chosen] = (labels[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return spoilt


def plain_temperature(logits, labels):
    """Temperature scaling that takes every label at its word."""

    def loss(log_temperature):
        given = softmax(logits, np.exp(log_temperature))[np.arange(len(labels)), labels]
        return -np.log(given).sum()

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def slow_log_likelihood(logits, labels, temperature, wrong_share):
    """The mixture's log likelihood, one number at a time."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        largest = max(row)
        terms = [math.exp((value - largest) / temperature) for value in row]
        total += math.log((1 - wrong_share) * terms[label] / sum(terms) + wrong_share / len(row))
    return total


def slow_error(probabilities, labels, bins, wrong_share=0.0):
    """The calibration error, bin by bin and sample by sample."""
    n, classes = probabilities.shape
    total = 0.0
    for i in range(bins):
        inside = [
            (max(row), row.index(max(row)) == label)
            for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
            if i / bins < max(row) <= (i + 1) / bins
        ]
        if inside:
            agreement = sum(agrees for _, agrees in inside) / len(inside)
            accuracy = min(1.0, max(0.0, (agreement - wrong_share / classes) / (1 - wrong_share)))
            total += len(inside) / n * abs(accuracy - sum(c for c, _ in inside) / len(inside))
    return total


def error_of(probabilities, labels, **options):
    agrees = probabilities.argmax(axis=1) == labels
    return calibration_error(probabilities.max(axis=1), agrees, classes=probabilities.shape[1], **options)


FOUR = [[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.3, 0.7]]
EVEN = [[0.25] * 4] * 4


@pytest.mark.parametrize(
    ("probabilities", "labels", "bins", "error"),
    [
        # all four confidences (0.9, 0.9, 0.6, 0.7) are above a half, three of four answers are right
        (FOUR, [0, 1, 1, 1], 2, abs(0.75 - 0.775)),
        # each bin is closed above: (0.8, 0.9] is half right, (0.5, 0.6] and (0.6, 0.7] are right
        (FOUR, [0, 1, 1, 1], 10, (2 * 0.4 + 0.4 + 0.3) / 4),
        # the first of equally probable classes is the answer
        (EVEN, [0, 0, 0, 0], 15, 0.75),
        (EVEN, [0, 1, 2, 3], 15, 0.0),
        # a confidence between two bins is in the lower one: (0, 0.5] holds a wrong answer of 0.5 and a right one of 0.3
        (
            [[0.5, 0.3, 0.1, 0.1], [0.3, 0.25, 0.25, 0.2], [0.8, 0.1, 0.05, 0.05]],
            [1, 0, 0],
            2,
            (2 * abs(0.5 - 0.4) + abs(1 - 0.8)) / 3,
        ),
        # certainty is in the last bin
        ([[1.0, 0.0]], [0], 15, 0.0),
        ([[1.0, 0.0]], [1], 15, 1.0),
    ],
)
def test_calibration_error__by_hand(probabilities, labels, bins, error):
    assert error_of(np.array(probabilities), np.array(labels), bins=bins) == pytest.approx(error)


@pytest.mark.parametrize("bins", [1, 7, 15])
@pytest.mark.parametrize("wrong_share", [0.0, 0.2])
def test_calibration_error__equals_a_plain_loop(bins, wrong_share):
    logits, labels = world(300, 5, temperature=3, seed=1)
    probabilities = softmax(logits)
    error = error_of(probabilities, labels, bins=bins, wrong_share=wrong_share)
    assert error == pytest.approx(slow_error(probabilities, labels, bins, wrong_share))


def test_calibration_error__the_wrong_share_takes_out_what_wrong_labels_add():
    logits, truth = world(20_000, 10, temperature=2, seed=2)
    given = spoil(truth, 10, 0.18, seed=3)
    perfect = softmax(logits, 2)
    assert error_of(perfect, truth) < 0.01
    assert error_of(perfect, given) > 0.1
    assert error_of(perfect, given, wrong_share=0.2) < 0.01  # 0.2 blind draws hit the right class in a tenth


@pytest.mark.parametrize(("temperature", "share"), [(0.5, 0.1), (3.0, 0.0), (1.5, 0.3)])
def test_fit_temperature__no_point_of_a_fine_grid_is_more_likely(temperature, share):
    logits, labels = world(60, 4, temperature=temperature, seed=4)
    labels = spoil(labels, 4, share, seed=5)
    fit = fit_temperature(logits, labels)
    prior = 0.5 * (math.log(fit.value) / math.log(10)) ** 2
    ours = slow_log_likelihood(logits, labels, fit.value, fit.wrong_share) - prior
    for log_temperature in np.linspace(-3, 3, 61):
        for wrong_share in np.linspace(0, MAX_WRONG_SHARE, 26):
            other = slow_log_likelihood(logits, labels, math.exp(log_temperature), wrong_share)
            assert other - 0.5 * (log_temperature / math.log(10)) ** 2 <= ours + 1e-3


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_fit_temperature__wrong_labels_inflate_plain_scaling_and_hardly_move_ours(share, temperature):
    logits, truth = world(4000, 12, temperature=temperature, seed=6)
    given = spoil(truth, 12, share, seed=7)
    clean, fit = fit_temperature(logits, truth), fit_temperature(logits, given)
    assert plain_temperature(logits, truth) == pytest.approx(temperature, rel=0.06)
    assert clean.value == pytest.approx(temperature, rel=0.06)
    assert clean.wrong_share < 0.02
    assert fit.value == pytest.approx(temperature, rel=0.1)
    assert fit.wrong_share == pytest.approx(share * 12 / 11, abs=0.025)
    # what plain scaling makes of it: half as much again even at 5%
    assert plain_temperature(logits, given) > 1.3 * temperature
    assert abs(fit.value - temperature) < 0.2 * abs(plain_temperature(logits, given) - temperature)


def test_fit_temperature__the_scale_of_the_logits_is_taken_up():
    logits, labels = world(2000, 8, temperature=1, seed=8)
    base = fit_temperature(logits, labels)
    for factor in (0.01, 100.0):
        assert fit_temperature(factor * logits, labels).value == pytest.approx(factor * base.value, rel=0.02)


def test_fit_temperature__many_samples_are_represented_by_some():
    logits, labels = world(12_000, 6, temperature=2, seed=9)
    fit = fit_temperature(logits, labels)
    assert fit.n == calibration.FIT_SAMPLES
    assert fit.value == pytest.approx(2, rel=0.06)
    assert fit == fit_temperature(logits, labels)


def test_fit_temperature__few_labels_fit_nothing():
    logits, labels = world(30, 4, temperature=5, seed=10)
    few = fit_temperature(logits[:29], labels[:29])
    assert (few.value, few.wrong_share, few.n) == (1.0, 0.0, 0)
    assert fit_temperature(logits, labels).n == 30
    assert fit_temperature(logits[:0], labels[:0]).n == 0


def test_fit_temperature__where_labels_leave_it_open_it_stays_sensible():
    labels = np.arange(40) % 4
    for classes in range(4, 30):  # of most numbers of classes, 1 / C is not what the softmax gives to the last bit
        equal = fit_temperature(np.zeros((40, classes), dtype=np.float32), labels)
        assert equal.value == pytest.approx(1, abs=0.01) and equal.wrong_share == 0
    always_right = fit_temperature(10 * np.eye(4, dtype=np.float32)[labels], labels)
    assert 0.1 < always_right.value < 10 and always_right.wrong_share == 0
    one_class = fit_temperature(np.ones((40, 1), dtype=np.float32), np.zeros(40, dtype=int))
    assert one_class.value == pytest.approx(1, abs=0.01) and one_class.wrong_share == 0


def test_fit_temperature__extreme_logits_stay_finite():
    logits = 1e6 * np.eye(5, dtype=np.float32)[np.arange(50) % 5]
    logits[:, 4] = -np.inf
    logits[logits.max(axis=1) == 0, 0] = 1e6
    fit = fit_temperature(logits, (np.arange(50) + (np.arange(50) < 5)) % 5)  # some labels are ruled out altogether
    assert np.isfinite(fit.value) and fit.value > 0 and 0 < fit.wrong_share <= MAX_WRONG_SHARE


def test_fit_temperature__labels_without_any_relation_are_capped():
    logits, _ = world(1000, 10, temperature=1, seed=11)
    fit = fit_temperature(logits, np.random.default_rng(12).integers(10, size=1000))
    assert 0 <= fit.wrong_share <= MAX_WRONG_SHARE
    assert softmax(logits, fit.value).max(axis=1).mean() < 0.2


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (np.zeros((3, 2)), np.array([0, 1]), ["(3, 2)", "(2,)"]),
        (np.zeros(3), np.array([0, 1, 0]), ["(3,)", "[n, C]"]),
        (np.zeros((3, 0)), np.array([0, 0, 0]), ["(3, 0)"]),
        (np.zeros((3, 2)), np.array([0, 1, 2]), ["labels", "from 0 to 1", "0 to 2"]),
        (np.zeros((3, 2)), np.array([0, -1, 1]), ["labels", "-1 to 1", "leave out"]),
        (np.full((40, 2), np.nan), np.zeros(40, dtype=int), ["logits", "finite"]),
        (np.full((40, 2), np.inf), np.zeros(40, dtype=int), ["logits", "finite"]),
    ],
)
def test_fit_temperature__rejects_bad_input(logits, labels, words):
    with pytest.raises(ValueError, match=all_of(words)):
        fit_temperature(logits, labels)


@pytest.mark.parametrize(("n", "classes"), [(500, 3), (3000, 100)])  # in one piece, and in several
def test_calibrate__gives_the_softmax_at_the_fitted_temperature(n, classes):
    logits, labels = world(n, classes, temperature=3, seed=13)
    expected_fit = fit_temperature(logits, labels)
    expected = softmax(logits, expected_fit.value)
    given = logits.copy()
    result = calibrate(given, labels)
    assert result.probabilities is given and given.dtype == np.float32
    np.testing.assert_allclose(result.probabilities, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(result.labels, logits.argmax(axis=1))
    np.testing.assert_allclose(result.confidence, expected.max(axis=1), rtol=1e-5)
    assert result.calibration.temperature == expected_fit.value
    assert result.calibration.wrong_share == expected_fit.wrong_share
    assert result.calibration.samples == n


@pytest.mark.parametrize("n", [200, 9000])
def test_calibrate__cross_fits_its_error(n):
    logits, labels = world(n, 6, temperature=3, seed=14)
    labels = spoil(labels, 6, 0.1, seed=15)
    order = calibration.shuffled(n)
    crossed = np.empty((n, 6))
    for own, other in ((order[0::2], order[1::2]), (order[1::2], order[0::2])):
        seen = other[: calibration.FIT_SAMPLES // 2]
        crossed[own] = softmax(logits[own], fit_temperature(logits[seen], labels[seen]).value)
    result = calibrate(logits.copy(), labels).calibration
    share = result.wrong_share
    assert result.error_before == pytest.approx(slow_error(softmax(logits), labels, 15, share), abs=1e-5)
    assert result.error_after == pytest.approx(slow_error(crossed, labels, 15, share), abs=1e-5)


def test_calibrate__makes_confidence_the_share_of_right_answers_despite_wrong_labels():
    logits, truth = world(8000, 10, temperature=4, seed=16)
    result = calibrate(logits.copy(), spoil(truth, 10, 0.1, seed=17))
    assert result.calibration.error_before > 0.15
    assert result.calibration.error_after < 0.03
    assert error_of(result.probabilities, truth) < 0.03
    # plain scaling is as far off in the other direction
    plain = plain_temperature(logits, spoil(truth, 10, 0.1, seed=17))
    assert error_of(softmax(logits, plain), truth) > 0.05


def test_calibrate__few_labels_leave_the_confidences_as_they_are():
    logits, labels = world(20, 4, temperature=5, seed=18)
    result = calibrate(logits.copy(), labels)
    np.testing.assert_allclose(result.probabilities, softmax(logits), rtol=1e-5)
    assert result.calibration.temperature == 1.0
    assert result.calibration.error_after == result.calibration.error_before


def test_calibrate__no_samples_are_no_error():
    result = calibrate(np.empty((0, 4), dtype=np.float32), np.empty(0, dtype=int))
    assert result.probabilities.shape == (0, 4) and result.calibration.samples == 0
    assert math.isnan(result.calibration.error_before) and math.isnan(result.calibration.error_after)


@pytest.mark.parametrize("n", [3, 40])
def test_calibrate__rejects_nan(n):
    logits = np.zeros((n, 2), dtype=np.float32)
    logits[-1, 0] = np.nan
    with pytest.raises(ValueError, match="logits"):
        calibrate(logits, np.zeros(n, dtype=int))


def test_calibration__to_json_is_plain():
    logits, labels = world(50, 4, temperature=2, seed=19)
    document = calibrate(logits, labels).calibration.to_json()
    assert json.loads(json.dumps(document)) == document
    assert set(document) == {"temperature", "wrong_share", "error_before", "error_after", "samples"}
