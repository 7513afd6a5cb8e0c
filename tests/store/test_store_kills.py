"""The store, written by processes that are killed, and by several processes at once."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.store import Store
from tests.helpers.paths import ROOT
from tests.helpers.worlds import store as world

KILLS = 22
KILLS_AT_START = 6
LIMIT = 1_200_000  # reached after some hundred operations, so that regions are evicted while others are kept


@contextlib.contextmanager
def writer(folder: Path, name: str, *, operations: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that writes into the store, ready to begin; killed at the end, if it still is there."""
    script = [sys.executable, "-m", world.__name__, str(folder), name, str(LIMIT), str(operations)]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def complaints(process: subprocess.Popen[str]) -> int:
    """Counts the evictions of a process that has ended; it must not have complained about anything else."""
    lines = process.stderr.read().splitlines()
    assert [line for line in lines if "is full" not in line] == []
    return len(lines)


def replayed(held: dict[str, set[int]], log: list[str]) -> list[dict[str, set[int]]]:
    """What the runs may hold after a writer's log; one state, if its last operation is over."""
    pending = None
    for line in log:
        if line.startswith("? "):
            pending = line[2:]
        elif pending is not None:
            held, pending = world.after(held, pending)[-1 if line == "!" else 0], None
    return [held] if pending is None else world.after(held, pending)


def test_kill__at_any_moment_leaves_a_store_with_all_that_was_written_and_nothing_wrong(tmp_path: Path) -> None:
    rng = random.Random(7)
    held: dict[str, set[int]] = {}
    interrupted = in_the_file = evictions = 0
    for kill in range(KILLS):
        with writer(tmp_path, f"w{kill}") as process:
            # Lines are read from one file throughout: what it has buffered, communicate() would pass over.
            log = [process.stdout.readline() for _ in range(2)]  # the first write has begun and is over
            time.sleep(rng.uniform(0.005, 0.3))
            process.kill()
            log += process.stdout
            evictions += complaints(process)
        log = [line.strip() for line in log]
        interrupted += log[-1] != "!"
        journal = tmp_path / f"{FILE_NAME}-journal"
        in_the_file += journal.exists() and journal.stat().st_size > 0

        world.check_store(tmp_path)
        found = world.contents(tmp_path)
        assert found in replayed(held, log)
        held = found
    assert interrupted >= KILLS / 4  # else nothing has been tested
    assert in_the_file
    assert evictions
    assert (tmp_path / FILE_NAME).stat().st_size < 2 * LIMIT
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("damaged")] == []


def test_kill__while_the_store_is_made(tmp_path: Path) -> None:
    rng = random.Random(8)
    for kill in range(KILLS_AT_START):
        folder = tmp_path / str(kill)
        with writer(folder, "w") as process:
            time.sleep(rng.uniform(0, 0.02))
        assert process.returncode < 0
        world.check_store(folder)
        assert [path.name for path in folder.iterdir() if path.name.startswith("damaged")] == []


def test_processes__that_write_at_once_lose_nothing_and_mix_nothing_up(tmp_path: Path) -> None:
    logs: dict[str, str] = {}

    def follow(name: str, process: subprocess.Popen[str]) -> None:
        logs[name] = process.stdout.read()

    with contextlib.ExitStack() as stack:
        processes = {name: stack.enter_context(writer(tmp_path, name, operations=80)) for name in ("a", "b")}
        threads = [threading.Thread(target=follow, args=one) for one in processes.items()]
        for thread in threads:
            thread.start()
        with Store(tmp_path, limit_bytes=LIMIT) as store:  # a third one reads meanwhile
            while any(thread.is_alive() for thread in threads):
                for token in world.tokens(store):
                    run = store.run(token)
                    if run is not None:
                        for ids, vectors in store.image_vectors(run):
                            expected = [world.image_vectors(run, world.content_hash(id_)) for id_ in ids]
                            assert all((one == other).all() for one, other in zip(vectors, expected, strict=True))
        for process in processes.values():
            complaints(process)

    assert [process.returncode for process in processes.values()] == [0, 0]
    world.check_store(tmp_path)
    expected = {}
    for log in logs.values():
        (state,) = replayed({}, log.splitlines())
        expected.update(state)
    assert world.contents(tmp_path) == expected


def test_processes__one_goes_on_when_the_other_is_killed(tmp_path: Path) -> None:
    with writer(tmp_path, "a") as killed, writer(tmp_path, "b", operations=120) as other:
        for _ in range(40):
            killed.stdout.readline()
        killed.kill()
        log = other.stdout.read()
        complaints(other)
    assert other.returncode == 0
    world.check_store(tmp_path)
    (expected,) = replayed({}, log.splitlines())
    found = world.contents(tmp_path)
    assert {token: found[token] for token in found if token.startswith("b")} == expected
