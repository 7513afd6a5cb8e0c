"""Mixes of classes: which images are in them, which labels are wrong, and what known shares of the classes correct."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.answers import OURS, Answers
from benchmarks.accuracy.image_sets import of_files
from benchmarks.accuracy.mixes import (
    MIXES,
    SHARES,
    WRONG,
    corrected,
    few_classes,
    given_labels,
    skewed,
    without_some_classes,
)

CLASSES = 12
EACH = 60
TRUTH = np.arange(CLASSES * EACH) % CLASSES


def rng():
    return np.random.default_rng(3)


def test_zipf__classes_have_one_over_their_rank_of_the_images_of_the_first():
    (rows,) = skewed(TRUTH, rng())
    assert len(np.unique(rows)) == len(rows)
    counts = np.sort(np.bincount(TRUTH[rows]))[::-1]
    assert counts.tolist() == [round(EACH / rank) for rank in range(1, CLASSES + 1)]


def test_few_classes__groups_hold_a_quarter_of_the_classes_and_every_image_once():
    groups = few_classes(TRUTH, rng())
    assert [len(np.unique(TRUTH[rows])) for rows in groups] == [3, 3, 3, 3]
    assert np.sort(np.concatenate(groups)).tolist() == list(range(len(TRUTH)))


def test_unlisted__one_class_of_twelve_is_no_longer_listed():
    names = [f"class {label}" for label in range(CLASSES)]
    images = of_files("set", [(Path(f"{row}.jpg"), names[label]) for row, label in enumerate(TRUTH)], names)
    fewer = without_some_classes(images)
    assert len(fewer.classes) == CLASSES - 1
    assert (fewer.truth < 0).sum() == EACH
    for label, own in zip(TRUTH.tolist(), fewer.truth.tolist(), strict=True):
        assert own < 0 or fewer.classes[own] == names[label]


def test_labels__a_tenth_are_wrong_and_images_of_no_class_have_any():
    truth = np.where(np.arange(6000) % 4 == 0, -1, np.arange(6000) % 5)
    labels = given_labels(truth, 5, rng())
    listed = truth >= 0
    assert (labels[listed] != truth[listed]).mean() == pytest.approx(WRONG, abs=0.015)
    assert np.bincount(labels[~listed], minlength=5).min() > 200
    assert labels.min() == 0 and labels.max() == 4


@pytest.mark.parametrize("mix", MIXES)
def test_shares__correct_a_method_that_favours_a_class(mix):
    logits = rng().normal(size=(len(TRUTH), CLASSES))
    logits[np.arange(len(TRUTH)), TRUTH] += 2.5
    logits[:, 0] += 2.0
    seen = np.ones(len(TRUTH), bool)
    seen[5] = False
    vectors = np.zeros((len(TRUTH), 2))
    found = Answers(seen=seen, logits={OURS: logits}, vectors=vectors, classes=np.zeros((CLASSES, 2)), logit_scale=1.0)
    made = {name: (right, counted) for name, right, counted in corrected(found, TRUTH, mix)}
    (right, counted), (corrected_right, same) = made[OURS], made[SHARES]
    assert (counted == same).all() and not counted[5]
    assert (right[counted] == (logits.argmax(axis=1) == TRUTH)[counted]).all()
    assert corrected_right[counted].mean() > right[counted].mean() + 0.04
