"""A job in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING

from ..cores import core_count
from ..encoder.precision import check_devices
from ..own_process import without_main_module
from .calls import PartCalls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .calls import PartEnd
    from .workers import Wished

CORES_EACH = 2
"""Number of cores of a worker without a GPU, unless it is said."""

_calls: list[PartCalls] = []
"""The worker of this process, once it was called."""


class Processes:
    """Worker processes, each a pool of its own: if one is killed, the others do not notice.

    Without a number there is one for each device that is named, else one for each GPU or, without any, one for two
    cores.

    Raises:
        ConfigError: if there is no such device
    """

    def __init__(self, wished: Wished) -> None:
        import torch

        cores, gpus = core_count(), torch.cuda.device_count() if wished.uses_gpus else 0
        if wished.device not in (None, "cuda"):
            self._devices: Sequence[str | None] = check_devices(str(wished.device))
        else:
            self._devices = [f"cuda:{number}" for number in range(gpus)] if gpus > 1 else [wished.device]
        self._wished = wished
        by_devices = len(self._devices) if gpus or len(self._devices) > 1 else 0
        self.count = wished.count or by_devices or max(1, cores // CORES_EACH)
        self._cpus = wished.cpus or max(1, cores // self.count)
        self._pools: dict[int, ProcessPoolExecutor] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def do(self, folder: str, groups: Sequence[Sequence[int]]) -> Iterator[PartEnd]:
        """Does groups of parts, and yields how each part has ended; nothing of a group whose worker was killed."""
        waiting = deque(groups)
        running: dict[Future[list[PartEnd]], int] = {}
        while waiting or running:
            for number in set(range(self.count)).difference(running.values()):
                if waiting:
                    arguments = (folder, list(waiting.popleft()), self._cpus, self._device(number))
                    with without_main_module():  # a pool starts its process with its first task
                        running[self._pool(number).submit(_do, *arguments, self._wished.batch_size)] = number
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                number = running.pop(future)
                try:
                    yield from future.result()
                except BrokenProcessPool:
                    self._pools.pop(number).shutdown()

    def _pool(self, number: int) -> ProcessPoolExecutor:
        if number not in self._pools:
            context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
            self._pools[number] = ProcessPoolExecutor(1, context, initializer=_end_with_parent)
        return self._pools[number]

    def _device(self, number: int) -> str | None:
        """Returns the device of a worker: each has one of its own, as far as there are enough; None for the best."""
        return self._devices[number % len(self._devices)]


def _do(folder: str, parts: Sequence[int], cpus: int, device: str | None, batch_size: int | None) -> list[PartEnd]:
    if not _calls:
        _calls.append(PartCalls(folder, cpus=cpus, device=device, batch_size=batch_size))
    return _calls[0].do(parts)


def _end_with_parent() -> None:
    """Ends this process with the one that has started it, be that killed: it would wait for work for ever."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="lgca-parent", daemon=True).start()
