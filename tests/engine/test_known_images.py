"""Images that are recalled many at a time before any is decoded: the same results, in the same order."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.engine import known_images as recalling
from lgca_plugin.engine.embeddings import EncodedImage, FailedImage, KnownRegions
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.engine.known_images import AT_ONCE, IN_VAIN, Recalled, recall_ahead
from lgca_plugin.images.files import content_hash, reading_threads
from tests.helpers.engine import Counting, Watched, assert_same, encode, plan_of, shrunk
from tests.helpers.worlds.replay import known_of


@pytest.fixture(scope="module")
def pictures(photographs: list[Path]) -> list[bytes]:
    """Photographs, a square one and one of noise among them; six different files."""
    square, noise = io.BytesIO(), io.BytesIO()
    Image.open(photographs[0]).convert("RGB").resize((90, 90)).save(square, "PNG")
    values = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
    Image.fromarray(values).save(noise, "PNG")
    return [*(shrunk(path, 120) for path in photographs[:4]), square.getvalue(), noise.getvalue()]


@pytest.fixture(scope="module")
def encoded(pictures: list[bytes], demo_encoder: Any) -> dict[str, EncodedImage[Any]]:
    return {image.content_hash: image for image in encode(pictures, demo_encoder)}


@pytest.mark.parametrize("methods", [("clip",), ("wca",), ("lgca",), ("clip", "wca", "lgca", "lgca_d")])
@pytest.mark.parametrize("at_once", [1, 2, 4, 32])
def test_results__are_those_of_a_run_that_knows_nothing(
    pictures: list[bytes], demo_encoder: Any, monkeypatch: pytest.MonkeyPatch, methods: tuple[str, ...], at_once: int
) -> None:
    monkeypatch.setattr(recalling, "AT_ONCE", at_once)
    plan = plan_of(methods)
    expected = encode(pictures, demo_encoder, plan)
    known = {image.content_hash: known_of(image) for image in expected}
    encoder = Counting(demo_encoder)
    found = encode(pictures, encoder, plan, recall=known.get)
    assert not encoder.encoded
    assert [image.id for image in found] == list(range(len(pictures)))
    assert not any(image.encodes or image.fresh.any() for image in found)
    for image, other in zip(found, expected, strict=True):
        for name in ("boxes", "step", "chain", "regions", "whole"):
            np.testing.assert_array_equal(getattr(image, name), getattr(other, name), name)


def test_results__keep_their_order_among_images_that_are_unknown_known_in_part_or_unreadable(
    pictures: list[bytes], encoded: dict[str, EncodedImage[Any]], demo_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recalling, "AT_ONCE", 3)
    hashes = [content_hash(picture) for picture in pictures]
    known = {hashes[0]: known_of(encoded[hashes[0]]), hashes[3]: known_of(encoded[hashes[3]])}
    part = known_of(encoded[hashes[1]])
    known[hashes[1]] = KnownRegions(part.image_size_hw, part.whole, part.boxes[:5], part.regions[:5])
    sound = known_of(encoded[hashes[5]])
    known[hashes[5]] = KnownRegions((40, 70), np.full_like(sound.whole, np.nan), sound.boxes, sound.regions)
    sources = [pictures[0], "/no/such/file.png", *pictures[1:5], b"", pictures[5], b"no image at all"]
    found = encode(sources, demo_encoder, recall=known.get)
    failed = {1: "does not exist", 6: "empty", 7: "no numbers", 8: "image"}
    assert [image.id for image in found] == list(range(9))
    assert {image.id for image in found if isinstance(image, FailedImage)} == set(failed)
    assert all(reason in found[id_].reason for id_, reason in failed.items())
    same = {0: 0, 2: 1, 3: 2, 4: 3, 5: 4}
    for id_, picture in same.items():
        other = encoded[hashes[picture]]
        np.testing.assert_array_equal(found[id_].boxes, other.boxes)
        np.testing.assert_allclose(found[id_].regions, other.regions, atol=1e-5)
    assert [found[id_].encodes for id_ in (0, 4)] == [0, 0]
    taken = [encoded[hash_].encodes for hash_ in hashes]
    assert [found[id_].encodes for id_ in (2, 3, 5)] == [taken[1] - 6, taken[2], taken[4]]


def test_asking__ends_when_it_was_in_vain(pictures: list[bytes], encoded: dict[str, EncodedImage[Any]]) -> None:
    """So that a first run does not read all files twice; but a known one among many keeps it going."""
    asked: list[str] = []

    def recall(hashed: str) -> KnownRegions | None:
        asked.append(hashed)
        return None

    sources = Watched([pictures[0]] * (AT_ONCE * 40))
    ahead = recall_ahead(sources, recall, plan_of())
    answers = list(ahead)
    assert answers == list(enumerate([pictures[0]] * (AT_ONCE * 40)))
    assert AT_ONCE * IN_VAIN <= len(asked) <= AT_ONCE * (IN_VAIN + 1 + reading_threads())
    asked.clear()
    known = known_of(encoded[content_hash(pictures[1])])
    few = [pictures[0]] * (AT_ONCE - 1) + [pictures[1]]  # one of each lot is known: asking goes on
    answers = list(
        recall_ahead(
            enumerate(few * 12),
            lambda hashed: known if recall(hashed) is None and hashed == content_hash(pictures[1]) else None,
            plan_of(),
        )
    )
    assert len(asked) == AT_ONCE * 12
    assert [isinstance(item, Recalled) for _, item in answers] == ([False] * (AT_ONCE - 1) + [True]) * 12


def test_asking__is_a_little_ahead_and_ends_with_its_threads(pictures: list[bytes]) -> None:
    sources = Watched(pictures[:1] * (AT_ONCE * 100))
    ahead = recall_ahead(sources, lambda _: None, plan_of())
    assert sources.read == 0
    next(ahead)
    assert sources.read <= AT_ONCE * (1 + reading_threads())
    ahead.close()
    assert not any(thread.name.startswith("lgca-recall") for thread in threading.enumerate())


def test_asking__what_goes_wrong_is_raised(pictures: list[bytes], demo_encoder: Any) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError, match="the store is gone"):
        encode(pictures, demo_encoder, recall=broken)
    assert not any(thread.name.startswith(("lgca-recall", "lgca-decode")) for thread in threading.enumerate())


def test_engine__stopped_early_ends_what_asks(pictures: list[bytes], demo_encoder: Any) -> None:
    known = {image.content_hash: known_of(image) for image in encode(pictures, demo_encoder)}
    outcomes = encode_images(enumerate(pictures * 60), encoder=demo_encoder, plan=plan_of(), recall=known.get)
    first = next(outcomes)
    assert_same([first], encode(pictures[:1], demo_encoder, recall=known.get))
    outcomes.close()
    assert not any(thread.name.startswith("lgca-recall") for thread in threading.enumerate())
