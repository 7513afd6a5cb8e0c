"""Label errors: the findings equal cleanlab's own and a plain loop's, and odd label sets are no obstacle."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.labels.calibration import FIT_SAMPLES, calibrate, fit_temperature
from lgca_plugin.method.labels.label_errors import find_label_errors
from tests.helpers.checks import all_of


def world(n, classes, *, seed, methods=3, wrong=0.1, signal=3.0):
    """Logits of methods that share most of their noise, truth, and given labels of which a share is wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(classes, size=n)
    labels = truth.copy()
    chosen = rng.choice(n, round(wrong * n), replace=False)
    labels[chosen] = (truth[chosen] + rng.integers(1, classes, len(chosen))) % classes
    shared = rng.standard_normal((n, classes)) + signal * np.eye(classes)[truth]
    logits = {
        f"method{i}": (2 * (shared + 0.5 * rng.standard_normal((n, classes)))).astype(np.float32)
        for i in range(methods)
    }
    return logits, labels, truth


def find(logits, labels, classes):
    return find_label_errors({name: values.copy for name, values in logits.items()}, labels, classes=classes)


def mean_probabilities(logits, labels):
    return np.mean([calibrate(values.copy(), labels).probabilities for values in logits.values()], axis=0)


def slow_suspects(probabilities, labels):
    """Confident learning, sample by sample: whom it counts, and the confident joint as counts by (given, believed)."""
    n, classes = probabilities.shape
    thresholds = {}
    for k in range(classes):
        own = [float(probabilities[i, k]) for i in range(n) if labels[i] == k]
        if own:
            thresholds[k] = sum(own) / len(own)
    suspects, joint = [], np.zeros((classes, classes))
    for i in range(n):
        row = probabilities[i].tolist()
        reached = [k for k, threshold in thresholds.items() if row[k] >= threshold - 1e-6]
        if reached:
            believed = reached[0] if len(reached) == 1 else row.index(max(row))
            joint[labels[i], believed] += 1
            if believed != labels[i] and max(row) - row[labels[i]] > 1e-6:
                suspects.append(i)
    return suspects, joint


def slow_estimate(joint, labels):
    """The share of each given label off the diagonal, applied to all samples with that label."""
    total = 0.0
    for k, row in enumerate(joint):
        elsewhere = row.sum() - row[k]
        total += (labels == k).sum() * elsewhere / (elsewhere + max(row[k], 1))
    return total


@pytest.mark.parametrize(("n", "classes"), [(400, 5), (300, 40)])
def test_find_label_errors__suspects_equal_a_plain_loop(n, classes):
    logits, labels, _ = world(n, classes, seed=1)
    found = find(logits, labels, classes)
    probabilities = mean_probabilities(logits, labels)
    counted, joint = slow_suspects(probabilities, labels)
    own = [float(probabilities[i, labels[i]]) for i in range(n)]
    lowest = sorted(range(n), key=lambda i: own[i])[: len(counted)]
    suspects = sorted(i for i in lowest if probabilities[i].max() - own[i] > 1e-6)
    assert np.flatnonzero(found.suspect).tolist() == suspects and suspects
    assert suspects != counted  # on these data the two rules differ
    assert found.joint.estimated_errors == pytest.approx(slow_estimate(joint, labels), abs=0.5 + 0.02 * n)


@pytest.mark.parametrize(("n", "classes"), [(600, 6), (200, 30), (50, 80)])
def test_find_label_errors__equals_cleanlabs_own_functions(n, classes):
    from cleanlab.count import num_label_issues
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_ensemble_scores

    logits, labels, _ = world(n, classes, seed=2, signal=2.0)
    found = find(logits, labels, classes)
    each = [calibrate(values.copy(), labels).probabilities for values in logits.values()]
    mean = np.mean(each, axis=0)
    issues = find_label_issues(labels, mean, filter_by="low_self_confidence", n_jobs=1)
    np.testing.assert_array_equal(found.suspect, issues & (mean.argmax(axis=1) != labels))
    estimate = num_label_issues(labels, mean, estimation_method="off_diagonal_calibrated")
    assert abs(found.joint.estimated_errors - estimate) <= 1
    scores = get_label_quality_ensemble_scores(labels, each, weight_ensemble_members_by="uniform", verbose=False)
    np.testing.assert_allclose(found.quality, scores, rtol=1e-5, atol=1e-7)


def test_find_label_errors__what_each_number_is():
    logits, labels, _ = world(300, 6, seed=3)
    found = find(logits, labels, 6)
    mean = mean_probabilities(logits, labels)
    rows = np.arange(300)
    assert list(found.by_method) == list(found.calibrated) == list(found.calibration) == list(logits)
    for name, values in logits.items():
        alone = calibrate(values.copy(), labels)
        np.testing.assert_allclose(found.by_method[name], alone.probabilities[rows, labels])
        np.testing.assert_allclose(found.calibrated[name], alone.probabilities[rows, values.argmax(axis=1)], rtol=1e-6)
        assert found.calibration[name] == alone.calibration
    np.testing.assert_allclose(found.quality, np.mean(list(found.by_method.values()), axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found.suggestion, mean.argmax(axis=1))
    np.testing.assert_allclose(found.suggestion_confidence, mean.max(axis=1), rtol=1e-6)
    fit = fit_temperature(np.log(mean), labels)
    assert (found.ensemble.value, found.ensemble.wrong_share) == pytest.approx((fit.value, fit.wrong_share), rel=0.01)
    assert found.warnings == ()


def test_find_label_errors__an_ensemble_of_sure_methods_that_err_apart_is_less_sure_than_it_could_be():
    rng = np.random.default_rng(0)
    labels = rng.integers(6, size=600)
    apart = {f"m{i}": (3 * (np.eye(6)[labels] + 0.7 * rng.standard_normal((600, 6)))).astype("f4") for i in range(4)}
    assert find(apart, labels, 6).ensemble.value < 0.8
    one = {"m0": apart["m0"]}
    assert find(one, labels, 6).ensemble.value == pytest.approx(1, abs=0.02)  # it is calibrated already


def test_find_label_errors__the_ensemble_is_of_those_that_judge():
    logits, labels, _ = world(300, 6, seed=4)
    one, *_ = logits
    judged = {name: values.copy for name, values in logits.items()}
    found = find_label_errors(judged, labels, classes=6, judging=[one])
    alone, every = find({one: logits[one]}, labels, 6), find(logits, labels, 6)
    for name in ("quality", "suspect", "suggestion", "suggestion_confidence"):
        np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))
    assert (found.joint, found.fitted_errors) == (alone.joint, alone.fitted_errors)
    assert found.calibration == every.calibration
    assert list(found.by_method) == list(logits)
    with pytest.raises(ValueError, match="judging must name at least one of"):
        find_label_errors(judged, labels, classes=6, judging=["none"])


def test_find_label_errors__pairs_count_the_suspects():
    # six classes; samples given 1 that all methods take for 4, thrice, and given 0 for 2, twice
    labels = np.arange(60) % 6
    seen = labels.copy()
    thrice, twice = np.flatnonzero(labels == 1)[:3], np.flatnonzero(labels == 0)[:2]
    seen[thrice], seen[twice] = 4, 2
    logits = 6 * np.eye(6, dtype=np.float32)[seen]
    found = find({"only": logits}, labels, 6)
    assert set(np.flatnonzero(found.suspect)) == {*thrice, *twice}
    assert found.suggestion[thrice].tolist() == [4, 4, 4] and found.suggestion[twice].tolist() == [2, 2]
    assert found.joint.pairs == ((1, 4, 3), (0, 2, 2))
    assert found.joint.estimated_errors == 5
    assert found.quality[found.suspect].max() < found.quality[~found.suspect].min()


def test_find_label_errors__finds_wrong_labels():
    logits, labels, truth = world(1500, 10, seed=4, wrong=0.08)
    found = find(logits, labels, 10)
    wrong = labels != truth
    first = np.argsort(found.quality)[: wrong.sum()]
    assert wrong[first].mean() > 0.75
    assert wrong[found.suspect].mean() > 0.6 and found.suspect[wrong].mean() > 0.8
    right = found.suggestion[found.suspect & wrong] == truth[found.suspect & wrong]
    assert right.mean() > 0.85
    assert 0.5 * wrong.sum() < found.joint.estimated_errors < 2 * wrong.sum()
    assert found.fitted_errors == pytest.approx(wrong.sum(), rel=0.15)


def test_find_label_errors__of_two_classes_half_of_the_random_labels_are_wrong():
    """With two classes every other time: as many are wrong as half the fitted share."""
    logits, labels, truth = world(3000, 2, seed=6, wrong=0.1, signal=6.0)
    assert find(logits, labels, 2).fitted_errors == pytest.approx((labels != truth).sum(), rel=0.3)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 70),
    classes=st.integers(1, 25),
    given_classes=st.integers(1, 25),
    methods=st.integers(1, 4),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4]),
    coarse=st.booleans(),
)
def test_find_label_errors__holds_for_any_labels(seed, n, classes, given_classes, methods, scale, coarse):
    rng = np.random.default_rng(seed)
    labels = rng.integers(min(classes, given_classes), size=n)
    logits = {}
    for i in range(methods):
        values = rng.standard_normal((n, classes))
        logits[f"m{i}"] = (scale * (values.round() if coarse else values)).astype(np.float32)  # coarse: with ties
    found = find(logits, labels, classes)
    for values in (found.quality, found.suggestion_confidence, *found.by_method.values(), *found.calibrated.values()):
        assert values.shape == (n,) and values.dtype == np.float64
        assert ((values >= 0) & (values <= 1)).all()
    assert found.suspect.shape == found.suggestion.shape == (n,)
    assert (found.suggestion[found.suspect] != labels[found.suspect]).all()
    assert (found.quality[found.suspect] < found.suggestion_confidence[found.suspect]).all()
    pairs = found.joint.pairs
    assert sum(count for _, _, count in pairs) == found.suspect.sum()
    assert list(pairs) == sorted(pairs, key=lambda pair: (-pair[2], pair[:2]))
    assert all(given != suggested for given, suggested, _ in pairs)
    assert 0 <= found.joint.estimated_errors <= n and 0 <= found.fitted_errors <= n


def test_find_label_errors__one_class_given_to_all_makes_no_suspect():
    logits, _, _ = world(50, 4, seed=5)
    found = find(logits, np.full(50, 2), 4)
    assert not found.suspect.any() and found.joint == type(found.joint)(estimated_errors=0, pairs=())
    assert "3 of 4 classes" in found.warnings[0]


def test_find_label_errors__equal_probabilities_make_no_suspect():
    found = find({"undecided": np.zeros((40, 4), dtype=np.float32)}, np.arange(40) % 4, 4)
    assert not found.suspect.any()
    np.testing.assert_allclose(found.quality, 0.25)


def test_find_label_errors__probabilities_that_underflow_are_zero():
    labels = np.array([0, 1, 1])
    logits = np.array([[0, 1e5, 0], [0, 1e5, 0], [0, 1e5, 0]], dtype=np.float32)
    found = find({"sure": logits}, labels, 3)
    assert found.quality.tolist() == [0, 1, 1] and found.suspect.tolist() == [True, False, False]


def test_find_label_errors__few_labels_are_not_calibrated_and_there_is_a_warning():
    logits, labels, _ = world(29, 3, seed=6, wrong=0)
    found = find(logits, labels, 3)
    assert {fit.temperature for fit in found.calibration.values()} == {1.0} and found.fitted_errors == 0
    assert len(found.warnings) == 1 and "only 29 samples" in found.warnings[0] and "30" in found.warnings[0]


def test_find_label_errors__warns_about_classes_without_a_label():
    logits, labels, _ = world(90, 9, seed=7, wrong=0)
    usable = labels < 7
    found = find({name: values[usable] for name, values in logits.items()}, labels[usable], 9)
    assert len(found.warnings) == 1 and "2 of 9 classes" in found.warnings[0]


@pytest.mark.parametrize(("shifted", "untrusted"), [(8, []), (6, ["method0", "method1"]), (4, [])])
def test_find_label_errors__warns_about_labels_with_another_meaning(shifted, untrusted):
    logits, labels, _ = world(400, 8, seed=8, wrong=0, methods=2, signal=8.0)
    found = find(logits, np.where(np.arange(400) % 10 < shifted, (labels + 1) % 8, labels), 8)
    assert any("class names" in warning for warning in found.warnings) == (found.suspect.mean() > 0.5)
    assert found.suspect.mean() > 0.5 or shifted == 4
    assert [warning.split()[0] for warning in found.warnings if "contradicts" in warning] == untrusted


def test_find_label_errors__accepts_lists_float64_and_read_only_logits():
    logits, labels, _ = world(60, 4, seed=9, methods=1)
    expected = find(logits, labels, 4)
    for variant in (logits["method0"].astype(np.float64), np.asfortranarray(logits["method0"])):
        variant.flags.writeable = False
        found = find_label_errors({"method0": partial(np.asarray, variant)}, labels.tolist(), classes=4)
        np.testing.assert_allclose(found.quality, expected.quality, rtol=1e-6)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ({}, np.array([0, 1]), ["logits", "empty"]),
        ({"wca": np.zeros((2, 4))}, np.array([0, 1]), ["'wca'", "(2, 3)", "(2, 4)"]),
        ({"wca": np.zeros((2, 3))}, np.array([0, 3]), ["labels", "0 to 2", "0 to 3"]),
        ({"wca": np.full((2, 3), np.nan)}, np.array([0, 1]), ["logits", "finite"]),
    ],
)
def test_find_label_errors__rejects_bad_input(logits, labels, words):
    with pytest.raises(ValueError, match=all_of(words)):
        find(logits, labels, 3)


def test_find_label_errors__holds_two_matrices_whatever_the_number_of_methods():
    n, classes = 20_000, 200
    labels = np.arange(n) % classes

    def compute(seed):
        values = np.random.default_rng(seed).standard_normal((n, classes), dtype=np.float32)
        values[np.arange(n), labels] += 4
        return values

    find_label_errors({"first": lambda: compute(0)[:50]}, labels[:50], classes=classes)  # imports
    tracemalloc.start()
    try:
        find_label_errors({f"m{i}": partial(compute, i) for i in range(4)}, labels, classes=classes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    matrix = 4 * n * classes
    assert n > 4 * FIT_SAMPLES
    assert peak < 2.6 * matrix


def test_find_label_errors__is_silent(capfd, caplog, recwarn):
    logits, labels, _ = world(200, 12, seed=10)
    find(logits, labels, 12)
    find(logits, np.zeros(200, dtype=int), 12)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records and not list(recwarn)


def test_find_label_errors__cleanlab_is_imported_when_it_is_needed():
    script = (
        "import sys, lgca_plugin.method.labels.label_errors as m; "
        "print([name for name in ('cleanlab', 'scipy', 'sklearn', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
