"""``DeviceProcesses``: the processes of several devices, which are given images and send scored ones back."""

from __future__ import annotations

import multiprocessing
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import wait
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from ..cores import core_count
from ..engine.stats import EngineStats
from ..errors import LgcaError
from ..own_process import start_process
from .messages import COUNTED, ENDED, FAILED, plain_sources, read_outcome

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from .messages import Scored, Source
    from .worker import DeviceWork

IMAGES_AT_ONCE = 16
"""Number of images that a process is given at a time: as many as its threads decode ahead, so that none waits long."""

WAIT_SECONDS = 1.0
"""Seconds after which whoever waits for the processes may do something else."""

END_SECONDS = 5.0
"""Seconds that a process has to end, before it is killed."""


@dataclass(frozen=True, eq=False)
class _Process:
    """A process, and this end of its connections."""

    device: str
    process: BaseProcess
    work: Connection
    results: Connection


class DeviceProcesses:
    """A process for each of some devices of this machine, which load the model at once. A context manager.

    Args:
        work: what each process has to know; its device and number of cores are set here
        devices: where the model runs; one that is named twice gets two processes
    """

    def __init__(self, work: DeviceWork, devices: Iterable[str]) -> None:
        self.devices = tuple(devices)
        self._processes: list[_Process] = []
        self._batch_sizes: list[int] = []
        cpus = max(1, core_count() // len(self.devices))
        try:
            for device in self.devices:
                self._processes.append(_started(replace(work, device=device, cpus=cpus)))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> DeviceProcesses:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes; what they are at is lost."""
        for one in self._processes:
            one.process.terminate()
        for one in self._processes:
            one.process.join(END_SECONDS)
            if one.process.is_alive():
                one.process.kill()
                one.process.join()
            one.work.close()
            one.results.close()

    def loading(self) -> Iterator[list[str]]:
        """Yields the devices whose processes are still loading the model, about once a second, until none is.

        Raises:
            LgcaError: if one of them can't load it
        """
        left = list(self._processes)
        while left:
            yield [one.device for one in left]
            for one in _readable(left):
                _, batch_size = self._received(one)
                self._batch_sizes.append(batch_size)
                left.remove(one)

    def encode(
        self, images: Iterable[Source], stats: EngineStats, *, batch_size: int | None = None
    ) -> Generator[Scored, None, None]:
        """Encodes and scores images on all devices, and yields each with its prediction once it is through.

        Images that are near each other go to the same process, such as boxes in one file.

        Args:
            images: pairs of an id and a path, or a box in a file; read lazily
            stats: counted up meanwhile
            batch_size: crops in one call of the encoder; None takes the smallest that a process has chosen, for all

        Raises:
            LgcaError: if a process can't go on, or was killed
        """
        size, source, lock = batch_size or min(self._batch_sizes), iter(images), Lock()
        for one in self._processes:
            Thread(target=_give, args=(one.work, size, source, lock), name="lgca-images", daemon=True).start()
        left = list(self._processes)
        while left:
            for one in _readable(left):
                kind, *values = self._received(one)
                if kind == ENDED:
                    left.remove(one)
                elif kind == COUNTED:
                    stats.add(EngineStats(**values[0]))
                else:
                    yield from map(read_outcome, values[0])

    def _received(self, one: _Process) -> Any:
        """Returns the next message of a process."""
        try:
            message = one.results.recv()
        except (EOFError, OSError):
            one.process.join(END_SECONDS)
            code = one.process.exitcode
            how = f"was killed by signal {-code}" if code is not None and code < 0 else "has ended by itself"
            raise LgcaError(
                f"the process on {one.device} {how}, for lack of memory perhaps; what is done is kept, and the same "
                "call goes on",
                app=f"the process on {one.device} {how}, for lack of memory perhaps; what is done is kept, and the "
                "same settings go on with it",
            ) from None
        if message[0] == FAILED:
            raise LgcaError(f"the process on {one.device} can't go on: {message[1]}")
        return message


def _started(work: DeviceWork) -> _Process:
    (work_here, work_there), (results_here, results_there) = multiprocessing.Pipe(), multiprocessing.Pipe(duplex=False)
    process = start_process("devices.worker", work_there, results_there, vars(work))
    work_there.close()
    results_there.close()
    return _Process(work.device, process, work_here, results_here)


def _readable(processes: list[_Process]) -> list[_Process]:
    """Returns those of some processes that have sent something, or have ended, after a second at most."""
    found = wait([one.results for one in processes], timeout=WAIT_SECONDS)
    return [one for one in processes if one.results in found]


def _give(work: Connection, batch_size: int, source: Iterator[Source], lock: Lock) -> None:
    """Gives a process its batch size and, whenever it asks, some of the images that are left, until none is."""
    with suppress(OSError, EOFError):  # it has ended, which is noticed where its results are read
        work.send(batch_size)
        while True:
            work.recv()
            with lock:
                images = list(islice(source, IMAGES_AT_ONCE))
            work.send(plain_sources(images))
            if not images:
                return
