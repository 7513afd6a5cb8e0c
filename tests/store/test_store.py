"""The store of embeddings on its own: what comes back, what goes, how large it grows, and what it survives."""

from __future__ import annotations

import importlib.util
import logging
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lgca_plugin
from lgca_plugin.errors import ConfigError, StoreError
from lgca_plugin.store import file as store_file
from lgca_plugin.store import limits as store_room
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.rows import StoredRun, checksum_of_regions
from lgca_plugin.store.store import REGIONS_SHARE, Store, geometry_of, store_exists
from tests.helpers.worlds import store as world
from tests.helpers.worlds.store import BOXES, ENCODERS, GEOMETRIES, VECTOR_KEYS, content_hash, kept, open_run

A, B = ENCODERS
LARGE, SMALL = GEOMETRIES
NAMES = [name for batch in range(2) for name in world.names_of(batch)]
AMPLE = 10**9


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., Store]]:
    """Opens the folder's store, as often as it is called."""
    stores = []

    def open_store(limit_bytes: int = AMPLE, **options: Any) -> Store:
        stores.append(Store(folder, limit_bytes=limit_bytes, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()


def keep(store: Store, run: StoredRun, *names: str, **options: Any) -> bool:
    return store.write_samples(run, [kept(run, name, **options) for name in names])


def boxes_known(store: Store, run: StoredRun, name: str, geometry: str | None = None) -> int | None:
    """How many boxes of an image the store knows, all of them checked; None where it does not know the image."""
    where = run.geometry if geometry is None else geometry
    known = store.recall(run.encoder, content_hash(name), where)
    if known is None:
        return None
    world.check_known(known, run.fingerprint, content_hash(name), where)
    return len(known.boxes)


def vectors_of(store: Store, run: StoredRun) -> dict[str, np.ndarray]:
    return {id_: vectors for ids, batch in store.image_vectors(run) for id_, vectors in zip(ids, batch, strict=True)}


def rows(folder: Path, table: str) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        return int(count)


# ------------------------------------------------------------------------------------------------- what comes back


def test_recall__gives_what_was_kept_of_the_image_and_the_geometry(store: Store, folder: Path) -> None:
    run = open_run(store, "run")
    assert keep(store, run, *NAMES)

    known = store.recall(run.encoder, content_hash(NAMES[1]), LARGE)
    assert known is not None
    world.check_known(known, A, content_hash(NAMES[1]), LARGE)
    assert len(known.boxes) == BOXES
    assert (known.whole.dtype, known.regions.dtype) == (np.float32, np.float32)
    elsewhere = store.recall(run.encoder, content_hash(NAMES[1]), SMALL)
    assert elsewhere is not None
    np.testing.assert_array_equal(elsewhere.whole, known.whole)
    assert (elsewhere.boxes.shape, elsewhere.regions.shape) == ((0, 4), (0, world.DIM))
    assert store.recall(run.encoder, content_hash("never seen"), LARGE) is None
    assert store.recall(open_run(store, "other", encoder=B).encoder, content_hash(NAMES[1]), LARGE) is None
    world.check_store(folder)


def test_recall__puts_together_what_several_runs_have_encoded(store: Store, folder: Path) -> None:
    first, second = open_run(store, "first"), open_run(store, "second")
    keep(store, first, "image 0.0", fresh=range(7))
    keep(store, second, "image 0.0", fresh=range(7, 30))
    assert boxes_known(store, first, "image 0.0") == 30
    world.check_store(folder)


def test_recall__of_an_image_without_regions(store: Store) -> None:
    run = open_run(store, "run")
    store.write_samples(run, [kept(run, "image 0.0")], with_regions=False)
    keep(store, run, "image 0.1", fresh=())
    assert [boxes_known(store, run, name) for name in ("image 0.0", "image 0.1")] == [0, 0]
    assert store.samples_with_regions(run) == set()


def test_vectors__come_back_in_the_order_in_which_they_were_kept_however_many_are_read_at_once(store: Store) -> None:
    run, other = open_run(store, "run"), open_run(store, "other")
    keep(store, run, *NAMES[::-1])
    keep(store, other, "image 7.0")
    assert store.sample_ids(run) == NAMES[::-1]
    for at_once in (1, 4, 100):
        read = list(store.image_vectors(run, at_once=at_once))
        assert [id_ for ids, _ in read for id_ in ids] == NAMES[::-1]
        found = np.concatenate([vectors for _, vectors in read])
        assert found.shape == (len(NAMES), len(VECTOR_KEYS), world.DIM)
        np.testing.assert_array_equal(
            found, np.stack([world.image_vectors(run, content_hash(name)) for name in NAMES[::-1]])
        )


def test_vectors__of_a_run_that_holds_nothing(store: Store) -> None:
    run = open_run(store, "run")
    assert list(store.image_vectors(run)) == []
    assert store.sample_ids(run) == []


def test_known_regions__come_in_the_order_asked_without_samples_that_are_not_held(store: Store) -> None:
    run = open_run(store, "run")
    many = [f"many {number}" for number in range(300)]  # more than are read at once
    store.write_samples(run, [kept(run, name, fresh=(3,)) for name in many])
    found = list(store.known_regions(run, ["nobody", *many[::-1]]))
    assert [id_ for id_, _, _ in found] == many[::-1]
    for id_, hashed, known in found:
        assert hashed == content_hash(id_)
        world.check_known(known, A, hashed, LARGE)
        assert len(known.boxes) == 1


def test_texts__come_back_for_the_encoder_that_embedded_them(store: Store) -> None:
    run, other = open_run(store, "run"), open_run(store, "other", encoder=B)
    many = [f"text {number}" for number in range(600)]
    store.write_texts(run.encoder, {text: world.vector(A, text) for text in many})
    store.write_texts(other.encoder, {many[0]: world.vector(B, many[0])})

    found = store.texts(run.encoder, [*many, "no such text"])
    assert set(found) == set(many)
    for text, embedding in found.items():
        np.testing.assert_array_equal(embedding, world.vector(A, text))
    assert list(store.texts(other.encoder, many)) == [many[0]]
    np.testing.assert_array_equal(store.texts(other.encoder, many)[many[0]], world.vector(B, many[0]))
    assert store.texts(run.encoder, []) == {}


def test_run__is_found_by_its_token_and_opening_it_again_changes_nothing_but_when_it_was_used(store: Store) -> None:
    run = open_run(store, "run", geometry=SMALL)
    keep(store, run, "image 0.0")
    (before,) = store.runs()
    assert open_run(store, "run", geometry=SMALL) == run == store.run("run")
    assert (run.geometry, run.vector_keys, run.logit_scale, run.fingerprint) == (SMALL, VECTOR_KEYS, 10.0, A)
    assert store.run("another") is None
    assert store.encoder(A) == run.encoder
    assert store.encoder(B) is None
    (entry,) = store.runs()
    assert entry["used"] > before["used"]
    assert {**entry, "used": None} == {
        "token": "run",
        "replaced_by": None,
        "database": "a database",
        "dataset": "a dataset",
        "run_key": "zeroshot",
        "used": None,
        "samples": 1,
    }


def test_keep__a_sample_whose_file_has_changed_holds_the_new_image_alone(store: Store, folder: Path) -> None:
    run = open_run(store, "run")
    store.write_samples(run, [kept(run, "image 0.0", sample="sample"), kept(run, "image 0.1")])
    store.write_samples(run, [kept(run, "image 0.2", sample="sample")])

    assert [boxes_known(store, run, name) for name in world.names_of(0)] == [None, BOXES, BOXES]
    assert set(store.sample_ids(run)) == {"sample", "image 0.1"}
    np.testing.assert_array_equal(vectors_of(store, run)["sample"], world.image_vectors(run, content_hash("image 0.2")))
    assert rows(folder, "images") == rows(folder, "regions") == 2


def test_geometry__tells_apart_what_changes_the_crops_of_step_0_and_nothing_else() -> None:
    config = lgca_plugin.RegionConfig()
    same = [
        lgca_plugin.RegionConfig(**change) for change in ({"crops": 30}, {"steps": 1}, {"keep": 0.3}, {"growth": 2})
    ]
    other = [lgca_plugin.RegionConfig(**change) for change in ({"seed": 1}, {"scale_min": 0.4}, {"scale_max": 0.8})]
    assert {geometry_of(one) for one in same} == {geometry_of(config)}
    assert len({geometry_of(one) for one in [config, *other]}) == 4


# -------------------------------------------------------------------------------------------------------- deletion


def test_delete__takes_what_no_other_run_holds_and_gives_the_space_back(store: Store, folder: Path) -> None:
    first, second = open_run(store, "first"), open_run(store, "second")
    shared, own = NAMES[:2], [f"own {number}" for number in range(40)]
    keep(store, second, *shared)
    size = store.path.stat().st_size
    keep(store, first, *shared, fresh=())
    keep(store, first, *own)
    grown = store.path.stat().st_size
    assert grown > size + 40 * BOXES * world.DIM * 4

    store.delete_run("first")

    assert store.run("first") is None
    assert [boxes_known(store, second, name) for name in shared] == [BOXES, BOXES]
    assert [boxes_known(store, second, name) for name in own] == [None] * 40
    assert store.path.stat().st_size <= size + PAGE_BYTES
    world.check_store(folder)


def test_delete__of_a_run_that_is_not_there_does_nothing(store: Store) -> None:
    keep(store, open_run(store, "run"), "image 0.0")
    store.delete_run("another")
    assert world.tokens(store) == ["run"]


def test_delete__takes_the_regions_that_no_other_run_of_their_geometry_holds(store: Store, folder: Path) -> None:
    large, small = open_run(store, "large"), open_run(store, "small", geometry=SMALL)
    for run in (large, small):
        keep(store, run, "image 0.0")
    store.delete_run("large")
    assert boxes_known(store, small, "image 0.0", LARGE) == 0
    assert boxes_known(store, small, "image 0.0", SMALL) == BOXES
    world.check_store(folder)


def test_delete__takes_encoders_and_texts_with_the_last_run_that_used_them(store: Store, folder: Path) -> None:
    for token, encoder in (("first", A), ("second", A), ("other", B)):
        run = open_run(store, token, encoder=encoder)
        store.write_texts(run.encoder, {"a text": world.vector(encoder, "a text")})
    store.delete_run("first")
    assert (rows(folder, "encoders"), rows(folder, "texts")) == (2, 2)
    store.delete_run("second")
    assert store.encoder(A) is None
    assert (rows(folder, "encoders"), rows(folder, "texts")) == (1, 1)


def test_delete__of_all_runs_leaves_an_empty_store(store: Store, folder: Path) -> None:
    empty = store.path.stat().st_size
    for token, encoder, geometry in (("1", A, LARGE), ("2", A, SMALL), ("3", B, LARGE)):
        run = open_run(store, token, encoder=encoder, geometry=geometry)
        keep(store, run, *NAMES)
        store.write_texts(run.encoder, {"a text": world.vector(encoder, "a text")})
    for token in ("2", "3", "1"):
        store.delete_run(token)
    assert {table: rows(folder, table) for table in ("encoders", "images", "regions", "runs", "samples", "texts")} == (
        dict.fromkeys(("encoders", "images", "regions", "runs", "samples", "texts"), 0)
    )
    assert store.path.stat().st_size <= empty + PAGE_BYTES


def test_replaced__is_there_for_the_run_that_replaces_it_until_that_one_is_through(store: Store, folder: Path) -> None:
    old = open_run(store, "old")
    keep(store, old, *NAMES)
    new = open_run(store, "new", replaces="old")
    assert [boxes_known(store, new, name) for name in NAMES] == [BOXES] * len(NAMES)
    keep(store, new, NAMES[0], fresh=())
    store.release_replaced("new")
    assert world.tokens(store) == ["new"]
    assert [boxes_known(store, new, name) for name in NAMES] == [BOXES] + [None] * (len(NAMES) - 1)
    world.check_store(folder)


def test_replaced__by_a_run_that_is_replaced_before_it_is_through(store: Store, folder: Path) -> None:
    keep(store, open_run(store, "oldest"), *NAMES[:2])
    keep(store, open_run(store, "old", replaces="oldest"), NAMES[2])
    new = open_run(store, "new", replaces="old")
    assert [boxes_known(store, new, name) for name in NAMES[:3]] == [BOXES] * 3
    assert {entry["token"]: entry["replaced_by"] for entry in store.runs()} == {
        "oldest": "new",
        "old": "new",
        "new": None,
    }
    store.release_replaced("new")
    assert world.tokens(store) == ["new"]
    assert rows(folder, "images") == 0


def test_replaced__goes_with_the_run_that_was_to_replace_it(store: Store, folder: Path) -> None:
    keep(store, open_run(store, "old"), *NAMES)
    keep(store, open_run(store, "new", replaces="old"), NAMES[0])
    store.delete_run("new")
    assert store.runs() == []
    assert rows(folder, "images") == rows(folder, "encoders") == 0


def test_copy__with_other_signatures_waits_for_its_vectors(store: Store, folder: Path) -> None:
    source = open_run(store, "source")
    keep(store, source, *NAMES)
    run = open_run(store, "run", vector_keys=("another",))
    store.copy_samples(run, source)
    assert store.sample_ids(run) == NAMES
    assert store.lacks_vectors(run)
    assert vectors_of(store, run) == {}
    store.write_vectors(run, {name: world.image_vectors(run, content_hash(name)) for name in [*NAMES[:2], "nobody"]})
    assert list(vectors_of(store, run)) == NAMES[:2]
    assert store.lacks_vectors(run)
    store.write_vectors(run, {name: world.image_vectors(run, content_hash(name)) for name in NAMES[2:]})
    assert not store.lacks_vectors(run)
    store.delete_run("source")
    assert [boxes_known(store, run, name) for name in NAMES[:3]] == [BOXES] * 3
    world.check_store(folder)


def test_copy__takes_over_all_that_another_run_holds(store: Store, folder: Path) -> None:
    source = open_run(store, "source")
    keep(store, source, *NAMES)
    run = open_run(store, "run")
    store.copy_samples(run, source)
    store.delete_run("source")
    assert store.sample_ids(run) == NAMES
    assert store.samples_with_regions(run) == set(NAMES)
    world.check_store(folder)


def test_copy__lets_go_of_the_image_that_a_sample_held_before(store: Store, folder: Path) -> None:
    run, source = open_run(store, "run"), open_run(store, "source")
    store.write_samples(run, [kept(run, "image 0.0", sample="sample")])
    changed = kept(source, "image 0.1", sample="sample")
    store.write_samples(source, [changed])
    store.copy_samples(run, source)
    assert boxes_known(store, run, "image 0.0") is None
    store.delete_run("source")
    store.delete_run("run")
    assert rows(folder, "images") == 0


# ------------------------------------------------------------------------------------------------- a limit in size

EMPTY = 18 * PAGE_BYTES
"""What a store takes with hardly anything in it."""
IMAGE = PAGE_BYTES
"""What an image takes with its regions, about: their blob fills most of a page."""


def test_limit__the_regions_of_the_run_used_longest_ago_go_first(opened: Callable[..., Store], folder: Path) -> None:
    store = opened(EMPTY + 34 * IMAGE, evicted_at_once=2)
    runs = {token: open_run(store, token) for token in ("oldest", "older", "new")}
    open_run(store, "oldest")  # so that it is not the oldest any more
    for token, run in (("older", runs["older"]), ("oldest", runs["oldest"]), ("new", open_run(store, "new"))):
        for number in range(12):
            assert keep(store, run, f"{token} {number}")
    left = {token: len(store.samples_with_regions(run)) for token, run in runs.items()}
    assert (left["oldest"], left["new"]) == (12, 12)
    assert 0 < left["older"] < 12
    assert all(len(store.sample_ids(run)) == len(vectors_of(store, run)) == 12 for run in runs.values())
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES
    world.check_store(folder)


def test_limit__what_a_newer_run_holds_too_is_not_evicted(opened: Callable[..., Store], folder: Path) -> None:
    store = opened(int((EMPTY + 20 * IMAGE) / REGIONS_SHARE))
    shared = [f"shared {number}" for number in range(6)]
    old, new = open_run(store, "old"), open_run(store, "new")
    keep(store, old, *shared, *(f"old {number}" for number in range(12)))
    for name in shared:
        keep(store, new, name, fresh=())
    for number in range(12):
        assert keep(store, new, f"new {number}")
    assert set(shared) <= store.samples_with_regions(new)
    assert len(store.samples_with_regions(new)) == 18
    assert store.samples_with_regions(old) == set(shared)
    world.check_store(folder)


def test_limit__regions_that_find_no_room_do_not_keep_image_vectors_out(
    opened: Callable[..., Store], folder: Path
) -> None:
    store = opened(EMPTY + 10 * IMAGE)
    run = open_run(store, "run")
    names = [f"image {number}" for number in range(100)]  # their vectors fill three pages
    outcomes = [keep(store, run, name) for name in names]

    assert not outcomes[-1]
    assert 5 <= len(store.samples_with_regions(run)) <= 14
    assert list(vectors_of(store, run)) == store.sample_ids(run) == names
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES
    world.check_store(folder)


def test_limit__too_small_for_anything(opened: Callable[..., Store]) -> None:
    store = opened(1)
    run = open_run(store, "run")
    assert not keep(store, run, "image 0.0")
    assert store.sample_ids(run) == []


def test_limit__holds_for_many_small_images_too(opened: Callable[..., Store]) -> None:
    store = opened(EMPTY + 10 * PAGE_BYTES)
    run = open_run(store, "run")
    for number in range(200):
        keep(store, run, f"image {number}", fresh=(0,))
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES


def test_limit__an_eviction_is_said(opened: Callable[..., Store], caplog: pytest.LogCaptureFixture) -> None:
    store = opened(EMPTY + 10 * IMAGE)
    for token in ("old", "new"):
        run = open_run(store, token)
        for number in range(8):
            keep(store, run, f"{token} {number}")
    assert "region embeddings of older runs are deleted" in caplog.text


@pytest.mark.parametrize(("chosen", "expected"), [(None, 20e9), ("", 20e9), ("0.5", 5e8), ("1e3", 1e12)])
def test_limit__is_20_gigabytes_or_as_chosen(
    monkeypatch: pytest.MonkeyPatch, chosen: str | None, expected: float
) -> None:
    monkeypatch.delenv("LGCA_STORE_GB", raising=False)
    if chosen is not None:
        monkeypatch.setenv("LGCA_STORE_GB", chosen)
    assert store_room.default_limit() == expected


@pytest.mark.parametrize("chosen", ["much", "0", "-1", "nan", "inf", "1e12", "20 GB"])
def test_limit__that_makes_no_sense_is_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("LGCA_STORE_GB", chosen)
    with pytest.raises(ConfigError, match=r"LGCA_STORE_GB must be a number of gigabytes above 0, got '[^']*'$"):
        store_room.default_limit()


def test_folder__is_the_chosen_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "deep" / "down"))
    assert not store_exists()
    with Store() as store:
        assert store.path == tmp_path / "deep" / "down" / FILE_NAME
    assert store_exists()
    monkeypatch.setenv("LGCA_STORE_DIR", "~/somewhere")
    assert store_room.default_folder() == Path.home() / "somewhere"


# ------------------------------------------------------------------------------------------------------- mishaps


def flip(store: Store, blob: bytes) -> None:
    """Closes a store, and turns a bit around in the middle of a blob, wherever that lies in the file."""
    store.close()
    data = bytearray(store.path.read_bytes())
    part = blob[len(blob) // 2 : len(blob) // 2 + 32]
    assert data.count(part) == 1
    data[data.index(part) + 16] ^= 0x10
    store.path.write_bytes(data)


def test_damage__of_an_image_s_embedding_makes_it_unknown_until_it_is_encoded_again(
    opened: Callable[..., Store], folder: Path
) -> None:
    before = opened()
    run = open_run(before, "run")
    keep(before, run, "image 0.0", "image 0.1")
    flip(before, world.vector(A, content_hash("image 0.0")).tobytes())

    store = opened()
    assert [boxes_known(store, run, name) for name in world.names_of(0)] == [None, BOXES, None]
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.1"]
    again = open_run(store, "again")
    keep(store, again, "image 0.0")
    assert boxes_known(store, again, "image 0.0") == BOXES
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.0", "image 0.1"]
    world.check_store(folder)


def test_damage__of_an_image_s_embedding_costs_no_run_the_regions_that_are_sound(opened: Callable[..., Store]) -> None:
    """The image is encoded again by a run that has none of these regions: with other crops, or with none at all."""
    before = opened()
    run = open_run(before, "run")
    keep(before, run, "image 0.0")
    flip(before, world.vector(A, content_hash("image 0.0")).tobytes())

    store = opened()
    other = open_run(store, "other", geometry=SMALL)
    store.write_samples(other, [kept(other, "image 0.0", fresh=())], with_regions=False)
    assert boxes_known(store, run, "image 0.0") == BOXES


def test_damage__of_regions_makes_them_unknown_until_they_are_encoded_again(opened: Callable[..., Store]) -> None:
    before = opened()
    run = open_run(before, "run")
    keep(before, run, "image 0.0")
    flip(before, world.regions_of(A, content_hash("image 0.0"), LARGE).tobytes())

    store = opened()
    assert boxes_known(store, run, "image 0.0") == 0
    keep(store, open_run(store, "again"), "image 0.0")
    assert boxes_known(store, run, "image 0.0") == BOXES


def test_checksum__of_regions_changes_with_any_bit_and_any_shift() -> None:
    random = np.random.default_rng(0)
    boxes, embeddings = (
        random.integers(0, 500, (5, 4), np.int32).tobytes(),
        random.random((5, 24), np.float32).tobytes(),
    )
    sound = checksum_of_regions(boxes, embeddings)
    assert 0 <= sound < 2**32
    for part in (0, 1):
        for bit in range(8 * len((boxes, embeddings)[part])):
            damaged = [bytearray(boxes), bytearray(embeddings)]
            damaged[part][bit // 8] ^= 1 << bit % 8
            assert checksum_of_regions(*map(bytes, damaged)) != sound, (part, bit)
    shifted = embeddings[:200] + embeddings[232:] + embeddings[200:232]  # no whole embedding moves
    torn = embeddings[:200] + bytes(len(embeddings) - 200)
    short = embeddings[: -len(embeddings) // 5]
    for other in (shifted, torn, short, b""):
        assert checksum_of_regions(boxes, other) != sound


@pytest.mark.parametrize("count", [1, 3])
def test_damage__of_image_vectors_leaves_their_sample_out(opened: Callable[..., Store], count: int) -> None:
    before = opened()
    run = open_run(before, "run")
    keep(before, run, *NAMES[:count])
    flip(before, world.image_vectors(run, content_hash(NAMES[0])).tobytes())

    store = opened()
    assert list(vectors_of(store, run)) == NAMES[1:count]
    keep(store, run, NAMES[0])
    assert set(vectors_of(store, run)) == set(NAMES[:count])


def test_damage__of_a_text_s_embedding_makes_it_unknown(opened: Callable[..., Store]) -> None:
    before = opened()
    run = open_run(before, "run")
    before.write_texts(run.encoder, {text: world.vector(A, text) for text in world.TEXTS})
    flip(before, world.vector(A, world.TEXTS[3]).tobytes())

    store = opened()
    assert set(world.TEXTS) - set(store.texts(run.encoder, world.TEXTS)) == {world.TEXTS[3]}
    store.write_texts(run.encoder, {world.TEXTS[3]: world.vector(A, world.TEXTS[3])})
    assert len(store.texts(run.encoder, world.TEXTS)) == len(world.TEXTS)


def overwrite_header(data: bytearray) -> None:
    data[:200] = np.random.default_rng(0).bytes(200)


def overwrite_schema(data: bytearray) -> None:
    data[100:PAGE_BYTES] = np.random.default_rng(0).bytes(PAGE_BYTES - 100)


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def replace_with_text(data: bytearray) -> None:
    data[:] = b"This is no database.\n" * 100


@pytest.mark.parametrize("spoil", [overwrite_header, overwrite_schema, cut, replace_with_text])
def test_damage__of_the_file_sets_it_aside_and_begins_anew(
    folder: Path, spoil: Callable[[bytearray], None], caplog: pytest.LogCaptureFixture
) -> None:
    with Store(folder, limit_bytes=AMPLE) as store:
        keep(store, open_run(store, "run"), *NAMES)
    data = bytearray((folder / FILE_NAME).read_bytes())
    spoil(data)
    (folder / FILE_NAME).write_bytes(data)

    with Store(folder, limit_bytes=AMPLE) as store:
        assert store.runs() == []
        assert keep(store, open_run(store, "another"), *NAMES)
    (aside,) = folder.glob("damaged-*.sqlite")
    assert aside.read_bytes() == data
    assert f"it is renamed to {aside.name}, and a new one begins" in caplog.text
    world.check_store(folder)


def spoil_tables(folder: Path) -> None:
    """Overwrites pages of tables, and not of blobs: SQLite notices when it comes to them."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        query = "SELECT rootpage FROM sqlite_master WHERE name IN ('images', 'samples')"
        roots = [page for (page,) in connection.execute(query)]
    data = bytearray((folder / FILE_NAME).read_bytes())
    for page in roots:
        data[(page - 1) * PAGE_BYTES : page * PAGE_BYTES] = np.random.default_rng(0).bytes(PAGE_BYTES)
    (folder / FILE_NAME).write_bytes(data)


def test_damage__noticed_while_the_store_is_used_is_said_and_does_not_stay(folder: Path) -> None:
    with Store(folder, limit_bytes=AMPLE) as store:
        keep(store, open_run(store, "run"), *NAMES)
    spoil_tables(folder)

    with Store(folder, limit_bytes=AMPLE) as store:
        run = open_run(store, "another")
        with pytest.raises(StoreError, match="can't be used: database disk image is malformed"):
            keep(store, run, *NAMES)
    with Store(folder, limit_bytes=AMPLE) as store:  # else no run could ever be rescored again
        assert keep(store, open_run(store, "another"), *NAMES)


def test_damage__noticed_by_a_process_that_still_has_the_old_file_does_not_cost_the_new_one(folder: Path) -> None:
    with Store(folder, limit_bytes=AMPLE) as store:
        run = open_run(store, "run")
        keep(store, run, *NAMES)
    spoil_tables(folder)

    with Store(folder, limit_bytes=AMPLE) as one, Store(folder, limit_bytes=AMPLE) as slow:
        with pytest.raises(StoreError, match="malformed"):
            boxes_known(one, run, NAMES[0])
        with Store(folder, limit_bytes=AMPLE) as new:
            keep(new, open_run(new, "new"), *NAMES)
        with pytest.raises(StoreError, match="malformed"):
            boxes_known(slow, run, NAMES[0])
    with Store(folder, limit_bytes=AMPLE) as store:
        assert world.tokens(store) == ["new"]
    world.check_store(folder)


def test_damage__an_empty_file_is_a_new_store(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE_NAME).touch()
    with Store(folder, limit_bytes=AMPLE) as store:
        assert keep(store, open_run(store, "run"), *NAMES)
    world.check_store(folder)


def test_unwritable__a_file_in_place_of_the_folder(folder: Path) -> None:
    folder.write_text("in the way")
    with pytest.raises(StoreError, match=r"the store of embeddings at .* can't be opened: .*File exists"):
        Store(folder, limit_bytes=AMPLE)
    assert folder.read_text() == "in the way"


def test_unwritable__a_folder_in_place_of_the_file(folder: Path) -> None:
    (folder / FILE_NAME).mkdir(parents=True)
    with pytest.raises(StoreError, match="can't be opened"):
        Store(folder, limit_bytes=AMPLE)
    assert (folder / FILE_NAME).is_dir()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Lets the system refuse to write beyond a size, as a full disk would."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk__a_write_that_fails_leaves_what_was_there_and_the_next_can_succeed(
    store: Store, folder: Path
) -> None:
    run = open_run(store, "run")
    keep(store, run, *NAMES)
    with (
        files_no_larger_than(store.path.stat().st_size + PAGE_BYTES),
        pytest.raises(StoreError, match=r"can't be used: (disk I/O error|database or disk is full)"),
    ):
        keep(store, run, *(f"more {number}" for number in range(40)))
    assert store.sample_ids(run) == NAMES
    assert keep(store, run, "image 7.0")
    assert store.sample_ids(run) == [*NAMES, "image 7.0"]
    world.check_store(folder)


def test_error__in_the_middle_of_a_write_undoes_all_of_it(store: Store, folder: Path) -> None:
    run, gone = open_run(store, "run"), open_run(store, "gone")
    store.delete_run("gone")
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        keep(store, gone, *NAMES)
    assert rows(folder, "images") == rows(folder, "regions") == 0
    assert keep(store, run, *NAMES)


def test_busy__a_reader_that_stays_delays_a_write_and_does_not_break_the_store(
    opened: Callable[..., Store], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "BUSY_SECONDS", 0.05)
    store = opened()
    run = open_run(store, "run")
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        for _ in range(2):
            with pytest.raises(StoreError, match="database is locked"):
                keep(store, run, "image 0.0")
        with Store(folder, limit_bytes=AMPLE) as another:  # nobody else is locked out
            assert another.run("run") == run
    assert keep(store, run, "image 0.1")
    assert store.sample_ids(run) == ["image 0.1"]


# ------------------------------------------------------------------------------------- several, at the same time


def test_two__stores_in_one_process_see_what_the_other_has_written(opened: Callable[..., Store], folder: Path) -> None:
    one, other = opened(), opened()
    run = open_run(one, "run")
    for number, name in enumerate(NAMES):
        writer, reader = (one, other) if number % 2 else (other, one)
        keep(writer, run, name)
        assert boxes_known(reader, run, name) == BOXES
        assert reader.sample_ids(run) == NAMES[: number + 1]
    other.delete_run("run")
    assert one.run("run") is None
    world.check_store(folder)


@pytest.fixture
def other_copy() -> Iterator[str]:
    """The library, loaded a second time under a name of its own, as FiftyOne loads a plugin."""
    name = "another_copy_of_lgca_plugin"
    home = Path(lgca_plugin.__file__)
    spec = importlib.util.spec_from_file_location(name, home, submodule_search_locations=[str(home.parent)])
    assert spec is not None and spec.loader is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    yield name
    for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[loaded]


def test_two__copies_of_the_library_in_one_process(store: Store, folder: Path, other_copy: str) -> None:
    other_store = import_module(f"{other_copy}.store.store")
    assert other_store.Store is not Store
    with other_store.Store(folder, limit_bytes=AMPLE) as other:
        runs = open_run(store, "run"), open_run(other, "other", replaces=None)
        for number, name in enumerate(NAMES):
            writer, reader = (store, other) if number % 2 else (other, store)
            for run in runs:
                keep(writer, run, name, fresh=range(number, number + 5))
                assert boxes_known(reader, run, name) == 5  # what one has kept, the other keeps no second time
        other.delete_run("run")
        assert store.run("run") is None
        assert [boxes_known(store, runs[1], name) for name in NAMES] == [5] * len(NAMES)
    world.check_store(folder)


def test_threads__recall_while_another_keeps(store: Store, folder: Path) -> None:
    run = open_run(store, "run")
    names = [f"image {batch}.{number}" for batch in range(world.BATCHES) for number in range(world.BATCH)]
    found: list[list[int]] = [[] for _ in range(4)]
    done = threading.Event()

    def recall(counts: list[int]) -> None:
        while not done.is_set():
            counts.append(sum(boxes_known(store, run, name) is not None for name in names))

    threads = [threading.Thread(target=recall, args=(counts,)) for counts in found]
    for thread in threads:
        thread.start()
    for name in names:
        keep(store, run, name)
    done.set()
    for thread in threads:
        thread.join()
    for counts in found:
        assert counts == sorted(counts)
    assert [boxes_known(store, run, name) for name in names] == [BOXES] * len(names)
    world.check_store(folder)


def test_entry__of_a_run_that_was_deleted_elsewhere_never_stands_for_another_run(
    opened: Callable[..., Store], folder: Path
) -> None:
    """A process that still holds the entry of a deleted run writes to no other run, and reads none's vectors."""
    store, elsewhere = opened(), opened()
    deleted = open_run(store, "deleted", encoder=A)
    elsewhere.delete_run("deleted")
    another = open_run(elsewhere, "another", encoder=B)
    keep(elsewhere, another, *NAMES[:2])

    assert store.recall(deleted.encoder, content_hash(NAMES[0]), LARGE) is None
    with pytest.raises(StoreError):
        keep(store, deleted, NAMES[2])
    assert store.sample_ids(deleted) == []
    assert store.sample_ids(another) == NAMES[:2]
    world.check_store(folder)


def test_recall__of_an_image_that_is_deleted_meanwhile_never_gives_another_one_s_regions(
    opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes the image just after it was found, and keeps another one at its place."""
    store, elsewhere = opened(), opened()
    run, other = open_run(store, "run"), open_run(elsewhere, "other")
    keep(store, run, "image 0.0")
    read = store._file.read_each

    def interrupted(query: str, *values: Any) -> list[Any]:
        found = read(query, *values)
        if "FROM images" in query and elsewhere.run("run") is not None:
            elsewhere.delete_run("run")
            keep(elsewhere, other, "image 0.1")
        return found

    monkeypatch.setattr(store._file, "read_each", interrupted)
    assert boxes_known(store, run, "image 0.0") in (None, 0, BOXES)  # what it finds is checked
    assert elsewhere.sample_ids(other) == ["image 0.1"]


def test_logging__nothing_is_said_where_nothing_is_wrong(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        keep(store, open_run(store, "run"), *NAMES)
        store.delete_run("run")
    assert caplog.records == []
