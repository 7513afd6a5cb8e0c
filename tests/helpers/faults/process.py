"""Starts the process that faults happen to, follows its lines, and sends it signals."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.helpers.faults import child
from tests.helpers.paths import ROOT

PATIENCE = 180.0
"""Seconds after which a process that prints nothing is hung; importing takes 8 s, on a busy machine far more."""


class Job:
    """A running :mod:`tests.helpers.faults.child`.

    Attributes:
        lines: what it has printed so far
    """

    def __init__(self, process: subprocess.Popen[str], errors: Path) -> None:
        self.process = process
        self.lines: list[str] = []
        self._errors = errors
        self._queue: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    @property
    def errors(self) -> str:
        """What it has written to its error output."""
        return self._errors.read_text()

    def wait_for(self, *starts: str, patience: float = PATIENCE) -> str | None:
        """Returns the next line that starts with one of some texts; None if it ends before."""
        deadline = time.monotonic() + patience
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {starts} after {patience} s: {self.lines[-5:]}\n{self.errors}") from None
            if line is None:
                return None
            self.lines.append(line)
            if line.startswith(starts):
                return line

    def wait_for_images(self, count: int) -> None:
        """Waits until so many images are written."""
        while (line := self.wait_for("at ", "done", "failed")) is not None and line.startswith("at "):
            if int(line.split()[1]) >= count:
                return
        raise AssertionError(f"ended before {count} images were written: {self.lines[-5:]}\n{self.errors}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kills it as the kernel does when memory runs out."""
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self, patience: float = PATIENCE) -> int:
        """Waits until it has ended and returns its status: minus the number of the signal that has ended it."""
        while self.wait_for("done", "failed", patience=patience) is not None:
            pass
        return self.process.wait(timeout=patience)


@contextlib.contextmanager
def job(
    folder: Path, what: str, dataset: str, *, env: Mapping[str, str] | None = None, **options: Any
) -> Iterator[Job]:
    """Starts a job on a dataset in a process of its own, with this process's database and store; killed at the end.

    Args:
        folder: takes the file of its error output
        what: one of ``child.JOBS``
        dataset: name of the dataset
        env: the whole environment of the process, if not this process's
        **options: of the job, as JSON
    """
    errors = folder / f"{what}-{time.monotonic_ns()}.err"
    command = [sys.executable, "-m", child.__name__, what, dataset, json.dumps(options)]
    with errors.open("w") as out:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, text=True, cwd=ROOT, env=env)
    try:
        yield Job(process, errors)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def finished(folder: Path, what: str, dataset: str, **options: Any) -> Job:
    """Does a job to its end, undisturbed."""
    with job(folder, what, dataset, **options) as running:
        status = running.end()
        assert status == 0 and running.lines[-1] == "done", f"{running.lines[-5:]}\n{running.errors}"
    return running
