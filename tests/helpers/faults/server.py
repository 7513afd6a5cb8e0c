"""A MongoDB server that can be killed and started again."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymongo
from pymongo.errors import PyMongoError

from scripts import mongod
from tests.helpers.faults.damage import Values
from tests.helpers.faults.process import finished

NAME = "birds"
"""Name of the dataset in such a database."""


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
        pid = self.pid
        os.kill(pid, number)
        self._wait_until_gone(pid)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return int((self._folder / "database" / "mongod.lock").read_text())

    def fill_disk(self) -> None:
        """Lets none of its files grow any more, and waits until it has ended of it."""
        pid = self.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        uri = f"mongodb://127.0.0.1:{self._port}/?serverSelectionTimeoutMS=1000"
        with pymongo.MongoClient(uri) as client, contextlib.suppress(PyMongoError):
            client.admin.command("fsync")
        self._wait_until_gone(pid)

    @staticmethod
    def _wait_until_gone(pid: int) -> None:
        deadline = time.monotonic() + 60
        with contextlib.suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # its parent waits for this process, not for it
                assert time.monotonic() < deadline, "mongod does not end"
                time.sleep(0.01)


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """A server that runs."""
    with contextlib.ExitStack() as stack:
        made = Server(folder, stack)
        made.start()
        yield made


def stored_values(own: Server, folder: Path) -> Values:
    """Every value of the dataset in a server's database."""
    path = folder / "values.json"
    finished(folder, "values", NAME, env=own.environment, path=str(path))
    found: Values = json.loads(path.read_text())
    return found
