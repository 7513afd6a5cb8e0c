"""The film strip's numbers are the evidence's, in the order in which a person should look."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.errors import ConfigError
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.film_strip import rivals, strip, strip_of_boxes, wca_pull
from lgca_plugin.method.explain.sentences import evidence_sentences, method_answers
from tests.helpers.worlds.evidence import CLASSES, disagreeing, evidence_of
from tests.helpers.worlds.random_runs import N_CHAINS, N_CROPS, World

EVERYTHING = 100


def misleading_pair(seen: Evidence) -> tuple[str, str]:
    assert seen.misleading_pair
    return seen.misleading_pair


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_strip__its_numbers_are_the_evidences_and_sum_to_the_margin(seed: int, data: st.DataObject) -> None:
    seen = evidence_of(World(seed))
    method = data.draw(st.sampled_from(["wca", "lgca", "lgca_d", "wca_global", "crops_mean"]))
    a, b = data.draw(st.permutations(CLASSES))[:2]
    # At least one region of the method's own stays.
    gone = data.draw(st.sets(st.integers(1, len(seen.step) - 1), max_size=4))
    found = strip(seen, method=method, a=a, b=b, chains=data.draw(st.integers(1, 9)), out=gone)
    left = seen.without(gone)
    total = found.others + found.of_whole
    for chain in found.chains:
        assert [frame.step for frame in chain.frames] == sorted(seen.step[seen.chain == chain.number].tolist())
        for frame in chain.frames:
            r = frame.region
            assert (seen.chain[r], seen.step[r]) == (chain.number, frame.step)
            assert frame.box == tuple(seen.boxes[r])
            assert frame.vote == CLASSES[seen.vote[r]]
            assert frame.weight == left.weights[method][r]
            assert frame.contribution == left.contributions(method, a, b)[r]
            assert frame.similarity == seen.similarity[r]
            assert (frame.misleading, frame.out) == (bool(seen.misleading[r]), r in gone)
            total += frame.contribution
        assert chain.flipped == (chain.frames[0].vote != chain.frames[-1].vote)
        assert chain.flipped == seen.flips.get(chain.number, False)
    assert total == pytest.approx(found.margin, abs=1e-9)
    assert found.margin == pytest.approx(left.margin(method, a, b))
    assert (found.names, found.method) == ((a, b), method)


def test_strip__misleading_crops_come_first_by_their_pull_then_by_contribution() -> None:
    seen = disagreeing()
    found = strip(seen, chains=EVERYTHING)
    a, b = misleading_pair(seen)
    assert found.names == (a, b) == (seen.labels["wca"], seen.labels["lgca"])
    pulls = [chain.pull for chain in found.chains]
    misleading = [chain for chain in found.chains if chain.pull is not None]
    assert pulls[: len(misleading)] == sorted((chain.pull or 0.0 for chain in misleading), reverse=True)
    assert {chain.frames[0].region for chain in misleading} == set(np.flatnonzero(seen.misleading))
    assert pulls[len(misleading) :] == [None] * (found.n_chains - len(misleading))
    shares = seen.contributions("lgca", a, b)
    rest = [abs(shares[seen.chain == chain.number]).sum() for chain in found.chains[len(misleading) :]]
    assert rest == sorted(rest, reverse=True)
    # The order stays when regions are taken out, so that a person finds them again.
    first = found.chains[0].frames[0].region
    assert [c.number for c in strip(seen, chains=EVERYTHING, out=[first]).chains] == [c.number for c in found.chains]


def test_strip__pull_is_a_crops_share_of_the_contributions_to_wcas_label() -> None:
    seen = disagreeing()
    shares = seen.contributions("wca", *seen.misleading_pair).tolist()
    towards = sum(share for share in shares if share > 0)
    expected = [
        share / towards if misled else 0.0 for share, misled in zip(shares, seen.misleading.tolist(), strict=True)
    ]
    assert wca_pull(seen).tolist() == pytest.approx(expected)
    assert 0 < sum(expected) <= 1
    chains = strip(seen, chains=EVERYTHING).chains
    assert {chain.frames[0].region: chain.pull for chain in chains if chain.pull} == pytest.approx(
        {r: share for r, share in enumerate(expected) if share}
    )


def test_strip__has_misleading_crops_that_lgca_does_not_use() -> None:
    found = (evidence_of(World(seed)) for seed in range(400))
    seen = next(one for one in found if one.misleading[N_CHAINS:N_CROPS].any())
    shown = {chain.number: chain for chain in strip(seen, chains=EVERYTHING).chains}
    beyond = [number for number in range(N_CHAINS, N_CROPS) if seen.misleading[number]]
    assert all(shown[number].frames[0].weight == 0 for number in beyond)


def test_strip__the_whole_image_has_its_vote_and_its_weight() -> None:
    world = World(7)
    seen = evidence_of(world)
    for method, weight in (("wca", 0.0), ("wca_global", 0.5)):
        found = strip(seen, method=method)
        scores = [float(world.whole[0] @ vector) for vector in world.class_vectors(METHODS[method])]
        assert found.whole_vote == CLASSES[scores.index(max(scores))]
        assert found.whole_weight == weight
        assert found.of_whole == seen.global_contribution(method, *found.names)


def test_strip__a_method_that_has_lost_all_has_no_numbers() -> None:
    seen = evidence_of(World(3))
    found = strip(seen, out=range(len(seen.step)))
    assert math.isnan(found.margin)
    assert all(math.isnan(frame.contribution) and frame.out for chain in found.chains for frame in chain.frames)


def test_rivals__are_those_that_disagree_else_label_and_given_else_label_and_runner_up() -> None:
    seen = disagreeing()
    assert rivals(seen) == rivals(seen, given="duck") == (seen.labels["wca"], seen.labels["lgca"])
    agreeing = next(one for one in (evidence_of(World(seed)) for seed in range(99)) if not one.misleading_pair)
    label = agreeing.labels["lgca"]
    order = sorted(CLASSES, key=lambda name: -agreeing.scores["lgca"][CLASSES.index(name)])
    others = [name for name in CLASSES if name != label]
    assert rivals(agreeing) == (label, order[1])
    assert rivals(agreeing, given=others[2]) == (label, others[2])
    assert rivals(agreeing, given=label) == rivals(agreeing, given="no class of the run") == (label, order[1])
    assert rivals(agreeing, a=others[0]) == (others[0], label)
    assert rivals(agreeing, b=label) == (order[1], label)
    assert rivals(agreeing, a=others[1], b=others[0], given=others[2]) == (others[1], others[0])
    with pytest.raises(ConfigError, match="two classes"):
        rivals(agreeing, a="tern", b="tern")
    with pytest.raises(ConfigError, match="'kiwi' is none"):
        rivals(agreeing, a="kiwi")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "clip"}, "'clip' looks at no regions"),
        ({"method": "vit"}, "no method 'vit'"),
        ({"chains": 0}, "chains must be a whole number from 1 on, got 0"),
        ({"chains": True}, "chains must be a whole number"),
        ({"out": [99]}, "got \\[99\\]"),
        ({"a": "kiwi"}, "'kiwi' is none"),
    ],
)
def test_strip__rejects_unknown_methods_classes_and_regions(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        strip(evidence_of(World(1)), **options)
    with pytest.raises(ConfigError, match="looks at no regions"):
        strip(evidence_of(World(1), {"clip": METHODS["clip"]}))


def test_strip_of_boxes__equals_the_strip_of_the_same_regions() -> None:
    seen = evidence_of(World(2))
    shown = strip(seen, chains=3)
    boxes = [
        {
            **dataclasses.asdict(frame),
            "bounding_box": list(frame.box),
            "index": chain.number,
            "label": frame.vote,
        }
        for chain in shown.chains
        for frame in reversed(chain.frames)
    ]
    found = strip_of_boxes(boxes, method="lgca", names=shown.names)
    assert [chain.number for chain in found.chains] == [chain.number for chain in shown.chains]
    for one, other in zip(found.chains, shown.chains, strict=True):
        assert [dataclasses.replace(frame, region=0) for frame in one.frames] == [
            dataclasses.replace(frame, region=0) for frame in other.frames
        ]
    assert [frame.region for frame in found.chains[0].frames] == list(reversed(range(len(found.chains[0].frames))))
    assert math.isnan(found.margin) and math.isnan(found.others) and math.isnan(found.of_whole)
    assert strip_of_boxes([], method="lgca", names=("a", "b")).chains == ()


def test_method_answers__before_and_after() -> None:
    seen = disagreeing()
    a, b = misleading_pair(seen)
    assert seen.case is not None
    out = seen.case.crops
    left = seen.without(out)
    for verdicts in (seen.verdicts, left):
        assert [answer.method for answer in method_answers(verdicts, a, b)] == [
            "clip",
            "wca",
            "lgca",
            "wca_d",
            "lgca_d",
        ]
        for answer in method_answers(verdicts, a, b):
            label = verdicts.labels[answer.method]
            assert answer.label == label
            assert answer.confidence == verdicts.confidences[answer.method].max()
            assert answer.margin == verdicts.margin(answer.method)
            assert answer.lead == pytest.approx(
                verdicts.scores[answer.method][CLASSES.index(a)] - verdicts.scores[answer.method][CLASSES.index(b)]
            )
    labels = {answer.method: answer.label for answer in method_answers(left, a, b)}
    assert labels["wca"] == b
    nothing = {answer.method: answer for answer in method_answers(seen.without(range(len(seen.step))), a, b)}
    assert nothing["wca"].label is None and math.isnan(nothing["wca"].lead)
    assert nothing["clip"].label == seen.labels["clip"]


def test_sentences__name_labels_misleading_crops_and_flips() -> None:
    seen = disagreeing()
    a, b = misleading_pair(seen)
    words = " ".join(evidence_sentences(seen))
    assert f"“{a}”" in words and f"“{b}”" in words
    assert f"{int(seen.misleading.sum())} crops are misleading: they vote for “{a}”" in words
    assert f"{wca_pull(seen).sum():.0%} of WCA's pull" in words
    assert seen.case is not None and f"Without {seen.case.size} crop" in words
    assert f"{sum(seen.flips.values())} of {len(seen.flips)} crops that grew changed their vote." in words
    agreeing = next(
        one for one in (evidence_of(World(seed)) for seed in range(400)) if len(set(one.labels.values())) == 1
    )
    label = agreeing.labels["lgca"]
    assert evidence_sentences(agreeing)[0] == f"CLIP, WCA, LGCA, decisive WCA and decisive LGCA say “{label}”."
    assert "misleading" not in " ".join(evidence_sentences(agreeing))
