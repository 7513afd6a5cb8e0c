"""A filled store, damage to its file, and a check of all that a damaged store still answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from lgca_plugin.errors import StoreError
from lgca_plugin.method.explain.region_findings import SampleFindings
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.rows import StoredRun
from lgca_plugin.store.store import Store
from tests.helpers.worlds import store as world

KEY = "a key"
RUNS = {"run": (0, 0), "other geometry": (0, 1), "other encoder": (1, 0)}
"""Token to the numbers of encoder and geometry."""
NAMES = [*world.names_of(0), *world.names_of(1)]


def finding_of(run: StoredRun, name: str) -> SampleFindings:
    numbers = world.vector(run.token, name)
    return SampleFindings(int(1000 * numbers[0]), int(1000 * numbers[1]), float(numbers[2]), True, float(numbers[3]))


def level_of(name: str) -> int:
    return NAMES.index(name) % 3


def filled_store(folder: Path) -> bytes:
    """Returns the file of a store with runs that differ in encoder or geometry, their findings, levels and texts."""
    with Store(folder) as store:
        for token, (encoder, geometry) in RUNS.items():
            run = world.open_run(store, token, encoder=world.ENCODERS[encoder], geometry=world.GEOMETRIES[geometry])
            for name in NAMES:
                world.write(store, run, name, level=level_of(name))
            store.write_findings(run, KEY, {name: finding_of(run, name) for name in NAMES})
            store.write_texts(run.encoder, {text: world.vector(run.fingerprint, text) for text in world.TEXTS})
    return (folder / FILE_NAME).read_bytes()


def used_places(data: bytes, count: int, rng: np.random.Generator) -> list[int]:
    """Returns places of bytes that are not 0, equally many on each page: embeddings fill most of them."""
    used = np.flatnonzero(np.frombuffer(data, np.uint8))
    pages = np.split(used, np.flatnonzero(np.diff(used // PAGE_BYTES)) + 1)
    return [int(rng.choice(pages[rng.integers(len(pages))])) for _ in range(count)]


def flip(data: bytes, at: int, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[at] ^= 1 << bit
    return bytes(damaged)


def check_answers(folder: Path) -> int:
    """Checks that all that a store returns is right; returns the number of its answers."""
    answers = 0
    for token, (encoder, geometry) in RUNS.items():
        for check in (_check_run, _check_recall):
            with suppress(StoreError), Store(folder) as store:
                answers += check(store, token, world.ENCODERS[encoder], world.GEOMETRIES[geometry])
    return answers


def _check_run(store: Store, token: str, encoder: str, geometry: str) -> int:
    run = store.run(token)
    if run is None:
        return 0
    assert (run.fingerprint, run.geometry, run.logit_scale) == (encoder, geometry, 10.0)
    assert run.vector_keys == world.VECTOR_KEYS
    parts: list[Callable[[], int]] = [
        lambda: _check_vectors(store, run),
        lambda: _check_regions(store, run),
        lambda: _check_small(store, run),
    ]
    return 1 + sum(_unless_it_fails(part) for part in parts)


def _unless_it_fails(part: Callable[[], int]) -> int:
    try:
        return part()
    except StoreError:
        return 0


def _check_vectors(store: Store, run: StoredRun) -> int:
    found = [*world.vectors_of(store, run).items(), *store.image_vectors_of(run, NAMES).items()]
    for name, vectors in found:
        np.testing.assert_array_equal(vectors, world.image_vectors(run, name))
    return len(found)


def _check_regions(store: Store, run: StoredRun) -> int:
    levels, answers = store.levels(run, NAMES), 0
    for name, hashed, known in store.known_regions(run, NAMES):
        assert hashed == world.content_hash(name)
        assert levels.get(name, 0) == level_of(name)
        world.check_known(known, run.fingerprint, hashed, run.geometry)
        answers += 1 + len(known.boxes)
    hashes = store.content_hashes(run, NAMES)
    assert hashes == {name: world.content_hash(name) for name in hashes}
    return answers + len(hashes)


def _check_small(store: Store, run: StoredRun) -> int:
    findings, texts = store.findings(run, KEY), store.texts(run.encoder, world.TEXTS)
    assert findings == {name: finding_of(run, name) for name in findings}
    for text, vector in texts.items():
        np.testing.assert_array_equal(vector, world.vector(run.fingerprint, text))
    return len(findings) + len(texts)


def _check_recall(store: Store, _: str, encoder: str, geometry: str) -> int:
    row, answers = store.encoder(encoder), 0
    if row is None:
        return 0
    for name, where in itertools.product(NAMES, {geometry, world.GEOMETRIES[0]}):
        known = store.recall(row, world.content_hash(name), where)
        if known is not None:
            world.check_known(known, encoder, world.content_hash(name), where)
            answers += 1 + len(known.boxes)
    return answers
