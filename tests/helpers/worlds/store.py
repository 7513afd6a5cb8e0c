"""Embeddings that follow from the names of what they belong to, so that all that a store returns can be checked."""

from __future__ import annotations

import hashlib
import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.limits import default_folder
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
    """Returns unit embeddings that follow from ``what``, ``[count, DIM]``."""
    digest = hashlib.sha256(repr(what).encode()).digest()
    values = np.random.default_rng(int.from_bytes(digest[:8], "little")).normal(size=(count, DIM))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def vector(*what: Any) -> np.ndarray:
    """Returns the unit embedding that follows from ``what``, ``[DIM]``."""
    return vectors(1, *what)[0]


@lru_cache(maxsize=1000)
def content_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def boxes_of(hashed: str, geometry: str) -> np.ndarray:
    """Returns boxes that differ by image and geometry, ``[BOXES, 4]``; the left edge numbers them."""
    rng = np.random.default_rng(int(hashed[:8], 16) + GEOMETRIES.index(geometry))
    top, side = rng.integers(0, 50, BOXES), rng.integers(1, 50, BOXES)
    return np.stack([np.arange(BOXES), top, side, side], axis=1)


@lru_cache(maxsize=1000)
def regions_of(encoder: str, hashed: str, geometry: str) -> np.ndarray:
    """Returns the embeddings of an image's boxes, ``[BOXES, DIM]``."""
    return vectors(BOXES, encoder, hashed, geometry)


def size_of(hashed: str) -> tuple[int, int]:
    return 100 + int(hashed[:2], 16), 100 + int(hashed[2:4], 16)


def image_vectors(run: StoredRun, name: str) -> np.ndarray:
    return np.stack([vector(run.fingerprint, content_hash(name), vector_key) for vector_key in run.vector_keys])


def forget_findings() -> None:
    """Empties the table of findings of the default store."""
    with closing(sqlite3.connect(default_folder() / FILE_NAME)) as rows, rows:
        rows.execute("DELETE FROM findings")


def forget_vectors_by_class(run: Any) -> None:
    """Makes the entry of a run what releases have written that stored no vectors of methods that weigh by class."""
    with Store() as store:
        stored = store.run(run.token)
        assert stored is not None
        kept = [at for at, key in enumerate(stored.vector_keys) if " texts " not in key]
        assert len(kept) < len(stored.vector_keys)
        fewer = json.dumps([stored.vector_keys[at] for at in kept])
        left = {name: of_sample[kept] for name, of_sample in vectors_of(store, stored).items()}
        with closing(sqlite3.connect(store.path)) as rows, rows:
            query = "UPDATE runs SET signatures = ?, checksum = NULL WHERE token = ?"
            rows.execute(query, (fewer, run.token))
        earlier = store.run(run.token)
        assert earlier is not None
        store.write_vectors(earlier, left)


def open_run(
    store: Any, token: str, *, encoder: str = ENCODERS[0], geometry: str = GEOMETRIES[0], **changes: Any
) -> Any:
    """Opens a run whose encoder's name is its fingerprint."""
    settings: dict[str, Any] = {
        "encoder_name": encoder,
        "logit_scale": 10.0,
        "vector_keys": VECTOR_KEYS,
        "database": "a database",
        "dataset": "a dataset",
        "run_key": "zeroshot",
    }
    return store.open_run(token, fingerprint=encoder, geometry=geometry, **{**settings, **changes})


def stored_sample(
    run: StoredRun, name: str, *, fresh: Iterable[int] | None = None, sample: str | None = None, level: int = 0
) -> StoredSample:
    """Returns an image of which the ``fresh`` boxes, or all, were encoded in a run; it is its own sample by default."""
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
        level=level,
    )
    return StoredSample(image, image_vectors(run, name))


def names_of(batch: int) -> list[str]:
    return [f"image {batch}.{number}" for number in range(BATCH)]


def write(store: Any, run: StoredRun, *names: str, **options: Any) -> bool:
    """Writes images of these names, as samples of the same names."""
    return bool(store.write_samples(run, [stored_sample(run, name, **options) for name in names]))


def boxes_known(store: Any, run: StoredRun, name: str, geometry: str | None = None) -> int | None:
    """Returns the number of an image's stored boxes, after a check of all of them; None for an unknown image."""
    where = run.geometry if geometry is None else geometry
    known = store.recall(run.encoder, content_hash(name), where)
    if known is None:
        return None
    check_known(known, run.fingerprint, content_hash(name), where)
    return len(known.boxes)


def vectors_of(store: Store, run: StoredRun) -> dict[str, np.ndarray]:
    """Returns all image vectors of a run, by sample."""
    return {id_: vectors for ids, batch in store.image_vectors(run) for id_, vectors in zip(ids, batch, strict=True)}


def count_rows(folder: Path, *tables: str) -> list[int]:
    """Returns the number of rows of some tables."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]


def overwrite_tables(folder: Path, *tables: str) -> None:
    """Overwrites the first page of some tables, which SQLite finds when it reads them."""
    data = bytearray((folder / FILE_NAME).read_bytes())
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        for table in tables:
            ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
            data[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = np.random.default_rng(0).bytes(PAGE_BYTES)
    (folder / FILE_NAME).write_bytes(data)


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Limits the size of files that this process writes, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def check_known(known: KnownRegions, encoder: str, hashed: str, geometry: str) -> None:
    """Checks that every embedding is the one of its image, its box and its encoder."""
    assert known.image_size_hw == size_of(hashed)
    np.testing.assert_array_equal(known.whole, vector(encoder, hashed))
    which = known.boxes[:, 0]
    np.testing.assert_array_equal(known.boxes, boxes_of(hashed, geometry)[which])
    np.testing.assert_array_equal(known.regions, regions_of(encoder, hashed, geometry)[which])


def check_store(folder: Path) -> None:
    """Checks all that a store returns, and its file."""
    with Store(folder, limit_bytes=10**9) as store:
        for token in tokens(store):
            _check_run(store, token)
        for encoder in ENCODERS:
            if (row := store.encoder(encoder)) is None:
                continue
            names = [name for batch in range(BATCHES) for name in names_of(batch)]
            for hashed, geometry in itertools.product(map(content_hash, names), GEOMETRIES):
                if (known := store.recall(row, hashed, geometry)) is not None:
                    check_known(known, encoder, hashed, geometry)
            for text, embedding in store.texts(row, TEXTS).items():
                np.testing.assert_array_equal(embedding, vector(encoder, text))
        path = store.path
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        unreferenced = "SELECT count(*) FROM images WHERE id NOT IN (SELECT image FROM samples)"
        assert connection.execute(unreferenced).fetchall() == [(0,)]


def _check_run(store: Store, token: str) -> None:
    run = store.run(token)
    assert run is not None
    ids = store.sample_ids(run)
    read: list[str] = []
    for some, vectors in store.image_vectors(run, at_once=5):
        read += some
        for id_, of_sample in zip(some, vectors, strict=True):
            np.testing.assert_array_equal(of_sample, image_vectors(run, id_))
    assert read == ids
    for id_, hashed, known in store.known_regions(run, ids):
        assert hashed == content_hash(id_)
        check_known(known, run.fingerprint, hashed, run.geometry)
        read.remove(id_)
    assert read == []


def tokens(store: Store) -> list[str]:
    return [entry["token"] for entry in store.runs()]


def contents(folder: Path) -> dict[str, set[int]]:
    """Returns the batches of each run, after a check that each is complete."""
    with Store(folder, limit_bytes=10**9) as store:
        found: dict[str, set[int]] = {}
        for token in tokens(store):
            run = store.run(token)
            assert run is not None
            ids = set(store.sample_ids(run))
            found[token] = {batch for batch in range(BATCHES) if ids & set(names_of(batch))}
            assert ids == {name for batch in found[token] for name in names_of(batch)}
        return found
