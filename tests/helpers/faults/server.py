"""A MongoDB server that can be killed and started again."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from scripts import mongod


class Server:
    """A mongod on a port of its own; after :meth:`kill` or :meth:`stop` it can be started again with its data."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._port = mongod.free_port()

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that uses it."""
        uri = f"mongodb://127.0.0.1:{self._port}/?serverSelectionTimeoutMS=1000"
        return {**os.environ, "FIFTYONE_DATABASE_URI": uri, "LGCA_STORE_DIR": str(self._folder / "embeddings")}

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._stack.enter_context(mongod.mongod_on(self._port, self._folder / "database"))

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Ends it without warning, or with another signal, and waits until it is gone."""
        lock = self._folder / "database" / "mongod.lock"
        pid = int(lock.read_text())
        os.kill(pid, number)
        while Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
            time.sleep(0.01)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A server that runs."""
    with contextlib.ExitStack() as stack:
        made = Server(folder, stack)
        made.start()
        yield made
