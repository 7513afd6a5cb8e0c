"""Predictions as evidence about labels: what a label and a confidence say, and that no label vouches for itself."""

from __future__ import annotations

import numpy as np
import pytest

from lgca_plugin.method.labels.label_errors import find_label_errors
from lgca_plugin.method.labels.votes import PARTS, SMOOTHING, UNSURE, vote_logits

CLASSES = 4


def drawn(n=600, *, right=0.8, wrong=0.1, seed=0):
    """True classes, labels of which a share is wrong, and a classifier's answers with honest confidences."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(CLASSES, size=n)
    labels = np.where(rng.random(n) < wrong, (truth + rng.integers(1, CLASSES, n)) % CLASSES, truth)
    confidence = np.clip(rng.normal(right, 0.15, n), 0.3, 0.999)
    answers = np.where(rng.random(n) < confidence, truth, (truth + rng.integers(1, CLASSES, n)) % CLASSES)
    return truth, labels, answers, confidence


def reference(answers, labels, confidence, classes, part_of):
    """The formulas of the module's docstring, a sample at a time, with counts over the other parts."""
    rows = []
    for at, answer in enumerate(answers):
        others = [one for one in range(len(answers)) if part_of[one] != part_of[at]]
        n = len(others)
        share = [(sum(labels[one] == k for one in others) + 1) / (n + classes) for k in range(classes)]
        told = [sum(answers[one] == answer and labels[one] == k for one in others) for k in range(classes)]
        known = [one for one in others if answers[one] < classes]
        agreement = (sum(answers[one] == labels[one] for one in known) + 1) / (len(known) + 2)
        if answer >= classes:
            row = [(told[k] + SMOOTHING * share[k]) / (sum(told) + SMOOTHING) for k in range(classes)]
        else:
            sure = (told[answer] + SMOOTHING * agreement) / (sum(told) + SMOOTHING)
            sure = sure if np.isnan(confidence[at]) else confidence[at]
            sure = min(max(sure, UNSURE), 1 - UNSURE)
            row = [(1 - sure) * share[k] / (1 - share[answer]) for k in range(classes)]
            row[answer] = sure
        rows.append(row)
    return np.array(rows)


def test_vote_logits__are_what_the_formulas_say():
    rng = np.random.default_rng(1)
    _, labels, answers, confidence = drawn(60)
    answers[rng.random(60) < 0.2] = CLASSES + 1  # no class, and one index is never used
    confidence[::3] = np.nan
    found = np.exp(vote_logits(answers, labels, confidence, classes=CLASSES, parts=3).astype(np.float64))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    for part_of in parts_of(60, 3):
        np.testing.assert_allclose(found, reference(answers, labels, confidence, CLASSES, part_of), atol=1e-5)


def parts_of(n, parts):
    """The division into parts that shows in which labels change which rows; there is one."""
    _, labels, answers, _ = drawn(n, seed=3)
    base = vote_logits(answers, labels, classes=CLASSES, parts=parts)
    part_of, number = np.full(n, -1), 0
    for at in range(n):
        changed = labels.copy()
        changed[at] = (labels[at] + 1) % CLASSES
        same = (vote_logits(answers, changed, classes=CLASSES, parts=parts) == base).all(axis=1)
        if part_of[at] < 0:
            part_of[same] = number
            number += 1
    assert number == parts
    yield part_of


@pytest.mark.parametrize("sure", [None, 0.9])
def test_vote_logits__of_a_sample_do_not_depend_on_its_own_label(sure):
    _, labels, answers, _ = drawn(200)
    confidence = None if sure is None else np.full(200, sure)
    before = vote_logits(answers, labels, confidence, classes=CLASSES)
    for at in (0, 57, 199):
        changed = labels.copy()
        changed[at] = (labels[at] + 1) % CLASSES
        after = vote_logits(answers, changed, confidence, classes=CLASSES)
        np.testing.assert_array_equal(after[at], before[at])
        assert (after != before).any()


def test_a_prediction_of_another_list_of_classes_counts_by_the_labels_it_goes_with():
    truth, labels, _, _ = drawn(400, wrong=0.1)
    found = find_label_errors(
        {"other": lambda: vote_logits(truth + CLASSES, labels, classes=CLASSES)}, labels, classes=4
    )
    wrong = labels != truth
    worst = np.argsort(found.quality, kind="stable")[: wrong.sum()]
    assert wrong[worst].all()
    np.testing.assert_array_equal(found.suggestion[worst], truth[worst])


def test_logits_find_most_then_confidences_then_labels_alone():
    shares = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        truth, labels, _, _ = drawn(800, seed=seed)
        logits = 2.5 * np.eye(CLASSES)[truth] + rng.gumbel(size=(800, CLASSES))
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        answers, sure = p.argmax(axis=1), p.max(axis=1)
        judges = [
            logits.astype(np.float32),
            vote_logits(answers, labels, sure, classes=CLASSES),
            vote_logits(answers, labels, classes=CLASSES),
        ]
        wrong = labels != truth
        row = []
        for judge in judges:
            fixed = ["one"] if judge is judges[-1] else []
            quality = find_label_errors({"one": judge.copy}, labels, classes=CLASSES, fixed=fixed).quality
            row.append(wrong[np.argsort(quality, kind="stable")[: wrong.sum()]].mean())
        shares.append(row)
    by_logits, by_confidence, by_label = np.mean(shares, axis=0)
    assert by_logits > by_confidence + 0.02 > by_label + 0.04 > 0.1


def test_parts__are_as_many_as_there_are_samples_at_most():
    labels = np.array([0, 1, 0])
    assert len(labels) < PARTS
    found = vote_logits(labels, labels, classes=2)
    assert np.isfinite(found).all()
    assert vote_logits(labels[:0], labels[:0], classes=2).shape == (0, 2)


def test_find_label_errors__with_answers_missing_asks_those_who_have_answered():
    rng = np.random.default_rng(5)
    labels = rng.integers(3, size=90)
    logits = {name: rng.normal(size=(90, 3)).astype(np.float32) + 3 * np.eye(3)[labels] for name in ("a", "b")}
    there = np.arange(90) % 3 > 0
    both = find_label_errors({name: values.copy for name, values in logits.items()}, labels, classes=3)
    some = find_label_errors(
        {"a": logits["a"].copy, "b": lambda: logits["b"][there]}, labels, classes=3, answered={"b": there}
    )
    alone = find_label_errors({"a": logits["a"].copy}, labels, classes=3)
    np.testing.assert_array_equal(some.quality[~there], alone.quality[~there])
    assert np.isnan(some.by_method["b"]).tolist() == (~there).tolist() == np.isnan(some.calibrated["b"]).tolist()
    mean = (some.by_method["a"] + some.by_method["b"])[there] / 2
    np.testing.assert_allclose(some.quality[there], mean, atol=1e-6)
    np.testing.assert_array_equal(both.by_method["a"], some.by_method["a"])
    with pytest.raises(ValueError, match="no judging method has answered on 30 of 90"):
        find_label_errors({"b": lambda: logits["b"][there]}, labels, classes=3, answered={"b": there})


def test_find_label_errors__of_labels_alone_is_as_sure_as_they_are_often_right():
    truth, labels, answers, _ = drawn(2000, right=0.75)
    logits = vote_logits(answers, labels, classes=CLASSES)
    found = find_label_errors({"one": logits.copy}, labels, classes=CLASSES, fixed=["one"])
    agreement = (answers == labels).mean()
    np.testing.assert_allclose(found.calibrated["one"], agreement, atol=0.06)
    np.testing.assert_allclose(np.exp(logits.max(axis=1)), found.calibrated["one"], atol=1e-5)
    assert (found.calibration["one"].temperature, found.fitted_errors, found.ensemble.n) == (1.0, 0, 0)
    assert found.calibration["one"].error_after < 0.03
    assert ((labels != truth) & found.suspect).sum() > 0.9 * (labels != truth).sum()


def pool_of(*judges, labels, truth):
    """Share of the wrong labels that the pool of judges holds among as many of the lowest quality, and the findings."""
    logits = {str(at): judge.copy for at, judge in enumerate(judges)}
    found = find_label_errors(logits, labels, classes=CLASSES, pooled=True)
    wrong = labels != truth
    return wrong[np.argsort(found.quality, kind="stable")[: wrong.sum()]].mean(), found


def noisy_logits(truth, signal, rng):
    return (signal * np.eye(CLASSES)[truth] + rng.gumbel(size=(len(truth), CLASSES))).astype(np.float32)


def test_a_pool_is_no_worse_than_its_best_member_and_gains_by_independent_ones():
    truth, labels, _, _ = drawn(1500)
    rng = np.random.default_rng(4)
    strong, weak, other = (noisy_logits(truth, signal, rng) for signal in (4.0, 0.7, 3.5))
    alone, _ = pool_of(strong, labels=labels, truth=truth)
    with_weak, found = pool_of(strong, weak, labels=labels, truth=truth)
    with_other, _ = pool_of(strong, other, labels=labels, truth=truth)
    assert with_weak >= alone - 0.01
    assert with_other > alone + 0.03
    assert found.weights["0"] == pytest.approx(1, abs=0.2)
    assert found.fitted_errors == pytest.approx((labels != truth).sum(), rel=0.25)


def test_a_pool_counts_two_that_say_the_same_once_and_noise_not_at_all():
    truth, labels, _, _ = drawn(1500)
    rng = np.random.default_rng(5)
    logits = noisy_logits(truth, 3.0, rng)
    alone, single = pool_of(logits, labels=labels, truth=truth)
    twice, found = pool_of(logits, logits, rng.gumbel(size=logits.shape).astype(np.float32), labels=labels, truth=truth)
    assert found.weights["0"] + found.weights["1"] == pytest.approx(1, abs=0.1)
    assert found.weights["0"] == pytest.approx(found.weights["1"], abs=0.05)
    assert found.weights["2"] < 0.5
    np.testing.assert_allclose(found.quality, single.quality, atol=0.05)
    assert twice == pytest.approx(alone, abs=0.02)


def test_a_pool_takes_a_missing_answer_for_none():
    truth, labels, _, _ = drawn(600)
    rng = np.random.default_rng(6)
    a, b = noisy_logits(truth, 3.0, rng), noisy_logits(truth, 3.0, rng)
    there = rng.random(600) < 0.7
    found = find_label_errors(
        {"a": a.copy, "b": lambda: b[there]}, labels, classes=CLASSES, answered={"b": there}, pooled=True
    )
    scaled = found.weights["a"] / found.calibration["a"].temperature * a
    scaled[there] += found.weights["b"] / found.calibration["b"].temperature * b[there]
    p = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.quality, p[np.arange(600), labels], atol=1e-4)
