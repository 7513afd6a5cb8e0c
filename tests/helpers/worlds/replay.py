"""Encoded images whose embeddings follow from their names, and their replay one by one."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from lgca_plugin.config import RegionPlan
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.engine.region_expansion import RegionExpansion

DIM = 7
Image = tuple[str, str, KnownRegions]


def hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def grown(
    name: str, size_hw: tuple[int, int], plan: RegionPlan, *, dim: int = DIM, kinds: int = 1000, spread: float = 1.0
) -> EncodedImage[str]:
    """Returns an encoded image whose embeddings follow from its name and the boxes.

    There are so many ``kinds`` of different embeddings, few of which make regions tie, and they are ``spread`` apart.
    """
    rng = np.random.default_rng(int(hashed(name)[:12], 16))
    common, whole = rng.normal(size=(2, dim))
    known = KnownRegions(size_hw, unit(whole), np.zeros((0, 4), np.int32), np.zeros((0, dim), np.float32))
    image = RegionExpansion(hashed(name), plan, known=known)
    while True:
        for box in image.missing():
            kind = int(hashlib.sha256(f"{name} {box}".encode()).hexdigest(), 16) % kinds
            own = np.random.default_rng([kind, int(hashed(name)[:8], 16)]).normal(size=dim)
            image.embeddings[box] = unit(common + spread * own)
        if not image.next_step():
            break
    finished = image.result(name)
    assert isinstance(finished, EncodedImage)
    return finished


def known_of(image: EncodedImage[Any]) -> KnownRegions:
    which = image.distinct()
    return KnownRegions(
        image.image_size_hw, image.whole, image.boxes[which].astype(np.int32), image.regions[which].copy()
    )


def row_of(image: EncodedImage[Any], known: KnownRegions | None = None) -> Image:
    return image.id, image.content_hash, known or known_of(image)


def one_by_one(images: list[Image], plan: RegionPlan) -> list[EncodedImage[str]]:
    """Replays images one by one; those that lack an embedding are left out."""
    found = []
    for id_, content_hash, known in images:
        image = RegionExpansion(content_hash, plan, known=known)
        finished = image.result(id_) if image.replay() else None
        if isinstance(finished, EncodedImage):
            found.append(finished)
    return found


def assert_same(found: list[EncodedImage[str]], expected: list[EncodedImage[str]]) -> None:
    """Equal to the last bit, types and all."""
    assert [one.id for one in found] == [one.id for one in expected]
    for one, other in zip(found, expected, strict=True):
        for name in ("content_hash", "image_size_hw", "encodes"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("boxes", "step", "chain", "regions", "whole", "fresh"):
            ours, theirs = getattr(one, name), getattr(other, name)
            assert ours.dtype == theirs.dtype, name
            np.testing.assert_array_equal(ours, theirs, err_msg=f"{one.id}: {name}")
