"""A store that is written by processes that are killed, and by several processes at once."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import numpy as np

from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.store import Store
from tests.helpers import store_writer
from tests.helpers.paths import ROOT
from tests.helpers.worlds.store import check_store, contents, image_vectors, tokens

KILLS = 22
KILLS_AT_START = 6
LIMIT = 1_200_000  # reached after some hundred operations, so that regions are evicted while others are written


@contextlib.contextmanager
def writer(folder: Path, name: str, *, operations: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Starts a process that writes into the store, and kills it at the end."""
    script = [sys.executable, "-m", store_writer.__name__, str(folder), name, str(LIMIT), str(operations)]
    process = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert output(process).readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def count_evictions(process: subprocess.Popen[str]) -> int:
    """Counts the reported evictions of a process that has ended, after a check that it has reported nothing else."""
    assert process.stderr is not None
    lines = process.stderr.read().splitlines()
    assert [line for line in lines if "is full" not in line] == []
    return len(lines)


def replayed(before: dict[str, set[int]], log: list[str]) -> list[dict[str, set[int]]]:
    """Returns the possible contents after a writer's log; one, if its last operation has ended."""
    pending = None
    for line in log:
        if line.startswith("? "):
            pending = line[2:]
        elif pending is not None:
            before, pending = store_writer.after(before, pending)[-1 if line == "!" else 0], None
    return [before] if pending is None else store_writer.after(before, pending)


def test_kill__at_any_moment_leaves_a_store_with_all_that_was_written_and_nothing_wrong(tmp_path):
    rng = random.Random(7)
    before: dict[str, set[int]] = {}
    interrupted = in_the_file = evictions = 0
    for kill in range(KILLS):
        with writer(tmp_path, f"w{kill}") as process:
            # All lines are read from one file: communicate() would not return what it has buffered.
            log = [output(process).readline() for _ in range(2)]  # the first write has begun and ended
            time.sleep(rng.uniform(0.005, 0.3))
            process.kill()
            log += output(process)
            evictions += count_evictions(process)
        log = [line.strip() for line in log]
        interrupted += log[-1] != "!"
        journal = tmp_path / f"{FILE_NAME}-journal"
        in_the_file += journal.exists() and journal.stat().st_size > 0

        check_store(tmp_path)
        found = contents(tmp_path)
        assert found in replayed(before, log)
        before = found
    assert interrupted >= KILLS / 4  # else nothing has been tested
    assert in_the_file
    assert evictions
    assert (tmp_path / FILE_NAME).stat().st_size < 2 * LIMIT
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("damaged")] == []


def test_kill__while_the_store_is_made(tmp_path):
    rng = random.Random(8)
    for kill in range(KILLS_AT_START):
        folder = tmp_path / str(kill)
        with writer(folder, "w") as process:
            time.sleep(rng.uniform(0, 0.02))
        assert process.returncode < 0
        check_store(folder)
        assert [path.name for path in folder.iterdir() if path.name.startswith("damaged")] == []


def test_processes__that_write_at_once_lose_nothing_and_mix_nothing_up(tmp_path):
    with contextlib.ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(2))
        processes = [stack.enter_context(writer(tmp_path, name, operations=80)) for name in ("a", "b")]
        logs = [pool.submit(output(process).read) for process in processes]
        with Store(tmp_path, limit_bytes=LIMIT) as store:  # a third one reads meanwhile
            while not all(log.done() for log in logs):
                for token in tokens(store):
                    run = store.run(token)
                    if run is not None:
                        for ids, vectors in store.image_vectors(run):
                            np.testing.assert_array_equal(vectors, [image_vectors(run, id_) for id_ in ids])
        for process in processes:
            count_evictions(process)

    assert [process.returncode for process in processes] == [0, 0]
    check_store(tmp_path)
    expected: dict[str, set[int]] = {}
    for log in logs:
        (state,) = replayed({}, log.result().splitlines())
        expected.update(state)
    assert contents(tmp_path) == expected


def test_processes__one_goes_on_when_the_other_is_killed(tmp_path):
    with writer(tmp_path, "a") as killed, writer(tmp_path, "b", operations=120) as other:
        for _ in range(40):
            output(killed).readline()
        killed.kill()
        log = output(other).read()
        count_evictions(other)
    assert other.returncode == 0
    check_store(tmp_path)
    (expected,) = replayed({}, log.splitlines())
    found = contents(tmp_path)
    assert {token: found[token] for token in found if token.startswith("b")} == expected
