"""The sentence about a suspect, and the region that is marked."""

import numpy as np
import pytest

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.workflows.review.reason import MAX_AREA, DecidingRegion, deciding_region, reason_sentence
from tests.helpers.worlds.evidence import CLASSES, evidence_of
from tests.helpers.worlds.random_runs import World

HERON, EGRET, TERN = "grey heron", "great egret", "tern"
BOX = (0.1, 0.1, 0.5, 0.5)


def region(vote=EGRET, crops=60, crops_for=41):
    return DecidingRegion(box=BOX, vote=vote, crops=crops, crops_for=crops_for)


def labels(whole, crops, chains, learned=None, *, clearest=None):
    seen = [("none", whole), ("crops", crops), ("chains", chains), ("decisive", clearest), ("learned", learned)]
    return [(kind, label) for kind, label in seen if label is not None]


SENTENCES = [
    (
        labels(EGRET, EGRET, EGRET),
        {"region": region()},
        "All three methods see “great egret”, and so do 41 of 60 crops; the marked part speaks most clearly for it.",
    ),
    (
        labels(EGRET, EGRET, EGRET),
        {"region": region(crops=6, crops_for=6), "confidence": 0.4},
        (
            "All three methods lean towards “great egret”, and so do all 6 crops; the marked part speaks most clearly "
            "for it."
        ),
    ),
    (
        labels(EGRET, EGRET, EGRET),
        {"region": region(crops_for=30, vote=TERN)},
        "All three methods see “great egret”; the marked part speaks most clearly against “grey heron”.",
    ),
    (labels(EGRET, EGRET, EGRET), {}, "All three methods see “great egret”."),
    (labels(EGRET, EGRET, EGRET, EGRET), {}, "All four methods see “great egret”."),
    (labels(EGRET, EGRET, EGRET, clearest=EGRET), {}, "All four methods see “great egret”."),
    (labels(EGRET, EGRET, EGRET, EGRET, clearest=EGRET), {}, "All five methods see “great egret”."),
    (
        labels(HERON, EGRET, EGRET, clearest=EGRET),
        {},
        (
            "The crops, alone and with their surroundings, and the clearest crops say “great egret”, only the whole "
            "picture says “grey heron”."
        ),
    ),
    (
        labels(EGRET, HERON, EGRET, clearest=EGRET),
        {},
        (
            "The whole picture, the crops with their surroundings and the clearest crops say “great egret”, only the "
            "crops say “grey heron”."
        ),
    ),
    (
        labels(HERON, EGRET, TERN, EGRET),
        {},
        (
            "The crops and all models together say “great egret”, but the whole picture says “grey heron” and the "
            "crops with their surroundings say “tern”."
        ),
    ),
    (
        labels(HERON, EGRET, EGRET, EGRET),
        {},
        (
            "The crops, alone and with their surroundings, and all models together say “great egret”, only the whole "
            "picture says “grey heron”."
        ),
    ),
    (
        labels(HERON, HERON, HERON, EGRET),
        {},
        (
            "All models together say “great egret”, but the whole picture and the crops, alone and with their "
            "surroundings, say “grey heron”."
        ),
    ),
    (
        labels(HERON, EGRET, EGRET),
        {},
        "The crops, alone and with their surroundings, say “great egret”, only the whole picture says “grey heron”.",
    ),
    (
        labels(EGRET, HERON, EGRET),
        {"region": region()},
        (
            "The whole picture and the crops with their surroundings say “great egret”, only the crops say “grey "
            "heron”; the marked part speaks most clearly for “great egret”."
        ),
    ),
    (
        labels(EGRET, HERON, HERON),
        {},
        "The whole picture says “great egret”, but the crops, alone and with their surroundings, say “grey heron”.",
    ),
    (
        labels(HERON, EGRET, TERN),
        {},
        (
            "The crops say “great egret”, but the whole picture says “grey heron” and the crops with their "
            "surroundings say “tern”."
        ),
    ),
    (
        labels(HERON, TERN, TERN),
        {"region": region()},
        (
            "The whole picture says “grey heron”; the crops, alone and with their surroundings, say “tern”; taken "
            "together, the methods find “great egret” more likely than “grey heron”."
        ),
    ),
    ([], {}, "Taken together, the methods find “great egret” more likely than “grey heron”."),
    ([("none", EGRET), ("crops", EGRET)], {}, "Both methods see “great egret”."),
    ([("crops", EGRET)], {"confidence": 0.1}, "The method leans towards “great egret”."),
]


@pytest.mark.parametrize(("seen", "options", "sentence"), SENTENCES)
def test_reason_sentence__says_who_sees_what(seen, options, sentence):
    assert reason_sentence(seen, HERON, EGRET, **options) == sentence


def test_reason_sentence__has_no_technical_term():
    for seen, options, _ in SENTENCES:
        words = reason_sentence(seen, HERON, EGRET, **options).lower()
        assert not any(term in words for term in ("clip", "wca", "lgca", "margin", "region", "softmax", "logit"))


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
    crops = [CLASSES[vote] for vote, step in zip(evidence.vote, evidence.step, strict=True) if step == 0]
    assert (found.crops, found.crops_for) == (len(crops), crops.count(suggested))


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
