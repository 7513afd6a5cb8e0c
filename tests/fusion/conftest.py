"""Drawn embeddings of images that two encoders see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from lgca_plugin.method.core.regions import RegionEmbeddings
from lgca_plugin.method.core.scores import normalize
from lgca_plugin.method.fusion.nodes import EncoderClasses, EncoderNodes

DIMS = (12, 20)
CLASSES = 4


@dataclass
class World:
    """Images of two encoders: ``nodes`` and ``classes`` of each, ``labels`` by id, and how to read them."""

    ids: list[str]
    nodes: tuple[EncoderNodes, ...]
    classes: tuple[EncoderClasses, ...]
    labels: dict[str, int]

    def read(self, sample_ids):
        row_of = {id_: row for row, id_ in enumerate(self.ids)}
        for start in range(0, len(sample_ids), 7):
            part = [id_ for id_ in sample_ids[start : start + 7] if id_ in row_of]
            rows = np.array([row_of[id_] for id_ in part])
            yield part, tuple(own.rows(rows) for own in self.nodes)


def drawn(images: int, *, seed: int = 0, regions=(5, 8), noise: float = 1.0, marks: bool = False) -> World:
    """Draws images: some regions show their class, others noise.

    With ``marks`` the regions that look decided are wrong as often as right, and those that are right have a mark that
    only a graph can see: a direction of the embedding that no class vector has.
    """
    classes, found = [], []
    for dim in DIMS:  # the same for all seeds
        vectors = normalize(np.random.default_rng(dim).normal(size=(CLASSES, dim)))
        vectors[:, -1] = 0
        classes.append(EncoderClasses(normalize(vectors), normalize(vectors + 0.1), 20.0))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images)
    counts = rng.integers(regions[0], regions[1] + 1, images)
    for dim, against in zip(DIMS, classes, strict=True):
        of_encoder = []
        for label, count in zip(labels, counts, strict=True):
            good = rng.random(count) < 0.4
            shown = np.where(good, label, rng.integers(0, CLASSES, count))
            vectors = against.vectors[shown] + noise * rng.normal(size=(count, dim)) / np.sqrt(dim)
            vectors[:, -1] = 0.7 * good if marks else 0
            whole = normalize(against.vectors[label] + 3 * rng.normal(size=dim) / np.sqrt(dim))
            step = np.sort(rng.integers(0, 3, count))
            chain = np.arange(count)
            of_encoder.append(
                RegionEmbeddings(normalize(vectors).astype(np.float32), whole.astype(np.float32), step, chain)
            )
        found.append(EncoderNodes.of(of_encoder))
    ids = [f"{at:024x}" for at in range(images)]
    return World(ids, tuple(found), tuple(classes), dict(zip(ids, labels.tolist(), strict=True)))


@pytest.fixture(scope="session")
def world():
    return drawn(30)
