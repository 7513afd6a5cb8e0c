"""A process that performs random operations on a store, with embeddings of the store's world, until it is killed."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path

from lgca_plugin.store.rows import StoredRun
from lgca_plugin.store.store import Store
from tests.helpers.worlds.store import (
    BATCHES,
    BOXES,
    ENCODERS,
    GEOMETRIES,
    TEXTS,
    names_of,
    open_run,
    stored_sample,
    vector,
)


def after(before: Mapping[str, set[int]], operation: str) -> list[dict[str, set[int]]]:
    """Returns the possible contents during an operation that a writer has printed; the last are those after it."""
    what, *arguments = operation.split()
    states = [{token: set(batches) for token, batches in before.items()}]
    if what == "open":
        states.append({**states[0], arguments[0]: set()})
    elif what == "write":
        states.append({**states[0], arguments[0]: states[0][arguments[0]] | {int(arguments[1])}})
    elif what == "drop":  # the runs that it has replaced first, then the run
        for token in arguments:
            states.append({other: batches for other, batches in states[-1].items() if other != token})
    return states


class Writer:
    """Performs random operations on a store; prints each before it begins, and its end.

    Args:
        folder: the store's
        name: prefix of the tokens of its runs
        limit_bytes: maximum size of the store
    """

    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        self._store = Store(folder, limit_bytes=limit_bytes)
        self._folder = folder
        self._name = name
        self._limit = limit_bytes
        self._random = random.Random(name)
        self._count = 0
        entries = [entry for entry in self._store.runs() if entry["token"].startswith(name[0])]
        runs = {entry["token"]: self._store.run(entry["token"]) for entry in entries}
        self._runs: dict[str, StoredRun] = {token: run for token, run in runs.items() if run is not None}
        self._replaced: dict[str, list[str]] = {
            token: [entry["token"] for entry in entries if entry["replaced_by"] == token] for token in self._runs
        }

    def write(self) -> None:
        choice = self._random.random()
        if len(self._runs) < 2 or (choice < 0.1 and len(self._runs) < 5):
            self._open()
        elif choice < 0.7:
            self._write_batch()
        elif choice < 0.8:
            self._write_texts()
        elif choice < 0.85:
            self._store.close()
            self._store = Store(self._folder, limit_bytes=self._limit)
        else:
            self._drop()

    def _open(self) -> None:
        token = f"{self._name}-{self._count}"
        self._count += 1
        free = [other for other in self._runs if not any(other in of_one for of_one in self._replaced.values())]
        replaces = self._random.choice(free) if free and self._random.random() < 0.4 else None
        encoder, geometry = self._random.choice(ENCODERS), self._random.choice(GEOMETRIES)
        self._print(f"? open {token}")
        self._runs[token] = open_run(self._store, token, encoder=encoder, geometry=geometry, replaces=replaces)
        self._print("!")
        self._replaced[token] = [] if replaces is None else [*self._replaced[replaces], replaces]

    def _write_batch(self) -> None:
        token, batch = self._random.choice(list(self._runs)), self._random.randrange(BATCHES)
        run = self._runs[token]
        some = [
            stored_sample(run, name, fresh=self._random.sample(range(BOXES), BOXES // 2)) for name in names_of(batch)
        ]
        self._print(f"? write {token} {batch}")
        everything = self._store.write_samples(run, some, with_regions=self._random.random() < 0.9)
        there = everything or set(names_of(batch)) <= set(self._store.sample_ids(run))
        self._print("!" if there else "! the store is full")

    def _write_texts(self) -> None:
        run = self._random.choice(list(self._runs.values()))
        some = self._random.sample(TEXTS, 4)
        self._print("? texts")
        self._store.write_texts(run.encoder, {text: vector(run.fingerprint, text) for text in some})
        self._print("!")

    def _drop(self) -> None:
        """Deletes a run, or those that it has replaced."""
        token = self._random.choice(list(self._runs))
        replaced = self._replaced[token]
        releases = replaced and self._random.random() < 0.5
        if any(token in of_one for of_one in self._replaced.values()):
            return  # it goes with the one that has replaced it
        gone = replaced if releases else [*replaced, token]
        self._print(f"? drop {' '.join(gone)}")
        if releases:
            self._store.release_replaced(token)
        else:
            self._store.delete_run(token)
        self._print("!")
        for one in gone:
            del self._runs[one], self._replaced[one]
        if releases:
            self._replaced[token] = []

    def _print(self, line: str) -> None:
        print(line, flush=True)


def main(folder: str, name: str, limit_bytes: str, operations: str) -> None:
    """Performs a number of operations, or, for 0, all until it is killed."""
    print("ready", flush=True)
    writer = Writer(Path(folder), name, int(limit_bytes))
    done = 0
    while not int(operations) or done < int(operations):
        writer.write()
        done += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
