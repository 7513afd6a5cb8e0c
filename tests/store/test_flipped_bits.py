"""One flipped bit, wherever in the store's file: what the store returns is right, or it is not returned."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.images import checksum_of_regions
from lgca_plugin.store.store import Store
from tests.helpers.worlds import store as world
from tests.helpers.worlds.store_damage import check_answers, filled_store, flip, used_places

NAMES = [*world.names_of(0), *world.names_of(1)]
INDEX, TABLE = 0x0A, 0x0D
"""First bytes of a leaf page of an index, and of a table."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled_store(tmp_path_factory.mktemp("sound"))


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory, sound: bytes) -> bytes:
    """The same file with the checksums of release 0.1.0, which cover data alone."""
    path = tmp_path_factory.mktemp("early") / FILE_NAME
    path.write_bytes(sound)
    with closing(sqlite3.connect(path)) as rows, rows:
        rows.create_function("crc", 1, zlib.crc32)
        rows.create_function("crc_of_regions", 2, checksum_of_regions)
        for table, data in (("images", "whole"), ("samples", "vectors"), ("texts", "embedding"), ("findings", "found")):
            rows.execute(f"UPDATE {table} SET checksum = crc({data})")
        rows.execute("UPDATE regions SET checksum = crc_of_regions(boxes, embeddings)")
        rows.execute("UPDATE runs SET checksum = NULL")
    return path.read_bytes()


def place_of(data: bytes, key: bytes, number: int, kind: int) -> int:
    """Returns where a row number first stands after a key on a leaf page of a kind."""
    at = data.find(key)
    while at >= 0:
        after = at + len(key)
        if data[at // PAGE_BYTES * PAGE_BYTES] == kind and data[after] == number:
            return after
        at = data.find(key, at + 1)
    raise AssertionError((key, number, kind))


FLIPS: dict[str, Callable[[bytes], int]] = {
    "index of images": lambda data: place_of(data, bytes.fromhex(world.content_hash(NAMES[1])), 2, INDEX),
    "index of samples": lambda data: place_of(data, NAMES[1].encode(), 2, INDEX),
    "image of a sample": lambda data: place_of(data, NAMES[1].encode(), 2, TABLE),
    "index of regions": lambda data: place_of(data, b"\x02large", 2, INDEX),
}


@pytest.mark.parametrize("form", ["sound", "early"])
@pytest.mark.parametrize("where", ["index of images", "index of samples", "image of a sample", "index of regions"])
def test_flip__of_a_reference_to_a_row_never_answers_for_another_image(where, form, tmp_path, request):
    data = bytearray(request.getfixturevalue(form))
    data[FLIPS[where](bytes(data))] ^= 1  # row 3 in the place of row 2
    (tmp_path / FILE_NAME).write_bytes(data)
    assert check_answers(tmp_path) < check_answers_of(request.getfixturevalue(form), tmp_path / "sound")


def check_answers_of(data: bytes, folder: Path) -> int:
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(data)
    return check_answers(folder)


@pytest.mark.parametrize("where", ["index of images", "index of samples", "index of regions"])
def test_flip__in_an_index_is_mended_by_the_next_write_that_meets_it(where, sound, tmp_path, caplog):
    path = tmp_path / FILE_NAME
    data = bytearray(sound)
    data[FLIPS[where](sound)] ^= 1
    path.write_bytes(data)
    for _ in range(2):  # the first write may meet the damage, and ends with an error
        with Store(tmp_path) as store:
            run = world.open_run(store, "run")
            try:
                world.write(store, run, *NAMES)
            except StoreError:
                assert "had damaged indexes, which are made anew" in caplog.text
    world.check_store(tmp_path)
    assert not list(tmp_path.glob("damaged-*"))


def test_flip__of_any_bit_leaves_right_answers_alone(sound, tmp_path):
    rng = np.random.default_rng(17)
    assert check_answers_of(sound, tmp_path / "whole") > 0
    for number, at in enumerate(used_places(sound, 60, rng)):
        check_answers_of(flip(sound, at, int(rng.integers(8))), tmp_path / str(number))
