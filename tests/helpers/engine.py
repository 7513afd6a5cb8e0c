"""Helpers of the engine's tests: plans, real encoders that count or fail, inputs that count how far they are read."""

from __future__ import annotations

import io
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.encoder.own_encoder import OwnEncoder
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.method.core.methods import METHODS

ALL = tuple(METHODS)
SMALL = RegionConfig(crops=12)
"""12 crops, of which 6 start chains: 6 + 3 + 2 regions."""


def plan_of(methods: Iterable[str] = ALL, regions: RegionConfig = SMALL) -> RegionPlan:
    return RegionPlan.of(tuple(METHODS[name] for name in methods), regions)


def encode(sources: Iterable[Any], encoder: Any, plan: RegionPlan | None = None, /, **options: Any) -> list[Any]:
    """Runs the engine over paths or bytes; their positions are the ids."""
    return list(encode_images(enumerate(sources), encoder=encoder, plan=plan or plan_of(), **options))


def assert_same(found: list[Any], expected: list[Any]) -> None:
    """The same boxes, and embeddings that differ by no more than the order of a sum."""
    assert [type(one) for one in found] == [type(one) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.content_hash == other.content_hash
        np.testing.assert_array_equal(one.step, other.step)
        np.testing.assert_array_equal(one.chain, other.chain)
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_allclose(one.whole, other.whole, atol=1e-5)
        np.testing.assert_allclose(one.regions, other.regions, atol=1e-5)
        assert one.encodes == other.encodes


def shrunk(path: Path, side: int = 240) -> bytes:
    """A photograph in a size for quick tests, as JPEG."""
    image = Image.open(path).convert("RGB")
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


class Counting(OwnEncoder):
    """A real encoder, with some other members, that counts what it encodes; fails above a size that fits ``memory``."""

    def __init__(self, encoder: Any, *, memory: int | None = None, **members: Any) -> None:
        super().__init__(encoder)
        self.__dict__.update(members)
        self._memory = memory
        self.batches: list[int] = []
        self.texts = 0

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.texts += len(texts)
        return super().encode_texts(texts)

    @property
    def encoded(self) -> int:
        return sum(self.batches)

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        if self._memory is not None and len(pixels) > self._memory:
            raise torch.OutOfMemoryError(f"{len(pixels)} are too many")
        self.batches.append(len(pixels))
        return super().encode_images(pixels)


class Held(Counting):
    """A real encoder that keeps an eye on what it is given: pixels that are still in memory when it is called again."""

    def __init__(self, encoder: Any, **members: Any) -> None:
        super().__init__(encoder, **members)
        self._given: weakref.ref[torch.Tensor] | None = None
        self.held: list[int] = []

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        before = None if self._given is None else self._given()
        if before is not None:
            self.held.append(len(before))
        self._given = weakref.ref(pixels)
        return super().encode_images(pixels)


class Behind(Counting):
    """A real encoder that, as a GPU does, takes a batch and returns; a batch is through when the next one has come."""

    def __init__(self, encoder: Any, *, last: int, **members: Any) -> None:
        super().__init__(encoder, **members)
        self._last, self._started = last, [threading.Event()]

    def start_images(self, pixels: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        vectors, number = self.encode_images(pixels), len(self.batches)
        self._started[-1].set()
        following = threading.Event()
        self._started.append(following)

        def wait() -> NDArray[np.float32]:
            assert number >= self._last or following.wait(30), "the next batch waits for the results of this one"
            return vectors

        return wait


class Blind(Counting):
    """A real encoder that returns NaN for black pictures, as half precision can."""

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        vectors = super().encode_images(pixels).copy()
        vectors[(pixels.amax(dim=(1, 2, 3)) < -1).numpy()] = np.nan
        return vectors


class Threaded(Counting):
    """A real encoder that records the threads that call it, and their torch threads; it fails after some batches."""

    def __init__(self, encoder: Any, *, concurrent: bool, fails_after: int | None = None) -> None:
        super().__init__(encoder, concurrent=concurrent)
        self._fails_after = fails_after
        self.threads: set[int] = set()
        self.torch_threads: set[int] = set()

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        self.threads.add(threading.get_ident())
        self.torch_threads.add(torch.get_num_threads())
        if self._fails_after is not None and len(self.batches) >= self._fails_after:
            raise RuntimeError("the driver is gone")
        return super().encode_images(pixels)


class Watched:
    """An iterator over (position, source) that counts how far it has been read."""

    def __init__(self, sources: Iterable[Any]) -> None:
        self._sources = enumerate(sources)
        self.read = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._sources:
            self.read += 1
            yield item
