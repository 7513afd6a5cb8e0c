"""A slow, independent reference of the methods: plain loops, one image, one crop and one number at a time.

Written from the mathematics alone and kept free of the library, so that an error would have to be made twice to go
unnoticed. Numbers are Python floats. :mod:`.reference_model` adds the encoder.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

Vector = list[float]
Box = tuple[int, int, int, int]  # left, top, width, height in pixels


def dot(a: Sequence[float], b: Sequence[float]) -> float:
    assert len(a) == len(b)
    return math.fsum(map(operator.mul, a, b))


def unit(v: Sequence[float]) -> Vector:
    length = math.sqrt(dot(v, v))
    return [x / length for x in v]


def softmax(values: Sequence[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]


def entropy(probabilities: Sequence[float]) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)


def weighted_sum(weights: Sequence[float], vectors: Sequence[Sequence[float]]) -> Vector:
    return [dot(weights, numbers) for numbers in zip(*vectors, strict=True)]


def first_boxes(
    n: int, height: int, width: int, scale_min: float, scale_max: float, seed: int, content: str
) -> list[Box]:
    digest = hashlib.sha256(f"{seed}:{content}".encode()).digest()
    draws = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
    shorter = min(height, width)
    boxes = []
    for _ in range(n):
        u, x, y = draws.random(), draws.random(), draws.random()
        side = max(1, math.floor((scale_min + u * (scale_max - scale_min)) * shorter + 0.5))
        boxes.append((math.floor(x * (width - side + 1)), math.floor(y * (height - side + 1)), side, side))
    return boxes


def overlap(first: Box, second: Box) -> float:
    """Intersection over union, counted along each side."""
    wide = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    high = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    common = max(wide, 0) * max(high, 0)
    return common / (first[2] * first[3] + second[2] * second[3] - common)


def spread(boxes: list[Box], count: int) -> list[int]:
    order: list[int] = []
    while len(order) < count:
        left = [index for index in range(len(boxes)) if index not in order]
        order.append(min(left, key=lambda index: max((overlap(boxes[index], boxes[o]) for o in order), default=0)))
    return order


def grown(box: Box, height: int, width: int, growth: float) -> Box:
    left, top, side, _ = box
    new = min(math.floor(side * growth + 0.5), height, width)
    left = left + math.floor((side - new) / 2)
    top = top + math.floor((side - new) / 2)
    left = min(max(left, 0), width - new)
    top = min(max(top, 0), height - new)
    return left, top, new, new


def kept_count(count: int, keep: float) -> int:
    return max(1, math.ceil(Fraction(str(keep)) * count))


def most_salient(saliences: Sequence[float], count: int) -> list[int]:
    """Picks the largest one after the other; the first of equals is taken first."""
    left = list(range(len(saliences)))
    chosen = []
    for _ in range(count):
        best = left[0]
        for index in left:
            if saliences[index] > saliences[best]:
                best = index
        left.remove(best)
        chosen.append(best)
    return sorted(chosen)


@dataclass
class Region:
    step: int
    chain: int
    box: Box
    embedding: Vector
    salience: float


@dataclass
class ReferenceImage:
    whole: Vector
    regions: list[Region]  # by step, then by chain
    encodes: int
    shorter: int  # side of the image, in pixels


def class_vectors(
    kind: str, labels: Sequence[Vector], descriptions: Sequence[Sequence[Vector]], text_scale: float = 2.0
) -> list[Vector]:
    vectors = []
    for label, own in zip(labels, descriptions, strict=True):
        if kind == "label":
            vectors.append(unit(label))
            continue
        weights = [1 / len(own)] * len(own)
        if kind == "weighted":
            weights = softmax([math.exp(text_scale) * dot(g, label) for g in own])
        vectors.append(unit(weighted_sum(weights, own)))
    return vectors


@dataclass(frozen=True)
class Rule:
    regions: str  # none, crops, chains, all
    weighting: str  # salience, decisive, sized, uniform
    global_weight: float
    texts: str  # label, weighted, mean
    temperature: float = 1.0


RULES = {
    "clip": Rule("none", "uniform", 1.0, "label"),
    "wca": Rule("crops", "salience", 0.0, "weighted"),
    "lgca": Rule("chains", "salience", 0.0, "weighted"),
    "wca_d": Rule("crops", "decisive", 0.0, "weighted", 1.5),
    "lgca_d": Rule("all", "sized", 0.0, "weighted", 1.5),
    "clip_d": Rule("none", "uniform", 1.0, "mean"),
    "wca_global": Rule("crops", "salience", 1.0, "weighted"),
    "crops_mean": Rule("crops", "uniform", 0.0, "weighted"),
}


def weights(
    rule: Rule,
    seen: ReferenceImage,
    vectors: Sequence[Vector],
    *,
    crops: int,
    chains: int,
    logit_scale: float,
    image_scale: float = 4.0,
    decisiveness: float = 10.0,
    step_weights: Sequence[float] | None = None,
) -> list[float]:
    """The weight of every region of the image, 0 for those that the method does not use."""
    result = [0.0] * len(seen.regions)
    if rule.regions == "none":
        return result
    if rule.regions == "crops":
        used = [i for i, r in enumerate(seen.regions) if r.step == 0 and r.chain < crops]
    elif rule.regions == "chains":
        used = [i for i, r in enumerate(seen.regions) if r.chain < chains]
    else:
        used = [i for i, r in enumerate(seen.regions) if r.chain < chains or (r.step == 0 and r.chain < crops)]

    def indecision(embedding: Vector) -> float:
        beliefs = softmax([logit_scale * dot(embedding, c) / rule.temperature for c in vectors])
        return entropy(beliefs) / math.log(len(vectors))

    if rule.weighting == "sized":
        shares = {}
        for i in used:
            if seen.regions[i].box[2] >= 16:
                side = seen.regions[i].box[2] / seen.shorter
                shares[i] = side * math.exp(-decisiveness * indecision(seen.regions[i].embedding))
        total = sum(shares.values()) + math.exp(-decisiveness * indecision(seen.whole))
        for i, share in shares.items():
            result[i] = share / total
        return result
    if not used:
        return result
    if rule.weighting == "decisive":
        logits = [-decisiveness * indecision(seen.regions[i].embedding) for i in used]
        for i, weight in zip(used, softmax(logits), strict=True):
            result[i] = weight
        return result
    scale = 0.0 if rule.weighting == "uniform" else math.exp(image_scale)
    steps = sorted({seen.regions[i].step for i in used})
    of_steps = [1.0 if step_weights is None else step_weights[step] for step in steps]
    for step, share in zip(steps, of_steps, strict=True):
        if not share:
            continue
        members = [i for i in used if seen.regions[i].step == step]
        inside = softmax([scale * seen.regions[i].salience for i in members])
        for i, weight in zip(members, inside, strict=True):
            result[i] = weight * share / sum(of_steps)
    return result


@dataclass
class Verdict:
    weights: list[float]
    whole_weight: float
    vector: Vector
    scores: list[float]
    confidences: list[float]
    label: int
    margin: float
    norm: float
    votes: list[int]


def verdict(
    rule: Rule,
    seen: ReferenceImage,
    vectors: Sequence[Vector],
    region_weights: Sequence[float],
    logit_scale: float,
) -> Verdict:
    embeddings = [r.embedding for r in seen.regions]
    whole_weight = 1 - sum(region_weights) if rule.weighting == "sized" else rule.global_weight
    total = weighted_sum([*region_weights, whole_weight], [*embeddings, seen.whole])
    norm = math.sqrt(dot(total, total))
    vector = unit(total)
    scores = [dot(vector, c) for c in vectors]
    label = scores.index(max(scores))
    ranked = sorted(scores, reverse=True)
    votes = []
    for embedding in embeddings:
        own = [dot(embedding, c) for c in vectors]
        votes.append(own.index(max(own)))
    confidences = softmax([logit_scale * s for s in scores])
    margin = ranked[0] - ranked[1]
    return Verdict(list(region_weights), whole_weight, vector, scores, confidences, label, margin, norm, votes)


def contributions(
    seen: ReferenceImage, vectors: Sequence[Vector], answer: Verdict, a: int, b: int
) -> tuple[list[float], float]:
    """Each region's exact part of the margin of class a over class b, and the whole image's part."""
    difference = [x - y for x, y in zip(vectors[a], vectors[b], strict=True)]
    parts = [w * dot(r.embedding, difference) / answer.norm for w, r in zip(answer.weights, seen.regions, strict=True)]
    return parts, answer.whole_weight * dot(seen.whole, difference) / answer.norm
