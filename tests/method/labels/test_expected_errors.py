"""The expected number of wrong labels: against integrals and enumerations, and against labels with known truth."""

from itertools import product
from math import exp, log, prod

import numpy as np
import pytest

from lgca_plugin.method.labels.expected_errors import MAX_SAMPLES, error_probabilities, expected_errors, quality_of
from lgca_plugin.method.labels.label_errors import find_label_errors

NONE, NEVER = np.zeros(0), np.zeros(0, dtype=bool)


# ------------------------------------------------------------------------------------------ by the mixture alone


def test_error_probabilities__are_shares_of_a_simulated_mixture():
    """Labels are drawn as the calibration assumes: from the method's probabilities, or at random with probability e."""
    rng, share, classes = np.random.default_rng(0), 0.3, 4
    probabilities = np.array([0.55, 0.3, 0.1, 0.05])
    truth = rng.choice(classes, p=probabilities, size=400_000)
    given = np.where(rng.random(len(truth)) < share, rng.integers(classes, size=len(truth)), truth)
    found = error_probabilities(probabilities, wrong_share=share, classes=classes)
    for label in range(classes):
        wrong = (truth != given)[given == label]
        assert found[label] == pytest.approx(wrong.mean(), abs=0.01)


def test_error_probabilities__rise_with_the_share_and_fall_with_the_quality():
    found = error_probabilities(np.array([0.0, 0.001, 0.1, 0.9, 1.0]), wrong_share=0.05, classes=10)
    assert (np.diff(found) < 0).all()
    assert found[0] == pytest.approx(1, abs=1e-6)
    assert found[-1] == pytest.approx(0, abs=1e-6)
    assert (error_probabilities(np.array([0.01]), wrong_share=0.2, classes=10) > found[2]).all()


def test_error_probabilities__at_a_temperature_below_one_the_ensemble_is_surer():
    quality = np.array([0.01, 0.5, 0.99])
    found = error_probabilities(quality, wrong_share=0.05, classes=10, temperature=0.5)
    surer = quality**2 / (quality**2 + (1 - quality) ** 2)
    assert found == pytest.approx(error_probabilities(surer, wrong_share=0.05, classes=10))


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 1.5])
def test_quality_of__is_the_inverse(temperature, share):
    fit = {"wrong_share": share, "classes": 12, "temperature": temperature}
    for probability in (0.001, 0.2, 0.5, 0.9, 0.99):
        quality = quality_of(probability, **fit)
        assert error_probabilities(np.array([quality]), **fit)[0] == pytest.approx(probability, rel=1e-6)


def test_error_probabilities__a_fit_without_wrong_labels_leaves_some_doubt():
    assert error_probabilities(np.array([1e-4]), wrong_share=0.0, classes=10)[0] > 0.5


# ------------------------------------------------------------------------------------------------- the expectation


def density(share, factor):
    """The prior: Beta(4, 1) on the share of those labels that are wrong, Normal(0, 1.5) on the log of the factor."""
    return 4 * share**3 * exp(-((factor / 1.5) ** 2) / 2) / (1.5 * (2 * np.pi) ** 0.5)


def chance(probability, share, factor):
    return share / (1 + exp(-(log(probability / (1 - probability)) + factor)))


def slow_distribution(upcoming, decided, wrong):
    """The number of wrong labels, by enumerating all outcomes and integrating with Simpson's rule."""
    from scipy.integrate import simpson

    shares, factors = np.linspace(1e-6, 1, 81), np.linspace(-6, 6, 81)

    def integral(outcome, of):
        values = [
            [
                density(s, a)
                * prod(
                    chance(p, s, a) if is_wrong else 1 - chance(p, s, a)
                    for p, is_wrong in zip((*decided, *of), (*wrong, *outcome), strict=True)
                )
                for a in factors
            ]
            for s in shares
        ]
        return simpson(simpson(np.array(values), x=factors), x=shares)

    total = integral((), ())
    counts = np.zeros(len(upcoming) + 1)
    for outcome in product((False, True), repeat=len(upcoming)):
        counts[sum(outcome)] += integral(outcome, upcoming) / total
    return counts


@pytest.mark.parametrize(
    ("upcoming", "decided", "wrong"),
    [
        ([0.9, 0.5, 0.1], [], []),
        ([0.8, 0.3], [0.99, 0.9, 0.9], [True, False, False]),
        ([0.7, 0.6, 0.2], [0.95, 0.4, 0.4], [True, True, True]),
        ([0.999], [0.999] * 6, [False] * 6),
    ],
)
def test_expected_errors__is_that_of_an_integral_over_what_is_unknown(upcoming, decided, wrong):
    counts = slow_distribution(upcoming, decided, wrong)
    cumulated = np.cumsum(counts)
    found = expected_errors(np.array(upcoming), np.array(decided), np.array(wrong, dtype=bool))
    assert counts.sum() == pytest.approx(1, abs=1e-3)
    assert found.samples == len(upcoming)
    assert found.expected == pytest.approx(float(counts @ np.arange(len(counts))), abs=0.03)
    low = next(k for k, below in enumerate(cumulated) if below >= 0.05)
    high = next(k for k, below in enumerate(cumulated) if below >= 0.95)
    assert (found.low, found.high) == (low, high)


def test_expected_errors__learns_from_decisions():
    upcoming, decided = np.full(10, 0.9), np.full(10, 0.95)
    before = expected_errors(upcoming, NONE, NEVER)
    good = expected_errors(upcoming, decided, np.zeros(10, dtype=bool))
    bad = expected_errors(upcoming, decided, np.ones(10, dtype=bool))
    assert good.expected < 0.35 * before.expected
    assert bad.expected > 1.2 * before.expected
    assert good.high < before.high
    assert good.high - good.low < before.high - before.low


def test_expected_errors__of_no_labels_is_none():
    found = expected_errors(NONE, NONE, NEVER)
    assert (found.samples, found.expected, found.low, found.high) == (0, 0.0, 0, 0)


def test_expected_errors__a_wider_interval_holds_more():
    of = [expected_errors(np.full(10, 0.6), NONE, NEVER, confidence=share) for share in (0.5, 0.8, 0.99)]
    widths = [one.high - one.low for one in of]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_expected_errors__twenty_thousand_decisions_are_summed_up():
    """The error of binning decisions with like odds is small: the same numbers as for one odds alone."""
    rng = np.random.default_rng(0)
    decided = rng.uniform(0.89, 0.91, size=20_000)
    wrong = rng.random(20_000) < 0.6
    found = expected_errors(np.full(100, 0.9), decided, wrong)
    assert found.expected == pytest.approx(60, abs=2)
    assert found.low <= 60 <= found.high


def test_expected_errors__refuses_what_it_cannot_compute():
    with pytest.raises(ValueError, match="one shape"):
        expected_errors(NONE, np.ones(2), NEVER)
    with pytest.raises(ValueError, match="at most"):
        expected_errors(np.ones(MAX_SAMPLES + 1), NONE, NEVER)


def test_expectation__reads_as_a_sentence():
    found = expected_errors(np.full(10, 0.999999), np.full(60, 0.999), np.ones(60, dtype=bool))
    assert str(found) == "about 10 of the next 10 labels wrong (9 to 10)"


# ------------------------------------------------------------------------------------------- against a known truth


def labelled(seed, samples, classes, wrong_share, mistakes):
    """A queue of known truth: three methods that share an encoder, some confident mistakes of it, wrong labels."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=samples)
    seen = np.where(rng.random(samples) < mistakes, rng.integers(classes, size=samples), truth)
    wrong = rng.random(samples) < wrong_share
    given = np.where(wrong, (truth + rng.integers(1, classes, size=samples)) % classes, truth)
    shared = rng.normal(size=(samples, classes))
    shared[np.arange(samples), seen] += 3 * (0.3 + rng.exponential(size=samples))

    def logits():
        return (1.5 * (shared + 0.5 * rng.normal(size=shared.shape))).astype(np.float32)

    found = find_label_errors({"clip": logits, "wca": logits, "lgca": logits}, given, classes=classes)
    order, fit = np.argsort(found.quality, kind="stable"), found.ensemble
    probabilities = error_probabilities(
        found.quality[order], wrong_share=fit.wrong_share, classes=classes, temperature=fit.value
    )
    return probabilities, wrong[order]


@pytest.mark.parametrize(
    ("samples", "classes", "wrong_share", "mistakes"),
    [(240, 12, 0.05, 0.0), (240, 12, 0.05, 0.05), (1000, 20, 0.05, 0.05), (500, 10, 0.1, 0.02)],
)
def test_expected_errors__the_interval_holds_the_number_about_as_often_as_stated(
    samples, classes, wrong_share, mistakes
):
    inside, errors = [], []
    for seed in range(12):
        probabilities, wrong = labelled(seed, samples, classes, wrong_share, mistakes)
        for at in (0, 10, 20, 30):
            found = expected_errors(probabilities[at : at + 10], probabilities[:at], wrong[:at])
            actual = int(wrong[at : at + 10].sum())
            inside.append(found.low <= actual <= found.high)
            errors.append(found.expected - actual)
    assert np.mean(inside) >= 0.87, "90% are stated"
    assert abs(np.mean(errors)) < 1.2  # of ten
