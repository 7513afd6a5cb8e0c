"""A worker as engines call it: with groups of parts, for which it answers how each has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..cores import limit_cores
from ..errors import LgcaError
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class PartEnd(NamedTuple):
    """How a part has ended in a worker: it is in the folder, or the error says why not."""

    part: int
    error: str | None


class PartCalls:
    """A worker whose model is loaded with the first call, where an error can be answered."""

    def __init__(self, folder: str, *, cpus: int, device: str | None, batch_size: int | None) -> None:
        self._folder = folder
        self._cpus = cpus
        self._device = device
        self._batch_size = batch_size
        self._worker: Worker | None = None

    def ready(self) -> None:
        """Returns once the process is up."""

    def do(self, parts: Sequence[int]) -> list[PartEnd]:
        """Does parts, and returns how those have ended that were missing."""
        ends: dict[int, PartEnd] = {}
        try:
            for part in self._parts(parts):
                ends[part] = PartEnd(part, None)
        except Exception as error:  # noqa: BLE001 (answered to whoever runs the job)
            reason = str(error) if isinstance(error, LgcaError) else f"{type(error).__name__}: {error}"
            ends.update((part, PartEnd(part, reason)) for part in parts if part not in ends)
        return list(ends.values())

    def _parts(self, parts: Sequence[int]) -> Iterator[int]:
        if self._worker is None:
            import torch

            torch.set_num_threads(self._cpus)
            limit_cores(self._cpus)
            self._worker = Worker(self._folder, device=self._device, batch_size=self._batch_size)
        yield from (counts.part for counts in self._worker.work(parts))
