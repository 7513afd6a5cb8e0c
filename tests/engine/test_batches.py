"""How the engine works: encodes, batches, memory and threads."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lgca_plugin.config import RegionConfig
from lgca_plugin.engine.embeddings import EncodedImage
from lgca_plugin.engine.engine import default_batch_size, encode_images
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.errors import ConfigError, LgcaError
from tests.helpers import images
from tests.helpers.engine import ALL, Behind, Counting, Held, Threaded, Watched, assert_same, encode, plan_of


@pytest.mark.parametrize(
    ("methods", "encodes", "regions"),
    [
        (("clip", "wca", "lgca"), 87, 86),
        (ALL, 87, 86),
        (("lgca",), 61, 60),
        (("lgca_d",), 87, 86),
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
    """Boxes expanded to the largest square are all equal in a square image, and few in one that is nearly square."""
    images.picture(*size).save(tmp_path / "image.png")
    counting, stats = Counting(demo_encoder), EngineStats()
    plan = plan_of(regions=RegionConfig(crops=12, growth=50.0))
    (encoded,) = encode([tmp_path / "image.png"], counting, plan, stats=stats)
    expanded = encoded.boxes[encoded.step > 0]
    assert len(expanded) == 3 + 2
    assert set(expanded[:, 2].tolist()) == {150}
    distinct = {tuple(box) for box in encoded.boxes.tolist()}
    whole = 1 if (0, 0, 150, 150) in distinct and size == (150, 150) else 0
    assert counting.encoded == encoded.encodes == stats.encodes == 1 + len(distinct) - whole
    assert counting.encoded <= encodes
    for box in distinct:
        same = encoded.regions[(encoded.boxes == box).all(axis=1)]
        assert (same == same[0]).all()


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


def test_batch_size__on_the_cpu_goes_by_the_models_pixels_and_elsewhere_by_what_fits(demo_encoder: Any) -> None:
    for size, expected in ((64, 40), (224, 32), (336, 14), (2000, 1)):
        assert default_batch_size(Counting(demo_encoder, image_size=size)) == expected
    fitting = Counting(demo_encoder, device=torch.device("meta"), fitting_batch=lambda most: most // 8)
    assert default_batch_size(fitting) == 32  # of 256


@pytest.mark.parametrize("name", ["batch_size", "wave_size"])
@pytest.mark.parametrize("value", [0, -1])
def test_sizes__below_one_are_refused(demo_encoder: Any, name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{name}.*{value}"):
        encode([], demo_encoder, **{name: value})


@pytest.mark.parametrize("wave_size", [1, 2, 5])
def test_memory__the_input_is_read_at_most_two_waves_ahead(
    birds: list[Path], demo_encoder: Any, wave_size: int
) -> None:
    watched = Watched(birds * 3)
    results = encode_images(watched, encoder=demo_encoder, plan=plan_of(("clip",)), wave_size=wave_size)
    assert watched.read == 0, "nothing is read before the first result is requested"
    for done, _ in enumerate(results):
        assert watched.read <= (done // wave_size + 2) * wave_size
    assert watched.read == len(birds) * 3


def test_memory__without_a_wave_size_the_input_is_still_read_lazily(birds: list[Path], demo_encoder: Any) -> None:
    watched = Watched(birds * 100)
    results = encode_images(watched, encoder=demo_encoder, plan=plan_of(regions=RegionConfig()))
    next(results)
    results.close()
    assert watched.read < 300
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lgca-")]


def test_memory__large_images_close_a_wave_early_and_are_not_decoded_far_ahead(
    birds: list[Path], demo_encoder: Any
) -> None:
    """The limit is in bytes: two waves' worth at most, and the images at work in the decoding threads."""
    size = np.asarray(Image.open(birds[0])).nbytes
    watched = Watched(birds[:1] * 60)
    plan = plan_of(("clip",))
    results = encode_images(watched, encoder=demo_encoder, plan=plan, wave_size=50, wave_bytes=2 * size)
    next(results)
    assert watched.read <= 2 * 2 + 8


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("memory", [40, 7, 1])
def test_out_of_memory__changes_the_batches_and_nothing_else(
    birds: list[Path], demo_encoder: Any, memory: int, threads: int
) -> None:
    expected = encode(birds[:5], demo_encoder, batch_size=64)
    cramped, stats = Counting(demo_encoder, memory=memory), EngineStats()
    torch.set_num_threads(threads)
    try:
        assert_same(encode(birds[:5], cramped, batch_size=64, stats=stats), expected)
    finally:
        torch.set_num_threads(1)
    assert max(cramped.batches) <= memory
    assert stats.batch_size <= memory
    assert stats.encodes == cramped.encoded == sum(one.encodes for one in expected)


def test_out_of_memory__for_a_single_crop_is_an_error_not_a_loop(birds: list[Path], demo_encoder: Any) -> None:
    with pytest.raises(LgcaError, match="too little free memory for a single crop"):
        encode(birds[:2], Counting(demo_encoder, memory=0), batch_size=4)


@pytest.mark.parametrize("members", [{}, {"concurrent": False}, {"concurrent": False, "crops_on_device": True}])
def test_out_of_memory__halves_do_not_hold_the_whole(
    birds: list[Path], demo_encoder: Any, members: dict[str, Any]
) -> None:
    encoder = Held(demo_encoder, memory=10, **members)
    encode(birds[:3], encoder, plan_of(("wca",)), batch_size=40)
    assert not encoder.held


def test_device__has_the_next_batch_before_the_results_of_the_last_one_are_read(
    birds: list[Path], demo_encoder: Any
) -> None:
    plan, expected = plan_of(("clip",)), encode(birds[:20], demo_encoder, plan_of(("clip",)))
    encoder = Behind(demo_encoder, last=5, concurrent=False)
    found = encode(birds[:20], encoder, plan, batch_size=4)
    assert encoder.batches == [4] * 5
    assert_same(found, expected)


@pytest.mark.parametrize("members", [{}, {"concurrent": False}, {"concurrent": False, "crops_on_device": True}])
def test_batches__are_filled_up_for_an_encoder_whose_vectors_depend_on_their_size(
    birds: list[Path], demo_encoder: Any, members: dict[str, Any]
) -> None:
    stats, plain = EngineStats(), EngineStats()
    expected = encode(birds[:5], Counting(demo_encoder, **members), batch_size=16, stats=plain)
    encoder = Counting(demo_encoder, pads=True, **members)
    assert_same(encode(birds[:5], encoder, batch_size=16, stats=stats), expected)
    assert set(encoder.batches) == {16}
    assert (stats.encodes, stats.batches, stats.batch_fill) == (plain.encodes, plain.batches, plain.batch_fill)
    one_by_one = Counting(demo_encoder, pads=True, **members)
    assert_same(encode(birds[:5], one_by_one, batch_size=16, fill_up=False), expected)
    assert sum(one_by_one.batches) == plain.encodes
    small = Counting(demo_encoder, pads=True, memory=5, **members)
    assert_same(encode(birds[:5], small, batch_size=16), expected)
    assert set(small.batches) == {4}


@pytest.mark.parametrize("members", [{"concurrent": False}, {"concurrent": False, "crops_on_device": True}])
def test_pixels__are_uint8_for_an_encoder_that_normalizes_them(
    birds: list[Path], demo_encoder: Any, members: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(birds[:5], Counting(demo_encoder, **members))
    given = set()
    encoder = Counting(demo_encoder, normalizes=True, **members)
    start = encoder.start_images

    def noted(pixels: torch.Tensor) -> Any:
        given.add(pixels.dtype)
        return start(pixels)

    monkeypatch.setattr(encoder, "start_images", noted)
    assert_same(encode(birds[:5], encoder), expected)
    assert given == {torch.uint8}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("concurrent", [True, False])
def test_threads__a_concurrent_encoder_is_called_in_several_another_in_the_callers_alone(
    birds: list[Path], demo_encoder: Any, *, concurrent: bool
) -> None:
    encoder = Threaded(demo_encoder, concurrent=concurrent)
    found = encode(birds[:9], encoder, batch_size=16)
    caller = threading.get_ident()
    if concurrent:
        assert len(encoder.threads) == 2
        assert caller not in encoder.threads
        assert encoder.torch_threads == {1}, "two batches share two threads"
    else:
        assert encoder.threads == {caller}
        assert encoder.torch_threads == {2}
    with ThreadPoolExecutor(1) as pool:
        assert torch.get_num_threads() == pool.submit(torch.get_num_threads).result() == 2, "as before"
    torch.set_num_threads(1)
    assert_same(found, encode(birds[:9], demo_encoder, batch_size=16))


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("concurrent", [True, False])
def test_threads__an_encoder_that_fails_ends_the_run_with_its_error(
    birds: list[Path], demo_encoder: Any, *, concurrent: bool
) -> None:
    failing = Threaded(demo_encoder, concurrent=concurrent, fails_after=3)
    with pytest.raises(RuntimeError, match="the driver is gone"):
        encode(birds[:9], failing, batch_size=16)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lgca-")]
