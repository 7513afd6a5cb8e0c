"""The ids and files of many samples in little memory."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from ...images.boxed import BoxedImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTES = 12
IDS_AT_ONCE = 10_000
"""Number of ids in a query or update."""

IMAGES_AT_ONCE = 1_000
"""Number of images that are compressed together."""

Image = tuple[str, "str | BoxedImage"]
"""A sample's id, and its file or a box in one."""


class SampleIds(Sequence[str]):
    """Sample ids in their order, of 12 bytes each: as texts in a list they take 80."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        self._packed = bytearray()
        self.extend(ids)

    def extend(self, ids: Iterable[str]) -> None:
        """Adds ids at the end."""
        self._packed += bytes.fromhex("".join(ids))

    def __len__(self) -> int:
        return len(self._packed) // _BYTES

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        start = range(len(self))[at] * _BYTES
        return self._packed[start : start + _BYTES].hex()

    def parts(self) -> Iterator[list[str]]:
        """Yields the ids in lists that fit into a query."""
        for start in range(0, len(self), IDS_AT_ONCE):
            yield self[start : start + IDS_AT_ONCE]


class SampleImages(Sequence[Image]):
    """Sample ids with their files, or boxes in files, compressed: as a list of texts they take 500 bytes and more."""

    def __init__(self, images: Iterable[Image] = ()) -> None:
        self._packed: list[bytes] = []
        self._last: list[Image] = []  # not packed yet
        self._read: tuple[int, list[Image]] = -1, []  # the pack that was read last
        self.extend(images)

    def extend(self, images: Iterable[Image]) -> None:
        """Adds images at the end."""
        for image in images:
            self._last.append(image)
            if len(self._last) == IMAGES_AT_ONCE:
                self._packed.append(_packed(self._last))
                self._last = []

    def __len__(self) -> int:
        return len(self._packed) * IMAGES_AT_ONCE + len(self._last)

    @overload
    def __getitem__(self, at: int) -> Image: ...
    @overload
    def __getitem__(self, at: slice) -> list[Image]: ...
    def __getitem__(self, at: int | slice) -> Image | list[Image]:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        pack, place = divmod(range(len(self))[at], IMAGES_AT_ONCE)
        if pack == len(self._packed):
            return self._last[place]
        number, images = self._read
        if number != pack:
            images = _unpacked(self._packed[pack])
            self._read = pack, images
        return images[place]

    def __iter__(self) -> Iterator[Image]:
        for pack in self._packed:
            yield from _unpacked(pack)
        yield from self._last


def _packed(images: Sequence[Image]) -> bytes:
    plain = [(id_, vars(source) if isinstance(source, BoxedImage) else source) for id_, source in images]
    return zlib.compress(json.dumps(plain).encode(), 1)


def _unpacked(pack: bytes) -> list[Image]:
    plain = json.loads(zlib.decompress(pack))
    return [
        (id_, source if isinstance(source, str) else BoxedImage(**{**source, "box": tuple(source["box"])}))
        for id_, source in plain
    ]
