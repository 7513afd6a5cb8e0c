"""A learned method's answer is the sum of what its nodes say, whoever they belong to."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core.methods import METHOD_TABLE, METHODS
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.film_strip import rivals, strip
from lgca_plugin.method.explain.learned import (
    CLASS_BIAS,
    FUSED_PART,
    OF_OTHER,
    OF_WHOLE,
    OTHER_REGIONS,
    WHOLE_IMAGE,
    AdditiveAnswer,
    EncoderPart,
    additive_answer,
    places,
)
from lgca_plugin.method.explain.method_results import MethodResults
from lgca_plugin.method.explain.sentences import evidence_sentences, method_answers
from tests.helpers.worlds.evidence import CLASSES, evidence_of
from tests.helpers.worlds.random_runs import World, units

HADA = METHOD_TABLE["hada"].preset
C = len(CLASSES)


def exact(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return units(rng, *shape).astype(np.float64)


@dataclass(frozen=True)
class Encoder:
    """One encoder's nodes of an image, the whole image first, and attention logits that it gives them."""

    step: np.ndarray
    chain: np.ndarray
    vectors: np.ndarray
    classes: np.ndarray
    attention_logits: np.ndarray
    scale: float

    @classmethod
    def of(cls, world: World, rng: np.random.Generator, dim: int) -> Encoder:
        step, chain = np.concatenate([[-1], world.step]), np.concatenate([[-1], world.chain])
        n = len(step)
        return cls(step, chain, exact(rng, n, dim), exact(rng, C, dim), rng.normal(size=n), float(rng.uniform(5, 50)))


@dataclass(frozen=True)
class Image:
    """An image under several encoders, of which the first is the run's."""

    encoders: tuple[Encoder, ...]
    fused: np.ndarray
    bias: np.ndarray
    logit_scale: float

    @classmethod
    def of(cls, seed: int) -> Image:
        rng = np.random.default_rng(seed)
        encoders = tuple(Encoder.of(World(seed + at), rng, dim) for at, dim in enumerate((7, 5, 9)))
        return cls(encoders, rng.normal(size=C), rng.normal(size=C), 30.0)

    @property
    def run_regions(self) -> list[tuple[int, int]]:
        first = self.encoders[0]
        return list(zip(first.step[1:].tolist(), first.chain[1:].tolist(), strict=True))

    def answer(self, gone: np.ndarray) -> AdditiveAnswer:
        first, parts = self.encoders[0], []
        for own in self.encoders:
            place = places(own.step, own.chain, first.step[1:], first.chain[1:])
            out = np.array([at >= 0 and bool(gone[at]) for at in place])
            powers = np.where(out, 0, np.exp(own.attention_logits))
            attention = powers / powers.sum()
            norm = np.linalg.norm(attention @ own.vectors)
            logits = own.scale * attention[:, None] * (own.vectors @ own.classes.T) / norm
            parts.append(EncoderPart(attention, logits, place))
        return additive_answer(parts, regions=len(gone), logit_scale=self.logit_scale, fused=self.fused, bias=self.bias)

    def stability(self, label: int) -> float:
        return 0.25 * (1 + label)


def loop(image: Image, gone: set[int]) -> dict[str, Any]:
    """The same answer, a node and a class at a time."""
    weights = [0.0] * len(image.run_regions)
    shares = [[0.0] * C for _ in image.run_regions]
    terms = {WHOLE_IMAGE: [0.0] * C, OTHER_REGIONS: [0.0] * C}
    whole = others = 0.0
    total = [float(image.fused[k] + image.bias[k]) / image.logit_scale for k in range(C)]
    for own in image.encoders:
        nodes = []
        for at in range(len(own.step)):
            key = (int(own.step[at]), int(own.chain[at]))
            place = image.run_regions.index(key) if key in image.run_regions else None
            if place is None or place not in gone:
                nodes.append((at, key, place, math.exp(own.attention_logits[at])))
        everything = sum(power for *_, power in nodes)
        mixed = [
            sum(p / everything * float(own.vectors[at][d]) for at, _, _, p in nodes)
            for d in range(own.vectors.shape[1])
        ]
        norm = math.sqrt(sum(x * x for x in mixed))
        for k in range(C):
            of_image = sum(x * float(c) for x, c in zip(mixed, own.classes[k], strict=True)) / norm
            total[k] += own.scale * of_image / image.logit_scale
        for at, key, place, power in nodes:
            attention = power / everything
            for k in range(C):
                similarity = sum(float(x) * float(c) for x, c in zip(own.vectors[at], own.classes[k], strict=True))
                part = own.scale * attention * similarity / norm / image.logit_scale
                (terms[WHOLE_IMAGE] if key[0] < 0 else terms[OTHER_REGIONS] if place is None else shares[place])[k] += (
                    part
                )
            if place is not None:
                weights[place] += attention / len(image.encoders)
            elif key[0] < 0:
                whole += attention / len(image.encoders)
            else:
                others += attention / len(image.encoders)
    return {"weights": weights, "shares": shares, "terms": terms, "whole": whole, "others": others, "scores": total}


def fused_evidence(seed: int) -> tuple[Evidence, Image]:
    """The evidence of a run with clip, wca, lgca and hada."""
    seen = evidence_of(World(seed), {**{name: METHODS[name] for name in ("clip", "wca", "lgca")}, "hada": HADA})
    image = Image.of(seed)
    verdicts = MethodResults.of_all(seen.verdicts.scoring, seen.verdicts.image, {"hada": image})
    return replace(seen, verdicts=verdicts), image


def test_places__are_those_of_the_same_crop_grown_as_many_times() -> None:
    run_step, run_chain = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    found = places(np.array([-1, 1, 0, 1, 2]), np.array([-1, 1, 1, 0, 1]), run_step, run_chain)
    assert found.tolist() == [OF_WHOLE, 2, 1, OF_OTHER, 3]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 9), data=st.data())
def test_additive_answer__equals_the_loop_over_all_nodes(seed: int, data: st.DataObject) -> None:
    """With all regions, with some, and with none of the run's own."""
    image = Image.of(seed)
    n = len(image.run_regions)
    gone = data.draw(st.sets(st.integers(0, n - 1)) | st.just(set(range(n))))
    found, expected = image.answer(np.isin(np.arange(n), sorted(gone))), loop(image, gone)
    for name in ("weights", "shares", "scores"):
        np.testing.assert_allclose(getattr(found, name), expected[name], atol=1e-9)
    for name, weight in ((WHOLE_IMAGE, "whole"), (OTHER_REGIONS, "others")):
        term = found.terms.get(name)
        np.testing.assert_allclose(0 if term is None else term.scores, expected["terms"][name], atol=1e-9)
        assert (0 if term is None else term.weight) == pytest.approx(expected[weight])
    np.testing.assert_allclose(found.terms[FUSED_PART].scores, image.fused / 30.0)
    np.testing.assert_allclose(found.terms[CLASS_BIAS].scores, image.bias / 30.0)
    assert found.weights.sum() + sum(term.weight for term in found.terms.values()) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 9), data=st.data())
def test_evidence__of_a_learned_method_sums_to_the_margin(seed: int, data: st.DataObject) -> None:
    seen, image = fused_evidence(seed)
    a, b = data.draw(st.permutations(CLASSES))[:2]
    i, j = CLASSES.index(a), CLASSES.index(b)
    gone = data.draw(st.sets(st.integers(0, len(seen.step) - 1)))
    left, expected = seen.without(gone), loop(image, gone)["scores"]
    margin = expected[i] - expected[j]
    shares, terms = left.contributions("hada", a, b), left.terms("hada", a, b)
    assert left.margin("hada", a, b) == pytest.approx(margin, abs=1e-9)
    assert shares.sum() + sum(terms.values()) == pytest.approx(margin, abs=1e-9)
    assert left.global_contribution("hada", a, b) == pytest.approx(sum(terms.values()))
    assert not shares[sorted(gone)].any() and not left.weights["hada"][sorted(gone)].any()
    assert left.labels["hada"] == CLASSES[int(np.argmax(expected))]
    logits = np.array(expected) * 30.0
    np.testing.assert_allclose(left.confidences["hada"], np.exp(logits) / np.exp(logits).sum(), atol=1e-9)
    drawn = strip(seen, method="hada", a=a, b=b, chains=2, out=gone)
    frames = sum(frame.contribution for chain in drawn.chains for frame in chain.frames)
    assert frames + drawn.others + drawn.of_whole + sum(drawn.terms.values()) == pytest.approx(drawn.margin, abs=1e-9)
    assert drawn.learned and WHOLE_IMAGE not in drawn.terms


def test_evidence__a_learned_method_changes_nothing_about_the_others() -> None:
    seen, _ = fused_evidence(3)
    alone = evidence_of(World(3), {name: METHODS[name] for name in ("clip", "wca", "lgca")})
    for name in alone.methods:
        assert seen.scores[name].tolist() == alone.scores[name].tolist()
        assert seen.terms(name) == alone.terms(name)
    assert set(alone.terms("clip")) == {WHOLE_IMAGE} and alone.terms("lgca") == {}
    assert {name: kept for name, kept in seen.stability.items() if name != "hada"} == alone.stability
    assert seen.stability["hada"] == 0.25 * (1 + CLASSES.index(str(seen.labels["hada"])))
    assert (seen.explained, seen.flips, seen.misleading.tolist()) == ("lgca", alone.flips, alone.misleading.tolist())
    assert "HADA" in evidence_sentences(seen)[0]
    assert [one.method for one in method_answers(seen.verdicts, *CLASSES[:2])] == ["clip", "wca", "lgca", "hada"]


def test_strip__explains_the_learned_method_and_its_label_against_the_given_one() -> None:
    for seed in range(20):
        seen, _ = fused_evidence(seed)
        label = seen.labels["hada"]
        shown = strip(seen)
        assert (seen.deciding, shown.method, shown.names) == ("hada", "hada", seen.pair("hada"))
        given = next(name for name in CLASSES if name != label)
        assert rivals(seen, given=given) == (label, given)
        assert rivals(seen, given=str(label)) == seen.pair("hada")


def test_evidence__of_a_learned_method_as_a_document() -> None:
    seen, _ = fused_evidence(4)
    document = json.loads(json.dumps(seen.to_json(), allow_nan=False))
    hada, pair = document["methods"]["hada"], document["methods"]["hada"]["pair"]
    shares = [region["contributions"]["hada"] for region in document["regions"]]
    assert sum(shares) + sum(hada["terms"].values()) == pytest.approx(hada["pair_margin"])
    assert hada["global_contribution"] == pytest.approx(sum(hada["terms"].values()))
    assert pair[0] == hada["label"] and pair[1] == hada["runner_up"]
    assert document["methods"]["lgca"]["terms"] == {}
