"""What each method answers on a set, from the embeddings of one encoder at one crop scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.core.regions import ClassScoring, RegionEmbeddings
from lgca_plugin.method.core.scores import class_scores, image_vector, region_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lgca_plugin.descriptions.class_texts import ClassTexts
    from lgca_plugin.encoder.base import Encoder

    from .encoding import Encoded

    Array = NDArray[np.floating]

OURS = "wca_d"
"""The method that every other one is compared with."""
REVISED, FORMER = "lgca_d", "lgca_d_old"
EXPANDED = "chains_d"
"""The weights of :data:`OURS` over crops that grow, for as many encodes: they differ by expansion alone."""
TEMPERATURES = (1.0, 1.5, 2.0, 3.0)
VALUES_AT_ONCE = 2**25
"""Maximum number of values of region embeddings and scores that are in memory at once."""

ADDED = {
    FORMER: Method(name=FORMER, regions="chains", weighting="decisive"),
    EXPANDED: replace(METHODS[OURS], name=EXPANDED, regions="chains"),
}


def at_temperature(temperature: float) -> str:
    """Returns the name of :data:`OURS` at another temperature."""
    return f"{OURS}_{round(100 * temperature)}"


def compared_methods() -> dict[str, Method]:
    """Returns name to method: those of the library that one encoder can have, and the benchmark's own."""
    return {**METHODS, **ADDED}


def every_method() -> dict[str, Method]:
    """Returns name to method: those that are compared, and :data:`OURS` at each of :data:`TEMPERATURES`."""
    ours = METHODS[OURS]
    warmer = {at_temperature(one): replace(ours, name=at_temperature(one), temperature=one) for one in TEMPERATURES}
    return {**compared_methods(), **warmer}


def encodes_of(method: Method) -> int:
    """Returns the number of encodes of an image that a method alone needs, with the default numbers of crops."""
    return RegionPlan.of((method,), RegionConfig()).encodes_per_image


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The answers to the n images of a set.

    Attributes:
        seen: ``[n]`` bool, False for images that could not be read
        logits: method to ``[n, C]`` float32 logits; those of images that could not be read are 0
        vectors: ``[n, d]`` float32 image vectors of :data:`OURS`
        classes: ``[C, d]`` class vectors of :data:`OURS`
        logit_scale: the encoder's factor on similarities
    """

    seen: NDArray[np.bool_]
    logits: dict[str, Array]
    vectors: Array
    classes: Array
    logit_scale: float


def answer(encoded: Encoded, count: int, texts: ClassTexts, encoder: Encoder, methods: Mapping[str, Method]) -> Answers:
    """Scores the images of a set with each method.

    Args:
        encoded: the set's embeddings
        count: number of its images
        texts: of the classes
        encoder: that embedded the images
        methods: name to method, :data:`OURS` among them

    Returns:
        the answers
    """
    classes = texts.by_method(encoder, list(methods.values()))
    shape = count, len(texts.classes)
    seen = np.zeros(count, np.bool_)
    logits = {name: np.zeros(shape, np.float32) for name in methods}
    vectors = np.zeros((count, encoder.dim), np.float32)
    values = encoded.plan.encodes_per_image * (encoder.dim + len(texts.classes))
    for part in encoded.read(max(1, VALUES_AT_ONCE // values)):
        rows = part["rows"]
        seen[rows] = True
        images = regions_of(part)
        region_scores = {id(own): class_scores(images.regions, own) for own in classes.values()}
        for name, method in methods.items():
            own = classes[name]
            scoring, known = ClassScoring(own, encoder.logit_scale), region_scores[id(own)]
            weights = region_weights(method, images, encoded.plan.crop_counts, scoring, region_scores=known)
            answered = image_vector(images, weights)
            logits[name][rows] = encoder.logit_scale * class_scores(answered, own)
            if name == OURS:
                vectors[rows] = answered
    return Answers(
        seen=seen, logits=logits, vectors=vectors, classes=classes[OURS], logit_scale=float(encoder.logit_scale)
    )


def regions_of(part: Mapping[str, NDArray]) -> RegionEmbeddings:
    """Returns the regions of the images of a part, see :mod:`.encoding`."""
    return RegionEmbeddings(
        part["vectors"][:, 1:],
        part["vectors"][:, 0],
        part["step"],
        part["chain"],
        part["pixels"] / part["shorter"][:, None],
        part["pixels"],
    )
