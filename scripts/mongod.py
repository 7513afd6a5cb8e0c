"""Runs a command with a MongoDB server of its own.

FiftyOne attaches to whichever mongod another FiftyOne process of the same user has started, whatever
``FIFTYONE_DATABASE_DIR`` says; so the demo and the tests would write into a user's own database, and a user's
session would find the demo's. Here a separate server is started on a free port and named in
``FIFTYONE_DATABASE_URI``. Where that variable is set already, the user's choice is kept.

Usage::

    python scripts/mongod.py DIRECTORY COMMAND [ARGUMENT ...]
"""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Ends the command when this process ends in any way, kill -9 included: the pipe closes and read fails.
WATCHED = '"$@" & child=$!; while read -r _; do :; done; kill "$child" 2>/dev/null; wait "$child"'


@contextlib.contextmanager
def background(command: Sequence[object], log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a command beside this process, no longer than this process lives.

    Args:
        command: the command and its arguments
        log: file that takes its output
        **options: further arguments of ``subprocess.Popen``
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["/bin/sh", "-c", WATCHED, "sh", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for this process, which may still need the other one to end well
            **options,
        )
    try:
        yield process
    finally:
        process.communicate()


@contextlib.contextmanager
def running_mongod(directory: Path) -> Iterator[str]:
    """Starts a mongod on a free local port and stops it on exit; see :func:`mongod_on`."""
    with mongod_on(free_port(), directory) as uri:
        yield uri


@contextlib.contextmanager
def mongod_on(port: int, directory: Path) -> Iterator[str]:
    """Starts a mongod on a local port and stops it on exit.

    Args:
        port: the port
        directory: the folder for the database files, created if missing

    Yields:
        the server's URI

    Raises:
        RuntimeError: if there is no mongod, another one uses the folder, or it does not answer within a minute
    """
    package = importlib.util.find_spec("fiftyone")
    if package is None or package.origin is None:
        raise RuntimeError("FiftyOne is not installed; make demo and make test install it")
    mongod = Path(package.origin).parent / "db" / "bin" / "mongod"
    if not mongod.is_file():
        raise RuntimeError(f"FiftyOne has no mongod at {mongod}; make demo and make test install one")

    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "mongod.log"
    command = [mongod, "--dbpath", directory, "--port", port, "--bind_ip", "127.0.0.1", "--nounixsocket"]
    if _is_in_use(directory):
        raise RuntimeError(
            f"another server uses {directory} already: stop what runs on it, such as the demo, or connect to that "
            "server with FIFTYONE_DATABASE_URI"
        )
    with background(command, log):
        wait_for(port, log)
        # A driver that hears nothing for 20 s cancels what is under way; a machine that stands still is no reason to.
        yield f"mongodb://127.0.0.1:{port}/?connectTimeoutMS=600000"


def _is_in_use(directory: Path) -> bool:
    """Returns whether a mongod holds the lock of a database's folder."""
    lock = directory / "mongod.lock"
    if os.name == "nt" or not lock.exists():
        return False
    import fcntl

    with lock.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def free_port() -> int:
    """Returns a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, log: Path, timeout: float = 60.0) -> None:
    """Waits until a server takes connections on a local port."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"no server answered on port {port} within {timeout:.0f} s; see {log}")


def main() -> int:
    """Runs the command given on the command line and returns its exit status."""
    directory, *command = sys.argv[1:]
    with contextlib.ExitStack() as stack:
        environment = dict(os.environ)
        if not environment.get("FIFTYONE_DATABASE_URI"):
            environment["FIFTYONE_DATABASE_URI"] = stack.enter_context(running_mongod(Path(directory)))
        process = subprocess.Popen(command, env=environment)
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the command has got it too, and ends in its own time
                return process.wait()


if __name__ == "__main__":
    sys.exit(main())
