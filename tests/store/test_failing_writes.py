"""A store that can't be written: a wrong path, a full disk, an error, another process's lock."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.store import Store
from tests.helpers.worlds.store import check_store, count_rows, files_no_larger_than, names_of, open_run, write

NAMES = [*names_of(0), *names_of(1)]


def test_unwritable__a_file_in_place_of_the_folder_or_a_folder_in_place_of_the_file(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder" / FILE_NAME).mkdir(parents=True)
    for name, words in (("file", ".*File exists"), ("folder", "")):
        with pytest.raises(StoreError, match=rf"the store of embeddings at .* can't be opened: {words}"):
            Store(tmp_path / name)
    assert (tmp_path / "file").read_text() == "in the way"
    assert (tmp_path / "folder" / FILE_NAME).is_dir()


def test_full_disk__a_write_that_fails_leaves_what_was_there_and_the_next_can_succeed(store, folder):
    run = open_run(store, "run")
    write(store, run, *NAMES)
    with (
        files_no_larger_than(store.path.stat().st_size + PAGE_BYTES),
        pytest.raises(StoreError, match=r"can't be used: (disk I/O error|database or disk is full)"),
    ):
        write(store, run, *(f"more {number}" for number in range(40)))
    assert store.sample_ids(run) == NAMES
    assert write(store, run, "image 7.0")
    assert store.sample_ids(run) == [*NAMES, "image 7.0"]
    check_store(folder)


def test_error__in_the_middle_of_a_write_undoes_all_of_it(store, folder):
    run, gone = open_run(store, "run"), open_run(store, "gone")
    store.delete_run("gone")
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        write(store, gone, *NAMES)
    assert count_rows(folder, "images", "regions") == [0, 0]
    assert write(store, run, *NAMES)


def test_busy__a_reader_that_stays_delays_a_write_and_does_not_break_the_store(opened, folder):
    store = opened(busy_seconds=0.05)
    run = open_run(store, "run")
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM runs").fetchall()
        for _ in range(2):
            with pytest.raises(StoreError, match="database is locked"):
                write(store, run, "image 0.0")
        assert opened().run("run") == run  # other processes can read
    assert write(store, run, "image 0.1")
    assert store.sample_ids(run) == ["image 0.1"]
