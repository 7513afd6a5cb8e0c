"""Starts the process that faults happen to, follows its lines, and sends it signals."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

PATIENCE = 180.0
"""Seconds after which a process that prints nothing is hung; a busy machine takes long."""
CHILD = "tests.helpers.faults.child"

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([CHILD])


def _start(*arguments: Any) -> None:
    from tests.helpers.faults import child  # imported by the server process

    child.main(*arguments)


class Job:
    """A running :mod:`tests.helpers.faults.child`.

    Attributes:
        lines: what it has printed and a ``wait_for`` has read
    """

    def __init__(self, process: ForkServerProcess, out: Path, err: Path) -> None:
        self.process = process
        self.lines: list[str] = []
        self._out = out.open()
        self._err = err
        self._part = ""

    @property
    def errors(self) -> str:
        """What it has written to its error output."""
        return self._err.read_text()

    def close(self) -> None:
        self.process.kill()
        self.process.join()
        self._out.close()

    def _next_line(self) -> str | None:
        self._part += self._out.readline()
        if not self._part.endswith("\n"):
            return None
        line, self._part = self._part[:-1], ""
        return line

    def wait_for(self, *starts: str, patience: float = PATIENCE) -> str | None:
        """Returns the next line that starts with one of some texts; None if it ends before."""
        deadline = time.monotonic() + patience
        while True:
            over = not self.process.is_alive()
            line = self._next_line()
            if line is not None:
                self.lines.append(line)
                if line.startswith(starts):
                    return line
            elif over:
                return None
            elif time.monotonic() > deadline:
                raise AssertionError(f"no {starts} after {patience} s: {self.lines[-5:]}\n{self.errors}")
            else:
                time.sleep(0.005)

    def wait_for_images(self, count: int, *, patience: float = PATIENCE) -> None:
        """Waits until so many images are written."""
        while True:
            line = self.wait_for("at ", "done", "failed", patience=patience)
            if line is None or not line.startswith("at "):
                break
            if int(line.split()[1]) >= count:
                return
        raise AssertionError(f"ended before {count} images were written: {self.lines[-5:]}\n{self.errors}")

    def send(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """Kills it as the kernel does when memory runs out."""
        self.send(signal.SIGKILL)
        self.end()

    def end(self, patience: float = PATIENCE) -> int:
        """Waits until it has ended and returns its status: minus the number of the signal that has ended it."""
        while self.wait_for("done", "failed", patience=patience) is not None:
            pass
        self.process.join(patience)
        assert self.process.exitcode is not None, "it does not end"
        return self.process.exitcode


@contextlib.contextmanager
def job(
    folder: Path,
    what: str,
    dataset: str,
    *,
    env: Mapping[str, str] | None = None,
    limits: Mapping[str, int] | None = None,
    images: Any = None,
    kill_at: int = 0,
    **options: Any,
) -> Iterator[Job]:
    """Starts a job on a dataset in a process of its own; killed at the end.

    Args:
        folder: takes the files of its output
        what: one of ``child.JOBS``
        dataset: name of the dataset
        env: changes of the environment; without any, it has this process's database and store
        limits: of resources, such as ``RLIMIT_FSIZE``; ``RLIMIT_AS`` is what it may take beyond what it has at first
        images: where given, the dataset is made of them first
        kill_at: it kills itself before so many writes to the database; 0 is never
        **options: of the job
    """
    out, err = (folder / f"{what}-{time.monotonic_ns()}.{end}" for end in ("out", "err"))
    out.touch()
    setting: dict[str, Any] = {"env": {**os.environ, **(env or {})}, "out": str(out), "err": str(err)}
    setting |= {"limits": dict(limits or {}), "kill_at": kill_at}
    if images is not None:
        setting["images"] = images
    process = _forks.Process(target=_start, args=(what, dataset, options, setting))
    process.start()
    running = Job(process, out, err)
    try:
        yield running
    finally:
        running.close()


def finished(folder: Path, what: str, dataset: str, **options: Any) -> Job:
    """Does a job to its end, undisturbed."""
    with job(folder, what, dataset, **options) as running:
        status = running.end()
        assert status == 0 and running.lines[-1] == "done", f"{running.lines[-5:]}\n{running.errors}"
    return running
