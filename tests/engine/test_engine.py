"""The engine's results: in order, the same however images are batched, read or recalled; bad input fails alone."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.config import RegionConfig
from lgca_plugin.engine.embeddings import EncodedImage, FailedImage, KnownRegions
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.images.files import content_hash
from tests.helpers import images
from tests.helpers.engine import ALL, Blind, Counting, assert_same, encode, plan_of
from tests.helpers.worlds.replay import known_of


def test_order__batches_waves_and_splits_do_not_change_anything(birds: list[Path], demo_encoder: Any) -> None:
    sources = birds[:5]
    expected = encode(sources, demo_encoder)
    options: dict[str, Any]
    for options in ({"batch_size": 3}, {"wave_size": 2}, {"batch_size": 500, "wave_size": 500}, {"batch_size": 1}):
        assert_same(encode(sources, demo_encoder, **options), expected)
    shuffled = [4, 0, 3, 1, 2]
    found = encode([sources[index] for index in shuffled], demo_encoder, wave_size=2)
    assert_same([found[shuffled.index(index)] for index in range(5)], expected)
    assert_same(encode(sources[:2], demo_encoder) + encode(sources[2:], demo_encoder), expected)
    assert_same(encode([path.read_bytes() for path in sources], demo_encoder), expected)
    assert encode([], demo_encoder) == []


def test_order__results_come_in_the_order_given_under_the_callers_ids(
    tmp_path: Path, birds: list[Path], demo_encoder: Any
) -> None:
    broken = images.write(tmp_path, "truncated.jpg")
    sources = [birds[0], broken, birds[1], broken, birds[2], birds[0]]
    pairs = [(f"sample {index}", source) for index, source in enumerate(sources)]
    found = list(encode_images(pairs, encoder=demo_encoder, plan=plan_of(), wave_size=2))
    assert [one.id for one in found] == [id_ for id_, _ in pairs]
    assert [isinstance(one, FailedImage) for one in found] == [False, True, False, True, False, False]
    assert_same([found[5]], [found[0]])  # one image under two ids


def test_prefix__methods_share_crops_whatever_else_the_run_has(birds: list[Path], demo_encoder: Any) -> None:
    """The regions of a run of one method are among those of a run of all, with the same embeddings."""
    regions = RegionConfig(crops=12, lgca_crops=8)
    everything = encode(birds[:3], demo_encoder, plan_of(ALL, regions))
    for name in ("wca", "lgca", "clip"):
        for one, all_ in zip(encode(birds[:3], demo_encoder, plan_of((name,), regions)), everything, strict=True):
            np.testing.assert_allclose(one.whole, all_.whole, atol=1e-6)
            rows = {pair: row for row, pair in enumerate(zip(all_.step, all_.chain, strict=True))}
            same = [rows[pair] for pair in zip(one.step, one.chain, strict=True)]
            np.testing.assert_array_equal(one.boxes, all_.boxes[same])
            np.testing.assert_allclose(one.regions, all_.regions[same], atol=1e-5)


def test_ties__of_boxes_that_have_become_equal_the_earliest_chains_go_on(birds: list[Path], demo_encoder: Any) -> None:
    """Equal boxes are equally salient to the last bit; a sum rounded otherwise would choose by its rounding."""
    plan = plan_of(("lgca",), RegionConfig(lgca_crops=34, growth=50.0))
    for encoded in encode(birds[:8], demo_encoder, plan):
        first, second = (encoded.step == step for step in (1, 2))
        assert (encoded.boxes[first, 2] == min(encoded.image_size_hw)).all()
        selected = set(encoded.chain[second].tolist())
        for box in np.unique(encoded.boxes[first], axis=0):
            chains = encoded.chain[first][(encoded.boxes[first] == box).all(axis=1)]
            inside = [chain in selected for chain in chains.tolist()]
            assert inside == sorted(inside, reverse=True), "a later chain of the same box went on"


def test_seed__changes_the_crops_and_nothing_about_the_whole_image(birds: list[Path], demo_encoder: Any) -> None:
    (first,) = encode(birds[:1], demo_encoder, plan_of(regions=RegionConfig(crops=12, seed=0)))
    (second,) = encode(birds[:1], demo_encoder, plan_of(regions=RegionConfig(crops=12, seed=1)))
    assert (first.boxes != second.boxes).any()
    np.testing.assert_allclose(first.whole, second.whole, atol=1e-6)


@pytest.mark.parametrize("methods", [("clip",), ("wca",), ("lgca",), ("clip", "wca", "lgca", "lgca_d")])
def test_recall__images_that_are_all_known_are_not_encoded(
    birds: list[Path], demo_encoder: Any, methods: tuple[str, ...]
) -> None:
    plan = plan_of(methods)
    expected = encode(birds[:4], demo_encoder, plan)
    known = {image.content_hash: known_of(image) for image in expected}
    encoder, stats = Counting(demo_encoder), EngineStats()
    found = encode(birds[:4], encoder, plan, recall=known.get, stats=stats)
    assert encoder.encoded == 0
    assert stats.recalled == 4
    assert not any(image.encodes or image.fresh.any() for image in found)
    for image, other in zip(found, expected, strict=True):
        for name in ("id", "boxes", "step", "chain", "regions", "whole"):
            np.testing.assert_array_equal(getattr(image, name), getattr(other, name), name)


def test_recall__keeps_the_order_among_images_that_are_unknown_known_in_part_or_unreadable(
    birds: list[Path], demo_encoder: Any
) -> None:
    encoded = encode(birds[:5], demo_encoder)
    hashes = [content_hash(path.read_bytes()) for path in birds[:5]]
    known = {hashes[index]: known_of(encoded[index]) for index in (0, 1, 3, 4)}
    part, nan = known[hashes[1]], known[hashes[4]]
    known[hashes[1]] = KnownRegions(part.image_size_hw, part.whole, part.boxes[:5], part.regions[:5])
    known[hashes[4]] = KnownRegions(nan.image_size_hw, np.full_like(nan.whole, np.nan), nan.boxes, nan.regions)
    sources = [birds[0], "/no/such/file.png", *birds[1:4], b"", birds[4], b"no image at all"]
    found = encode(sources, demo_encoder, recall=known.get)
    assert [image.id for image in found] == list(range(8))
    failed = {image.id: image.reason for image in found if isinstance(image, FailedImage)}
    for id_, reason in {1: "does not exist", 5: "empty", 6: "not finite numbers", 7: "image"}.items():
        assert reason in failed.pop(id_)
    assert not failed
    for id_, other in ((0, encoded[0]), (2, encoded[1]), (3, encoded[2]), (4, encoded[3])):
        np.testing.assert_array_equal(found[id_].boxes, other.boxes)
        np.testing.assert_allclose(found[id_].regions, other.regions, atol=1e-5)
    assert [found[id_].encodes for id_ in (0, 2, 3, 4)] == [0, encoded[1].encodes - 6, encoded[2].encodes, 0]


def test_recall__that_fails_ends_the_run_with_its_error(birds: list[Path], demo_encoder: Any) -> None:
    def broken(_: str) -> None:
        raise RuntimeError("the store is gone")

    with pytest.raises(RuntimeError, match="the store is gone"):
        encode(birds, demo_encoder, recall=broken)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lgca-")]


def test_embeddings__that_are_not_finite_fail_only_their_image(
    tmp_path: Path, birds: list[Path], demo_encoder: Any
) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "black.png")
    found = encode([birds[0], tmp_path / "black.png", birds[1]], Blind(demo_encoder))
    assert isinstance(found[1], FailedImage)
    assert "number" in found[1].reason
    assert_same([found[0], found[2]], encode(birds[:2], demo_encoder))


def test_bad_input__fails_alone(tmp_path: Path, birds: list[Path], demo_encoder: Any) -> None:
    """Every broken, absurd and unusual image in between good ones, in one batch."""
    names = [*images.UNREADABLE, *images.UNUSUAL, *images.DOUBTFUL]
    sources: list[Path] = []
    for index, name in enumerate(names):
        sources += [birds[index % 4], images.write(tmp_path, name)]
    found = encode(sources, demo_encoder, batch_size=32, wave_size=13)
    assert len(found) == len(sources)

    alone = [encode([path], demo_encoder)[0] for path in birds[:4]]
    assert_same(found[::2], [alone[index % 4] for index in range(len(names))])
    for name, one in zip(names, found[1::2], strict=True):
        if name in images.UNREADABLE:
            assert isinstance(one, FailedImage), name
        if name in images.UNUSUAL:
            assert isinstance(one, EncodedImage), name
            assert one.image_size_hw == (72, 96)
        if isinstance(one, FailedImage):
            assert 10 < len(one.reason) < 300
            assert "\n" not in one.reason
            assert "Traceback" not in one.reason
        else:
            assert np.isfinite(one.whole).all()
            assert np.isfinite(one.regions).all()


def test_bad_input__alone_gives_no_encodes(tmp_path: Path, demo_encoder: Any) -> None:
    counting, stats = Counting(demo_encoder), EngineStats()
    found = encode([images.write(tmp_path, name) for name in images.UNREADABLE], counting, stats=stats)
    assert all(isinstance(one, FailedImage) for one in found)
    assert counting.encoded == stats.encodes == 0
    assert stats.failed == len(images.UNREADABLE)
