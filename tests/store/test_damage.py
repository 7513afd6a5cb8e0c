"""Damaged embeddings are not returned, and a damaged file is set aside."""

from __future__ import annotations

import numpy as np
import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.rows import checksum_of_regions
from lgca_plugin.store.store import Store
from tests.helpers.worlds.store import (
    BOXES,
    ENCODERS,
    GEOMETRIES,
    TEXTS,
    boxes_known,
    check_store,
    content_hash,
    image_vectors,
    names_of,
    open_run,
    overwrite_tables,
    regions_of,
    stored_sample,
    tokens,
    vector,
    vectors_of,
    write,
)

A = ENCODERS[0]
LARGE, SMALL = GEOMETRIES
NAMES = [*names_of(0), *names_of(1)]


def flip(store: Store, blob: bytes) -> None:
    """Closes a store, and flips a bit in the middle of a blob, wherever that lies in the file."""
    store.close()
    data = bytearray(store.path.read_bytes())
    part = blob[len(blob) // 2 : len(blob) // 2 + 32]
    assert data.count(part) == 1
    data[data.index(part) + 16] ^= 0x10
    store.path.write_bytes(data)


def test_damage__of_an_images_embedding_makes_it_unknown_until_it_is_encoded_again(opened, folder):
    before = opened()
    run = open_run(before, "run")
    write(before, run, "image 0.0", "image 0.1")
    flip(before, vector(A, content_hash("image 0.0")).tobytes())

    store = opened()
    assert [boxes_known(store, run, name) for name in names_of(0)] == [None, BOXES, None]
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.1"]
    again = open_run(store, "again")
    write(store, again, "image 0.0")
    assert boxes_known(store, again, "image 0.0") == BOXES
    assert [id_ for id_, _, _ in store.known_regions(run, NAMES)] == ["image 0.0", "image 0.1"]
    check_store(folder)


def test_damage__of_an_images_embedding_leaves_its_regions(opened):
    """The image is encoded again by a run that has none of these regions."""
    before = opened()
    run = open_run(before, "run")
    write(before, run, "image 0.0")
    flip(before, vector(A, content_hash("image 0.0")).tobytes())

    store = opened()
    other = open_run(store, "other", geometry=SMALL)
    store.write_samples(other, [stored_sample(other, "image 0.0", fresh=())], with_regions=False)
    assert boxes_known(store, run, "image 0.0") == BOXES


def test_damage__of_regions_makes_them_unknown_until_they_are_encoded_again(opened):
    before = opened()
    run = open_run(before, "run")
    write(before, run, "image 0.0")
    flip(before, regions_of(A, content_hash("image 0.0"), LARGE).tobytes())

    store = opened()
    assert boxes_known(store, run, "image 0.0") == 0
    write(store, open_run(store, "again"), "image 0.0")
    assert boxes_known(store, run, "image 0.0") == BOXES


def test_checksum__of_regions_changes_with_any_bit_and_any_shift():
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
def test_damage__of_image_vectors_leaves_their_sample_out(opened, count):
    before = opened()
    run = open_run(before, "run")
    write(before, run, *NAMES[:count])
    flip(before, image_vectors(run, content_hash(NAMES[0])).tobytes())

    store = opened()
    assert list(vectors_of(store, run)) == NAMES[1:count]
    write(store, run, NAMES[0])
    assert set(vectors_of(store, run)) == set(NAMES[:count])


def test_damage__of_a_texts_embedding_makes_it_unknown(opened):
    before = opened()
    run = open_run(before, "run")
    before.write_texts(run.encoder, {text: vector(A, text) for text in TEXTS})
    flip(before, vector(A, TEXTS[3]).tobytes())

    store = opened()
    assert set(TEXTS) - set(store.texts(run.encoder, TEXTS)) == {TEXTS[3]}
    store.write_texts(run.encoder, {TEXTS[3]: vector(A, TEXTS[3])})
    assert len(store.texts(run.encoder, TEXTS)) == len(TEXTS)


def overwrite_header(data: bytearray) -> None:
    data[:200] = np.random.default_rng(0).bytes(200)


def overwrite_schema(data: bytearray) -> None:
    data[100:PAGE_BYTES] = np.random.default_rng(0).bytes(PAGE_BYTES - 100)


def cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def replace_with_text(data: bytearray) -> None:
    data[:] = b"This is no database.\n" * 100


@pytest.mark.parametrize("spoil", [overwrite_header, overwrite_schema, cut, replace_with_text])
def test_damage__of_the_file_sets_it_aside_and_begins_anew(folder, spoil, caplog):
    with Store(folder) as store:
        write(store, open_run(store, "run"), *NAMES)
    data = bytearray((folder / FILE_NAME).read_bytes())
    spoil(data)
    (folder / FILE_NAME).write_bytes(data)

    with Store(folder) as store:
        assert store.runs() == []
        assert write(store, open_run(store, "another"), *NAMES)
    (aside,) = folder.glob("damaged-*.sqlite")
    assert aside.read_bytes() == data
    assert f"it is renamed to {aside.name}, and a new one begins" in caplog.text
    check_store(folder)


def test_damage__found_by_a_read_fails_it_and_the_next_store_is_new(folder):
    with Store(folder) as store:
        write(store, open_run(store, "run"), *NAMES)
    overwrite_tables(folder, "images", "samples")

    with Store(folder) as store:
        run = open_run(store, "another")
        with pytest.raises(StoreError, match="can't be used: database disk image is malformed"):
            write(store, run, *NAMES)
    with Store(folder) as store:
        assert write(store, open_run(store, "another"), *NAMES)


def test_damage__found_by_a_process_that_has_the_old_file_open_leaves_the_new_one(folder):
    with Store(folder) as store:
        run = open_run(store, "run")
        write(store, run, *NAMES)
    overwrite_tables(folder, "images", "samples")

    with Store(folder) as one, Store(folder) as slow:
        with pytest.raises(StoreError, match="malformed"):
            boxes_known(one, run, NAMES[0])
        with Store(folder) as new:
            write(new, open_run(new, "new"), *NAMES)
        with pytest.raises(StoreError, match="malformed"):
            boxes_known(slow, run, NAMES[0])
    with Store(folder) as store:
        assert tokens(store) == ["new"]
    check_store(folder)
