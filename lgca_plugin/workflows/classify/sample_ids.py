"""The ids of many samples in little memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTES = 12
IDS_AT_ONCE = 10_000
"""Number of ids in a query or update."""


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
