"""The engine: what must not change its answers, what it counts, how far it reads, and what breaks it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.config import RegionConfig
from lgca_plugin.engine import engine
from lgca_plugin.engine.engine import EncodedImage, EngineStats, FailedImage, encode_images
from lgca_plugin.errors import ConfigError, LgcaError
from tests.helpers import images
from tests.helpers.engine import ALL, Asked, Blind, Counting, Watched, assert_same, encode, plan_of


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Towers this small are slower on two threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def two_threads() -> Iterator[None]:
    import torch

    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def birds(demo_images: list[Any]) -> list[Path]:
    return [Path(image.path) for image in demo_images]


# --------------------------------------------------------------------------- what must not change answers


def test_order__batches_waves_and_splits_do_not_change_anything(birds: list[Path], demo_encoder: Any) -> None:
    sources = birds[:9]
    expected = encode(sources, demo_encoder)
    for options in ({"batch_size": 3}, {"wave_size": 2}, {"batch_size": 500, "wave_size": 500}, {"batch_size": 1}):
        assert_same(encode(sources, demo_encoder, **options), expected)
    shuffled = [4, 0, 8, 3, 1, 7, 2, 6, 5]
    found = encode([sources[index] for index in shuffled], demo_encoder, wave_size=4)
    assert_same([found[shuffled.index(index)] for index in range(9)], expected)
    assert_same(encode(sources[:4], demo_encoder) + encode(sources[4:], demo_encoder), expected)
    assert_same(encode([path.read_bytes() for path in sources], demo_encoder), expected)


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


def test_prefix__methods_share_crops_whatever_else_the_run_asks_for(birds: list[Path], demo_encoder: Any) -> None:
    """The regions of a run of one method are among those of a run of all, with the same embeddings."""
    regions = RegionConfig(crops=12, lgca_crops=8)
    everything = encode(birds[:3], demo_encoder, plan_of(ALL, regions))
    for name in ("wca", "lgca", "clip"):
        for one, all_ in zip(encode(birds[:3], demo_encoder, plan_of((name,), regions)), everything, strict=True):
            np.testing.assert_allclose(one.whole, all_.whole, atol=1e-6)
            known = {
                (step, chain): (tuple(box), vector)
                for step, chain, box, vector in zip(
                    all_.step, all_.chain, all_.boxes.tolist(), all_.regions, strict=True
                )
            }
            for step, chain, box, vector in zip(one.step, one.chain, one.boxes.tolist(), one.regions, strict=True):
                assert known[step, chain][0] == tuple(box)
                np.testing.assert_allclose(vector, known[step, chain][1], atol=1e-5)


def test_ties__boxes_that_have_become_equal_keep_the_earliest_chains(birds: list[Path], demo_encoder: Any) -> None:
    """Equal boxes are equally salient to the last bit; a sum rounded otherwise would choose by its rounding."""
    plan = plan_of(("lgca",), RegionConfig(lgca_crops=34, growth=50.0))
    for encoded in encode(birds[:8], demo_encoder, plan):
        height, width = encoded.image_size_hw
        grown = {tuple(box): [] for box in encoded.boxes[encoded.step == 1].tolist()}
        for box, chain in zip(encoded.boxes[encoded.step == 1].tolist(), encoded.chain[encoded.step == 1], strict=True):
            grown[tuple(box)].append(int(chain))
        assert all(box[2] == min(height, width) for box in grown)
        kept = set(encoded.chain[encoded.step == 2].tolist())
        for chains in grown.values():
            inside = [chain in kept for chain in chains]
            assert inside == sorted(inside, reverse=True), (
                "a later chain was kept before an earlier one of the same box"
            )


def test_seed__changes_the_crops_and_nothing_about_the_whole_image(birds: list[Path], demo_encoder: Any) -> None:
    (first,) = encode(birds[:1], demo_encoder, plan_of(regions=RegionConfig(crops=12, seed=0)))
    (second,) = encode(birds[:1], demo_encoder, plan_of(regions=RegionConfig(crops=12, seed=1)))
    assert (first.boxes != second.boxes).any()
    np.testing.assert_allclose(first.whole, second.whole, atol=1e-6)


# ------------------------------------------------------------------------------------------- counting encodes


@pytest.mark.parametrize(
    ("methods", "encodes", "regions"),
    [
        (("clip", "wca", "lgca"), 87, 86),
        (ALL, 87, 86),
        (("lgca",), 61, 60),
        (("lgca_d",), 61, 60),
        (("wca",), 61, 60),
        (("clip",), 1, 0),
        (("clip", "clip_d"), 1, 0),
    ],
)
def test_encodes__are_those_of_the_design(
    tmp_path: Path, demo_encoder: Any, methods: tuple[str, ...], encodes: int, regions: int
) -> None:
    """On an image so large and with growth so small that no two boxes become equal."""
    images.picture(2000, 1500).save(tmp_path / "large.png")
    plan = plan_of(methods, RegionConfig(growth=1.05))
    counting, stats = Counting(demo_encoder), EngineStats()
    (encoded,) = encode([tmp_path / "large.png"], counting, plan, stats=stats)
    assert counting.encoded == encoded.encodes == stats.encodes == plan.encodes_per_image == encodes
    assert encoded.regions.shape == (regions, demo_encoder.dim)


@pytest.mark.parametrize(("size", "encodes"), [((150, 150), 1 + 12), ((200, 150), 1 + 12 + 3)])
def test_encodes__equal_boxes_are_encoded_once(
    tmp_path: Path, demo_encoder: Any, size: tuple[int, int], encodes: int
) -> None:
    """Boxes grown to the largest square are all alike where the image is square, and few where it is nearly so."""
    images.picture(*size).save(tmp_path / "image.png")
    counting, stats = Counting(demo_encoder), EngineStats()
    plan = plan_of(regions=RegionConfig(crops=12, growth=50.0))
    (encoded,) = encode([tmp_path / "image.png"], counting, plan, stats=stats)
    grown = encoded.boxes[encoded.step > 0]
    assert len(grown) == 3 + 2
    assert set(grown[:, 2].tolist()) == {150}
    distinct = {tuple(box) for box in encoded.boxes.tolist()}
    whole = 1 if (0, 0, 150, 150) in distinct and size == (150, 150) else 0
    assert counting.encoded == encoded.encodes == stats.encodes == 1 + len(distinct) - whole
    assert counting.encoded <= encodes
    for one in range(len(encoded.boxes)):
        for other in range(one):
            if (encoded.boxes[one] == encoded.boxes[other]).all():
                np.testing.assert_array_equal(encoded.regions[one], encoded.regions[other])


def test_stats__add_up(tmp_path: Path, birds: list[Path], demo_encoder: Any) -> None:
    counting, stats = Counting(demo_encoder), EngineStats()
    sources = [*birds[:5], images.write(tmp_path, "empty.jpg")]
    found = encode(sources, counting, stats=stats, batch_size=8)
    assert (stats.images, stats.failed) == (5, 1)
    assert stats.encodes == counting.encoded == sum(one.encodes for one in found if isinstance(one, EncodedImage))
    assert stats.batches == len(counting.batches)
    assert max(counting.batches) <= 8
    assert 0 < stats.batch_fill <= 1


def test_batches__are_full_but_for_the_last_of_each_step(birds: list[Path], demo_encoder: Any) -> None:
    counting = Counting(demo_encoder)
    encode(birds[:8], counting, batch_size=16, wave_size=8)
    assert sum(size < 16 for size in counting.batches) <= 3  # three steps


# ----------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("wave_size", [1, 2, 5])
def test_memory__the_input_is_read_at_most_two_waves_ahead(
    birds: list[Path], demo_encoder: Any, wave_size: int
) -> None:
    watched = Watched(birds * 3)
    results = encode_images(watched, encoder=demo_encoder, plan=plan_of(("clip",)), wave_size=wave_size)
    assert watched.read == 0, "nothing is read before the first result is asked for"
    for done, _ in enumerate(results):
        assert watched.read <= (done // wave_size + 2) * wave_size
    assert watched.read == len(birds) * 3


def test_memory__without_a_wave_size_the_input_is_still_read_lazily(birds: list[Path], demo_encoder: Any) -> None:
    watched = Watched(birds * 100)
    results = encode_images(watched, encoder=demo_encoder, plan=plan_of(regions=RegionConfig()))
    next(results)
    assert watched.read < 300
    results.close()
    read = watched.read
    assert read < 300, "a caller who stops is not followed by hundreds of decoded images"


def test_memory__large_images_close_a_wave_early_and_are_not_decoded_far_ahead(
    birds: list[Path], demo_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is bytes: two waves' worth at most, and the images at work in the decoding threads."""
    size = np.asarray(Image.open(birds[0])).nbytes
    monkeypatch.setattr(engine, "WAVE_BYTES", 2 * size)
    watched = Watched(birds[:1] * 60)
    results = encode_images(watched, encoder=demo_encoder, plan=plan_of(("clip",)), wave_size=50)
    next(results)
    assert watched.read <= 2 * 2 + 8


# -------------------------------------------------------------------------------------- running out, breaking


@pytest.mark.parametrize("memory", [40, 7, 1])
def test_back_off__running_out_of_memory_changes_the_batches_and_nothing_else(
    birds: list[Path], demo_encoder: Any, memory: int
) -> None:
    expected = encode(birds[:5], demo_encoder, batch_size=64)
    cramped, stats = Counting(demo_encoder, memory=memory), EngineStats()
    assert_same(encode(birds[:5], cramped, batch_size=64, stats=stats), expected)
    assert max(cramped.batches) <= memory
    assert stats.batch_size <= memory
    assert stats.encodes == cramped.encoded


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("memory", [40, 7])
def test_back_off__side_by_side_changes_nothing_either(birds: list[Path], demo_encoder: Any, memory: int) -> None:
    expected = encode(birds[:5], demo_encoder, batch_size=64)
    cramped, stats = Counting(demo_encoder, memory=memory), EngineStats()
    assert_same(encode(birds[:5], cramped, batch_size=64, stats=stats), expected)
    assert max(cramped.batches) <= memory
    assert stats.encodes == cramped.encoded == sum(one.encodes for one in expected)


def test_back_off__no_room_for_a_single_crop_is_an_error_not_a_loop(birds: list[Path], demo_encoder: Any) -> None:
    with pytest.raises(LgcaError, match="too little free memory for a single crop"):
        encode(birds[:2], Counting(demo_encoder, memory=0), batch_size=4)


def test_embeddings__that_are_no_numbers_cost_only_their_image(
    tmp_path: Path, birds: list[Path], demo_encoder: Any
) -> None:
    Image.new("RGB", (80, 60)).save(tmp_path / "black.png")
    sources = [birds[0], tmp_path / "black.png", birds[1]]
    found = encode(sources, Blind(demo_encoder))
    assert isinstance(found[1], FailedImage)
    assert "number" in found[1].reason
    assert_same([found[0], found[2]], encode(birds[:2], demo_encoder))


# -------------------------------------------------------------------------------------------------------- threads


@pytest.mark.usefixtures("two_threads")
def test_threads__batches_side_by_side_give_the_same(birds: list[Path], demo_encoder: Any) -> None:
    import torch

    asked = Asked(demo_encoder, concurrent=True)
    found = encode(birds[:9], asked, batch_size=16)
    assert len(asked.threads) == 2
    assert threading.get_ident() not in asked.threads
    assert asked.torch_threads == {1}, "two batches share two threads"
    torch.set_num_threads(1)
    assert_same(found, encode(birds[:9], demo_encoder, batch_size=16))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("concurrent", [True, False])
def test_threads__of_torch_are_left_as_they_were(birds: list[Path], demo_encoder: Any, *, concurrent: bool) -> None:
    import torch

    encode(birds[:2], Asked(demo_encoder, concurrent=concurrent))
    with ThreadPoolExecutor(1) as pool:
        assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 2


@pytest.mark.usefixtures("two_threads")
def test_threads__an_encoder_that_says_nothing_is_called_from_the_callers_alone(
    birds: list[Path], demo_encoder: Any
) -> None:
    asked = Asked(demo_encoder, concurrent=False)
    found = encode(birds[:9], asked, batch_size=16)
    assert asked.threads == {threading.get_ident()}
    assert asked.torch_threads == {2}
    assert_same(found, encode(birds[:9], demo_encoder, batch_size=16))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("concurrent", [True, False])
def test_threads__an_encoder_that_fails_ends_the_run_with_its_error(
    birds: list[Path], demo_encoder: Any, *, concurrent: bool
) -> None:
    failing = Asked(demo_encoder, concurrent=concurrent, fails_after=3)
    with pytest.raises(RuntimeError, match="the driver is gone"):
        encode(birds[:9], failing, batch_size=16)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lgca-")]


@pytest.mark.parametrize("name", ["batch_size", "wave_size"])
@pytest.mark.parametrize("value", [0, -1])
def test_sizes__below_one_are_refused(demo_encoder: Any, name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        encode([], demo_encoder, **{name: value})


def test_nothing__gives_nothing(demo_encoder: Any) -> None:
    assert encode([], demo_encoder) == []


# -------------------------------------------------------------------------------------------------- bad input


def test_bad_input__costs_only_itself(tmp_path: Path, birds: list[Path], demo_encoder: Any) -> None:
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
