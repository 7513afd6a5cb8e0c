"""A world of embeddings that all follow from what they belong to, so that whatever a store gives back can be checked.

As a script, it is a process that writes such embeddings into a store, and says what it does, until it is killed.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.rows import StoredRun, StoredSample
from lgca_plugin.store.store import Store

DIM = 64
ENCODERS = ("encoder A", "encoder B")
GEOMETRIES = ("large", "small")
VECTOR_KEYS = ("whole image", "crops")
BATCHES = 8
BATCH = 3
BOXES = 100  # so many that their embeddings fill more than a page of the file
TEXTS = tuple(f"a photo of number {number}." for number in range(12))


def vectors(count: int, *what: Any) -> np.ndarray:
    """The unit embeddings of anything that has a name, ``[count, DIM]``."""
    digest = hashlib.sha256(repr(what).encode()).digest()
    values = np.random.default_rng(int.from_bytes(digest[:8], "little")).normal(size=(count, DIM))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def vector(*what: Any) -> np.ndarray:
    """The unit embedding of anything that has a name, ``[DIM]``."""
    return vectors(1, *what)[0]


@lru_cache(maxsize=1000)
def content_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def boxes_of(hashed: str, geometry: str) -> np.ndarray:
    """Boxes that differ by image and geometry, ``[BOXES, 4]``; the left edge counts them."""
    rng = np.random.default_rng(int(hashed[:8], 16) + GEOMETRIES.index(geometry))
    top, side = rng.integers(0, 50, BOXES), rng.integers(1, 50, BOXES)
    return np.stack([np.arange(BOXES), top, side, side], axis=1)


@lru_cache(maxsize=1000)
def regions_of(encoder: str, hashed: str, geometry: str) -> np.ndarray:
    """The embeddings of an image's boxes, ``[BOXES, DIM]``."""
    return vectors(BOXES, encoder, hashed, geometry)


def size_of(hashed: str) -> tuple[int, int]:
    return 100 + int(hashed[:2], 16), 100 + int(hashed[2:4], 16)


def image_vectors(run: StoredRun, hashed: str) -> np.ndarray:
    return np.stack([vector(run.fingerprint, hashed, vector_key) for vector_key in run.vector_keys])


def forget_findings() -> None:
    """Empties the table of findings of the store in use."""
    from lgca_plugin.store.limits import default_folder

    with closing(sqlite3.connect(default_folder() / FILE_NAME)) as rows, rows:
        rows.execute("DELETE FROM findings")


def open_run(
    store: Any, token: str, *, encoder: str = ENCODERS[0], geometry: str = GEOMETRIES[0], **changes: Any
) -> Any:
    """Opens a run whose encoder is called like its fingerprint."""
    settings: dict[str, Any] = {
        "encoder_name": encoder,
        "logit_scale": 10.0,
        "vector_keys": VECTOR_KEYS,
        "database": "a database",
        "dataset": "a dataset",
        "run_key": "zeroshot",
    }
    return store.open_run(token, fingerprint=encoder, geometry=geometry, **{**settings, **changes})


def kept(run: StoredRun, name: str, *, fresh: Iterable[int] | None = None, sample: str | None = None) -> StoredSample:
    """An image, encoded in a run; its sample is called like the image unless told otherwise.

    Args:
        run: the run's entry
        name: tells images apart
        fresh: which of its boxes this encoding of it has; None for all
        sample: the sample's id
    """
    hashed = content_hash(name)
    boxes = boxes_of(hashed, run.geometry)
    which = np.arange(len(boxes)) if fresh is None else np.array(sorted(fresh), np.int64)
    image = EncodedImage(
        id=name if sample is None else sample,
        content_hash=hashed,
        image_size_hw=size_of(hashed),
        boxes=boxes[which],
        step=np.zeros(len(which), np.int64),
        chain=which,
        regions=regions_of(run.fingerprint, hashed, run.geometry)[which],
        whole=vector(run.fingerprint, hashed),
        fresh=np.ones(len(which), bool),
        encodes=1 + len(which),
    )
    return StoredSample(image, image_vectors(run, hashed))


def names_of(batch: int) -> list[str]:
    return [f"image {batch}.{number}" for number in range(BATCH)]


# ------------------------------------------------------------------------------------------------- what must be true


def check_known(known: KnownRegions, encoder: str, hashed: str, geometry: str) -> None:
    """Every embedding is the one of its image, its box and its encoder."""
    assert known.image_size_hw == size_of(hashed)
    np.testing.assert_array_equal(known.whole, vector(encoder, hashed))
    which = known.boxes[:, 0]
    np.testing.assert_array_equal(known.boxes, boxes_of(hashed, geometry)[which])
    np.testing.assert_array_equal(known.regions, regions_of(encoder, hashed, geometry)[which])


def check_store(folder: Path) -> None:
    """Everything that a store gives back is right, and its file is sound."""
    with Store(folder, limit_bytes=10**9) as store:
        for token in tokens(store):
            _check_run(store, token)
        for encoder in ENCODERS:
            row = store.encoder(encoder)
            if row is None:
                continue
            for name in (name for batch in range(BATCHES) for name in names_of(batch)):
                for geometry in GEOMETRIES:
                    known = store.recall(row, content_hash(name), geometry)
                    if known is not None:
                        check_known(known, encoder, content_hash(name), geometry)
            for text, embedding in store.texts(row, TEXTS).items():
                np.testing.assert_array_equal(embedding, vector(encoder, text))
        path = store.path
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        unheld = "SELECT count(*) FROM images WHERE id NOT IN (SELECT image FROM samples)"
        assert connection.execute(unheld).fetchall() == [(0,)]


def _check_run(store: Store, token: str) -> None:
    run = store.run(token)
    assert run is not None
    ids = store.sample_ids(run)
    read: list[str] = []
    for some, vectors in store.image_vectors(run, at_once=5):
        read += some
        for id_, of_sample in zip(some, vectors, strict=True):
            np.testing.assert_array_equal(of_sample, image_vectors(run, content_hash(id_)))
    assert read == ids
    for id_, hashed, known in store.known_regions(run, ids):
        assert hashed == content_hash(id_)
        check_known(known, run.fingerprint, hashed, run.geometry)
        read.remove(id_)
    assert read == []


def tokens(store: Store) -> list[str]:
    return [entry["token"] for entry in store.runs()]


def contents(folder: Path) -> dict[str, set[int]]:
    """The batches that each run holds; a batch is there whole, or not at all."""
    with Store(folder, limit_bytes=10**9) as store:
        found: dict[str, set[int]] = {}
        for token in tokens(store):
            run = store.run(token)
            assert run is not None
            ids = set(store.sample_ids(run))
            found[token] = {batch for batch in range(BATCHES) if ids & set(names_of(batch))}
            assert ids == {name for batch in found[token] for name in names_of(batch)}
        return found


def after(held: Mapping[str, set[int]], operation: str) -> list[dict[str, set[int]]]:
    """What runs may hold while, and (the last of the list) after an operation that a writer has announced."""
    what, *arguments = operation.split()
    states = [{token: set(batches) for token, batches in held.items()}]
    if what == "open":
        states.append({**states[0], arguments[0]: set()})
    elif what == "keep":
        states.append({**states[0], arguments[0]: states[0][arguments[0]] | {int(arguments[1])}})
    elif what == "drop":  # the runs that it has replaced first, then the run
        for token in arguments:
            states.append({other: batches for other, batches in states[-1].items() if other != token})
    return states


# ---------------------------------------------------------------------------------------------------- the writer


class Writer:
    """Writes into a store at random; says before each operation which it is, and afterwards that it is over.

    Args:
        folder: the store's
        name: begins the tokens of its runs
        limit_bytes: size up to which the store grows
    """

    def __init__(self, folder: Path, name: str, limit_bytes: int) -> None:
        self._store = Store(folder, limit_bytes=limit_bytes)
        self._folder = folder
        self._name = name
        self._limit = limit_bytes
        self._random = random.Random(name)
        self._count = 0
        entries = [entry for entry in self._store.runs() if entry["token"].startswith(name[0])]
        self._runs = {entry["token"]: self._store.run(entry["token"]) for entry in entries}
        self._replaced = {
            token: [entry["token"] for entry in entries if entry["replaced_by"] == token] for token in self._runs
        }

    def write(self) -> None:
        choice = self._random.random()
        if len(self._runs) < 2 or (choice < 0.1 and len(self._runs) < 5):
            self._open()
        elif choice < 0.7:
            self._keep()
        elif choice < 0.8:
            self._keep_texts()
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
        self._say(f"? open {token}")
        self._runs[token] = open_run(self._store, token, encoder=encoder, geometry=geometry, replaces=replaces)
        self._say("!")
        self._replaced[token] = [] if replaces is None else [*self._replaced[replaces], replaces]

    def _keep(self) -> None:
        token, batch = self._random.choice(list(self._runs)), self._random.randrange(BATCHES)
        run = self._runs[token]
        assert run is not None
        some = [kept(run, name, fresh=self._random.sample(range(BOXES), BOXES // 2)) for name in names_of(batch)]
        self._say(f"? keep {token} {batch}")
        everything = self._store.write_samples(run, some, with_regions=self._random.random() < 0.9)
        there = everything or set(names_of(batch)) <= set(self._store.sample_ids(run))
        self._say("!" if there else "! there was no room")

    def _keep_texts(self) -> None:
        run = self._random.choice(list(self._runs.values()))
        assert run is not None
        some = self._random.sample(TEXTS, 4)
        self._say("? texts")
        self._store.write_texts(run.encoder, {text: vector(run.fingerprint, text) for text in some})
        self._say("!")

    def _drop(self) -> None:
        """Deletes a run, or lets go of those that it has replaced."""
        token = self._random.choice(list(self._runs))
        replaced = self._replaced[token]
        settles = replaced and self._random.random() < 0.5
        if any(token in of_one for of_one in self._replaced.values()):
            return  # it goes with the one that has replaced it
        gone = replaced if settles else [*replaced, token]
        self._say(f"? drop {' '.join(gone)}")
        if settles:
            self._store.release_replaced(token)
        else:
            self._store.delete_run(token)
        self._say("!")
        for one in gone:
            del self._runs[one], self._replaced[one]
        if settles:
            self._replaced[token] = []

    def _say(self, line: str) -> None:
        print(line, flush=True)


def main(folder: str, name: str, limit_bytes: str, operations: str) -> None:
    """Writes so many operations, or, for 0, until it is killed."""
    print("ready", flush=True)
    writer = Writer(Path(folder), name, int(limit_bytes))
    done = 0
    while not int(operations) or done < int(operations):
        writer.write()
        done += 1


if __name__ == "__main__":
    main(*sys.argv[1:])
