"""The sentence about a suspect, and the region that is marked."""

from typing import Any

import numpy as np
import pytest

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.workflows.review.reason import (
    MAX_AREA,
    DecidingRegion,
    deciding_region,
    marked_sentence,
    reason_sentence,
)
from tests.helpers.worlds.evidence import CLASSES, evidence_of
from tests.helpers.worlds.random_runs import World

HERON, EGRET, TERN = "grey heron", "great egret", "tern"
PART = (0.1, 0.1, 0.5, 0.5)


SENTENCES: list[tuple[list[str], dict[str, Any], str]] = [
    ([EGRET] * 3, {}, "All 3 methods see “great egret”."),
    ([EGRET] * 3, {"confidence": 0.4}, "All 3 methods lean towards “great egret”."),
    ([EGRET] * 3, {"together": EGRET}, "All 4 methods see “great egret”."),
    ([EGRET, EGRET], {}, "Both methods see “great egret”."),
    ([EGRET], {"confidence": 0.1}, "The method leans towards “great egret”."),
    ([HERON, EGRET, EGRET, EGRET], {}, "3 of 4 methods see “great egret”, 1 sees “grey heron”."),
    ([HERON, EGRET, TERN, HERON], {}, "1 of 4 methods sees “great egret”, 2 see “grey heron”, 1 sees “tern”."),
    (
        [HERON, EGRET, EGRET],
        {"together": EGRET},
        "All models together see “great egret”, but 1 of 3 methods sees “grey heron”.",
    ),
    (
        [HERON, HERON, HERON],
        {"together": EGRET},
        "All models together see “great egret”, but all 3 methods see “grey heron”.",
    ),
    ([HERON, EGRET, EGRET], {"together": TERN}, "2 of 3 methods see “great egret”, 1 sees “grey heron”."),
    (
        [HERON, TERN, TERN],
        {},
        (
            "1 of 3 methods sees “grey heron”, 2 see “tern”; taken together, the methods find “great egret” more "
            "likely than “grey heron”."
        ),
    ),
    (
        [TERN] * 3,
        {},
        "All 3 methods see “tern”; taken together, the methods find “great egret” more likely than “grey heron”.",
    ),
    ([], {}, "Taken together, the methods find “great egret” more likely than “grey heron”."),
]


@pytest.mark.parametrize(("seen", "options", "sentence"), SENTENCES)
def test_reason_sentence__says_how_many_see_what(seen, options, sentence):
    assert reason_sentence(seen, HERON, EGRET, **options) == sentence


def test_reason_sentence__has_no_technical_term():
    for seen, options, _ in SENTENCES:
        words = reason_sentence(seen, HERON, EGRET, **options).lower()
        assert not any(term in words for term in ("clip", "wca", "crop", "margin", "region", "softmax", "logit"))


@pytest.mark.parametrize(
    ("region", "sentence"),
    [
        (DecidingRegion(box=PART, vote=EGRET), "Framed: the part that speaks most clearly for “great egret”."),
        (DecidingRegion(box=PART, vote=TERN), "Framed: the part that speaks most clearly against “grey heron”."),
        (DecidingRegion(box=(0.1, 0.1, 0.6, 0.6), vote=EGRET), ""),
        (None, ""),
    ],
)
def test_marked_sentence__names_what_is_framed_and_nothing_where_it_is_most_of_the_picture(region, sentence):
    assert marked_sentence(region, EGRET, HERON) == sentence


@pytest.mark.parametrize("seed", range(30))
def test_deciding_region__is_the_largest_of_a_loop_over_all(seed):
    evidence = evidence_of(World(seed))
    suggested, given = CLASSES[seed % 4], CLASSES[(seed + 1) % 4]
    vectors = evidence.verdicts.scoring.exact_vectors["lgca"]
    direction = vectors[CLASSES.index(suggested)] - vectors[CLASSES.index(given)]
    best, most = None, 0.0
    for number in range(len(evidence.step)):
        _, _, width, height = evidence.boxes[number]
        weight = evidence.weights["lgca"][number]
        pull = float(weight * (evidence.verdicts.image.regions[number] @ direction))
        if width * height <= MAX_AREA and pull > most:
            best, most = number, pull
    found = deciding_region(evidence, suggested, given)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert np.allclose(found.box, evidence.boxes[best])
    assert found.vote == CLASSES[evidence.vote[best]]


def test_deciding_region__is_not_the_whole_picture():
    evidence = evidence_of(World(1))
    evidence.boxes[:] = (0.0, 0.0, 1.0, 0.9)
    assert deciding_region(evidence, CLASSES[0], CLASSES[1]) is None
    evidence.boxes[3] = (0.0, 0.0, 0.5, 0.5)
    found = [deciding_region(evidence, a, b) for a in CLASSES for b in CLASSES if a != b]
    assert {one.box for one in found if one is not None} == {(0.0, 0.0, 0.5, 0.5)}


def test_deciding_region__of_labels_outside_the_classes_or_without_regions_is_none():
    assert deciding_region(evidence_of(World(0)), CLASSES[0], "penguin") is None
    assert deciding_region(evidence_of(World(0), {"clip": METHODS["clip"]}), CLASSES[0], CLASSES[1]) is None
