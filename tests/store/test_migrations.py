"""The schema of a store's file: made anew, taken over from an earlier release, migrated, or of a newer release."""

from __future__ import annotations

import lzma
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.migrations import MIGRATIONS, Migration, migrate
from lgca_plugin.store.store import Store
from tests.helpers.paths import ROOT
from tests.helpers.worlds.store import (
    BOXES,
    boxes_known,
    check_store,
    count_rows,
    names_of,
    open_run,
    tokens,
    vectors_of,
    write,
)

NAMES = names_of(0)


@pytest.fixture
def earlier(folder: Path) -> Path:
    """The store's file of release 0.1.0, which had no migrations."""
    folder.mkdir()
    path = folder / FILE_NAME
    path.write_bytes(lzma.decompress((ROOT / "tests" / "data" / "release_0_1_0" / f"{FILE_NAME}.xz").read_bytes()))
    return path


def stored_vectors(path: Path, run: int) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as rows:
        return dict(rows.execute("SELECT sample, vectors FROM samples WHERE run = ?", (run,)))


def test_earlier_release__file_is_read_and_not_written_to_once_it_is_migrated(folder, earlier):
    Store(folder).close()
    before = earlier.read_bytes()
    with Store(folder) as store:
        assert len(tokens(store)) == 4
        for token in tokens(store):
            run = store.run(token)
            assert run is not None
            vectors = {id_: one.tobytes() for id_, one in vectors_of(store, run).items()}
            assert vectors == stored_vectors(earlier, run.id) != {}
            assert [id_ for id_, _, _ in store.known_regions(run, list(vectors))] == list(vectors)
    assert earlier.read_bytes() == before


def test_earlier_release__file_gets_the_tables_that_it_lacks_and_is_written_to(folder, earlier):
    with closing(sqlite3.connect(earlier)) as rows:  # as releases before that one left it
        rows.executescript("DROP TABLE findings; DROP TABLE rungs")
    with Store(folder) as store:
        old, run = store.run(tokens(store)[0]), open_run(store, "run")
        assert old is not None
        ids = store.sample_ids(old)
        assert store.levels(old, ids) == {}
        assert store.findings(old, "a key") == {}
        assert write(store, run, *NAMES)
        store.copy_samples(run, old)
        store.delete_run(tokens(store)[0])
        assert set(store.sample_ids(run)) == {*NAMES, *ids}
        assert [boxes_known(store, run, name) for name in NAMES] == [BOXES] * len(NAMES)
    assert count_rows(folder, "migrations") == [len(MIGRATIONS)]


@pytest.mark.parametrize("empty_file", [False, True])
def test_new__file_has_the_version_that_earlier_releases_look_for(folder, empty_file):
    if empty_file:
        folder.mkdir()
        (folder / FILE_NAME).touch()
    with Store(folder) as store:
        assert write(store, open_run(store, "run"), *NAMES)
    with closing(sqlite3.connect(folder / FILE_NAME)) as rows:
        assert rows.execute("PRAGMA user_version").fetchone() == (2,)
        assert rows.execute("SELECT name FROM migrations ORDER BY name").fetchall() == sorted(
            (migration.name,) for migration in MIGRATIONS
        )
    check_store(folder)


def test_newer_release__file_is_one_clear_error_and_left_as_it_is(folder):
    with Store(folder) as store:
        write(store, open_run(store, "run"), *NAMES)
    with closing(sqlite3.connect(folder / FILE_NAME)) as rows, rows:
        rows.execute("INSERT INTO migrations VALUES ('from the future')")
    before = (folder / FILE_NAME).read_bytes()
    with pytest.raises(StoreError, match=r"written by a newer release of this plugin \(it has 'from the future'\)"):
        Store(folder)
    assert (folder / FILE_NAME).read_bytes() == before
    with closing(sqlite3.connect(folder / FILE_NAME)) as rows, rows:
        rows.execute("DELETE FROM migrations WHERE name = 'from the future'")
    with Store(folder) as store:
        assert tokens(store) == ["run"]


@pytest.fixture
def rows() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        yield connection


ONE, TWO = Migration("one", "CREATE TABLE a (x)", table="a"), Migration("two", "ALTER TABLE a ADD COLUMN y")


def test_migrate__applies_in_order_what_is_missing(rows):
    migrate(rows, (ONE,))
    rows.execute("INSERT INTO a VALUES (1)")
    for _ in range(2):
        migrate(rows, (ONE, TWO))
        assert rows.execute("SELECT * FROM a").fetchall() == [(1, None)]
    assert rows.execute("SELECT name FROM migrations").fetchall() == [("one",), ("two",)]


def test_migrate__interrupted_leaves_nothing_and_is_repeated(rows):
    broken = Migration("two", "ALTER TABLE a ADD COLUMN y; CREATE nonsense")
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        migrate(rows, (ONE, broken))
    assert rows.execute("SELECT * FROM sqlite_master").fetchall() == []
    migrate(rows, (ONE, TWO))
    assert rows.execute("SELECT x, y FROM a").fetchall() == []
