"""Which column of stored logits belongs to which class."""

from __future__ import annotations

import numpy as np

from lgca_plugin.method.labels.logit_columns import logit_columns

NAMES = ["wren", "duck", "crow"]
BEST = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0]
LABELS = [NAMES[at] for at in BEST]
CLASSES = ("crow", "duck", "wren")


def columns(best, labels, width, lists=(), classes=CLASSES):
    found = logit_columns(best, labels, width, classes, lists)
    return None if found is None else found.tolist()


def test_the_first_list_that_fits_the_predictions_is_taken():
    assert columns(BEST, LABELS, 3, [CLASSES, ["a", "b"], NAMES]) == [2, 1, 0]


def test_without_a_list_the_predictions_show_the_order():
    assert columns(BEST, LABELS, 3) == [2, 1, 0]
    assert columns(BEST, LABELS, 5) == [2, 1, 0]  # two more that are never predicted


def test_a_class_that_is_never_predicted_has_a_column_only_by_a_list():
    best, labels = [0, 1, 0, 1], ["wren", "duck", "wren", "duck"]
    assert columns(best, labels, 3) == [-1, 1, 0]
    assert columns(best, labels, 3, [NAMES]) == [2, 1, 0]


def test_a_few_predictions_that_were_edited_since_do_not_count():
    labels = [*LABELS * 3, "duck"]
    assert columns([*BEST * 3, 0], labels, 3, [NAMES]) == [2, 1, 0]
    assert columns([*BEST * 3, 0], labels, 3) == [2, 1, 0]


def test_labels_that_have_nothing_to_do_with_the_logits_give_nothing():
    rng = np.random.default_rng(0)
    best = rng.integers(3, size=60).tolist()
    assert columns(best, [NAMES[at] for at in rng.integers(3, size=60)], 3, [NAMES]) is None
    assert columns([0, 1, 2] * 5, ["wren"] * 15, 3) is None  # one name for several columns
    assert columns([], [], 3, [NAMES]) is None
