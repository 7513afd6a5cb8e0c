"""Damaged embeddings are not returned, and a damaged file is set aside."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.images import checksum_of_regions
from lgca_plugin.store.store import Store
from tests.helpers.paths import ROOT
from tests.helpers.worlds import store as world

A = world.ENCODERS[0]
LARGE, SMALL = world.GEOMETRIES
NAMES = [*world.names_of(0), *world.names_of(1)]
HASH = world.content_hash(NAMES[0])


@pytest.fixture
def damaged(opened):
    """Writes images in a run, flips a bit in the middle of a blob, wherever the file has it, and opens it anew."""

    def damage(values, *names):
        store = opened()
        run = world.open_run(store, "run")
        world.write(store, run, *names)
        store.write_texts(run.encoder, {text: world.vector(A, text) for text in world.TEXTS})
        store.close()
        blob, data = values.tobytes(), bytearray(store.path.read_bytes())
        part = blob[len(blob) // 2 : len(blob) // 2 + 32]
        assert data.count(part) == 1
        data[data.index(part) + 16] ^= 0x10
        store.path.write_bytes(data)
        return opened(), run

    return damage


def test_damage__of_an_images_embedding_makes_it_unknown_until_it_is_encoded_again(damaged, folder):
    store, run = damaged(world.vector(A, HASH), "image 0.0", "image 0.1")
    assert [world.boxes_known(store, run, name) for name in world.names_of(0)] == [None, world.BOXES, None]
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.1"]
    again = world.open_run(store, "again")
    world.write(store, again, "image 0.0")
    assert world.boxes_known(store, again, "image 0.0") == world.BOXES
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.0", "image 0.1"]
    world.check_store(folder)


def test_damage__of_an_images_embedding_leaves_its_regions(damaged):
    """The image is encoded again by a run that has none of these regions."""
    store, run = damaged(world.vector(A, HASH), "image 0.0")
    other = world.open_run(store, "other", geometry=SMALL)
    store.write_samples(other, [world.stored_sample(other, "image 0.0", fresh=())], with_regions=False)
    assert world.boxes_known(store, run, "image 0.0") == world.BOXES


def test_damage__of_regions_makes_them_unknown_until_they_are_encoded_again(damaged):
    store, run = damaged(world.regions_of(A, HASH, LARGE), "image 0.0")
    assert world.boxes_known(store, run, "image 0.0") == 0
    world.write(store, world.open_run(store, "again"), "image 0.0")
    assert world.boxes_known(store, run, "image 0.0") == world.BOXES


def test_checksum__of_regions_changes_with_any_bit_and_any_shift():
    random = np.random.default_rng(0)
    boxes = random.integers(0, 500, (5, 4), np.int32).tobytes()
    embeddings = random.random((5, 24), np.float32).tobytes()
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
def test_damage__of_image_vectors_leaves_their_sample_out(damaged, count):
    vectors = np.stack([world.vector(A, HASH, vector_key) for vector_key in world.VECTOR_KEYS])
    store, run = damaged(vectors, *NAMES[:count])
    assert list(world.vectors_of(store, run)) == NAMES[1:count]
    world.write(store, run, NAMES[0])
    assert set(world.vectors_of(store, run)) == set(NAMES[:count])


def test_damage__of_a_texts_embedding_makes_it_unknown(damaged):
    text = world.TEXTS[3]
    store, run = damaged(world.vector(A, text))
    assert set(world.TEXTS) - set(store.texts(run.encoder, world.TEXTS)) == {text}
    store.write_texts(run.encoder, {text: world.vector(A, text)})
    assert len(store.texts(run.encoder, world.TEXTS)) == len(world.TEXTS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: np.random.default_rng(0).bytes(200) + data[200:],  # the header
        lambda data: data[:100] + np.random.default_rng(0).bytes(PAGE_BYTES - 100) + data[PAGE_BYTES:],  # the schema
        lambda data: data.replace(b"replaced_by TEXT", b"repl\xe1ced_by TE(T"),
        lambda data: data[: len(data) // 2],
        lambda _: b"This is no database.\n" * 100,
    ],
    ids=["header", "schema", "a table's schema", "cut", "text"],
)
def test_damage__of_the_file_sets_it_aside_and_begins_anew(folder, spoil, caplog):
    with Store(folder) as store:
        world.write(store, world.open_run(store, "run"), *NAMES)
    data = spoil((folder / FILE_NAME).read_bytes())
    (folder / FILE_NAME).write_bytes(data)

    with Store(folder) as store:
        assert store.runs() == []
        assert world.write(store, world.open_run(store, "another"), *NAMES)
    (aside,) = folder.glob("damaged-*.sqlite")
    assert aside.read_bytes() == data
    assert f"it is renamed to {aside.name}, and a new one begins" in caplog.text
    world.check_store(folder)


READER = """
import os, sys
from pathlib import Path
from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import StoreFile

def cut(row):
    os.truncate(file.path, os.stat(file.path).st_size // 3)

file = StoreFile(Path(sys.argv[1]))
try:
    file.read_each("SELECT embeddings FROM regions", (), cut)
except StoreError as error:
    print(error)
"""


def test_damage__of_a_file_that_is_cut_short_during_a_read_is_an_error_and_no_end_of_the_process(folder):
    with Store(folder) as store:
        run = world.open_run(store, "run")
        for batch in range(world.BATCHES):
            world.write(store, run, *world.names_of(batch))
    done = subprocess.run(  # a process of its own: the signal of a cut map would end this one
        [sys.executable, "-c", READER, str(folder)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "can't be used: database disk image is malformed" in done.stdout
    with Store(folder) as store:
        assert world.write(store, world.open_run(store, "another"), *NAMES)
    world.check_store(folder)


def test_damage__found_by_a_read_fails_it_and_the_next_store_is_new(folder):
    with Store(folder) as store:
        world.write(store, world.open_run(store, "run"), *NAMES)
    world.overwrite_tables(folder, "images", "samples")

    with Store(folder) as store:
        run = world.open_run(store, "another")
        with pytest.raises(StoreError, match="can't be used: database disk image is malformed"):
            world.write(store, run, *NAMES)
    with Store(folder) as store:
        assert world.write(store, world.open_run(store, "another"), *NAMES)


def test_damage__found_by_a_read_within_a_write_is_the_reason_that_is_named(folder):
    with Store(folder) as store:
        run, copy = world.open_run(store, "run"), world.open_run(store, "copy")
        world.write(store, run, *NAMES)
    world.overwrite_tables(folder, "rungs")  # read of the source while its copy is written
    with Store(folder) as store, pytest.raises(StoreError) as caught:
        store.copy_samples(copy, run)
    assert "malformed" in str(caught.value)


def test_damage__found_by_a_process_that_has_the_old_file_open_leaves_the_new_one(folder):
    with Store(folder) as store:
        run = world.open_run(store, "run")
        world.write(store, run, *NAMES)
    world.overwrite_tables(folder, "images", "samples")

    with Store(folder) as one, Store(folder) as slow:
        with pytest.raises(StoreError, match="malformed"):
            world.boxes_known(one, run, NAMES[0])
        with Store(folder) as new:
            world.write(new, world.open_run(new, "new"), *NAMES)
        with pytest.raises(StoreError, match="malformed"):
            world.boxes_known(slow, run, NAMES[0])
    with Store(folder) as store:
        assert world.tokens(store) == ["new"]
    world.check_store(folder)
