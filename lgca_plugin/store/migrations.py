"""The schema of the store's file, as the ordered migrations that lead to it; one that was released never changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import StoreError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


class Migration(NamedTuple):
    """A step of the schema.

    Attributes:
        name: unique; it is written into the file
        sql: statements, none with a semicolon inside
        table: a table that the step makes, by which files of release 0.1.0, without names, are recognised; new steps
            leave it empty
    """

    name: str
    sql: str
    table: str = ""


# AUTOINCREMENT: the id of a deleted row is never used again, since another process may still hold it.
# The user_version is what earlier releases, without migrations, look at.
_TABLES = """
CREATE TABLE encoders (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    logit_scale REAL NOT NULL
);
CREATE TABLE images (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    encoder INTEGER NOT NULL REFERENCES encoders,
    content_hash BLOB NOT NULL,
    height INTEGER NOT NULL,
    width INTEGER NOT NULL,
    whole BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (encoder, content_hash)
);
CREATE TABLE regions (
    id INTEGER PRIMARY KEY,
    image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
    geometry TEXT NOT NULL,
    boxes BLOB NOT NULL,
    embeddings BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE INDEX regions_of_image ON regions (image, geometry);
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    encoder INTEGER NOT NULL REFERENCES encoders,
    geometry TEXT NOT NULL,
    signatures TEXT NOT NULL,
    database TEXT NOT NULL,
    dataset TEXT NOT NULL,
    run_key TEXT NOT NULL,
    used REAL NOT NULL,
    replaced_by TEXT
);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    sample TEXT NOT NULL,
    image INTEGER NOT NULL REFERENCES images,
    regions INTEGER NOT NULL,
    vectors BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (run, sample)
);
CREATE INDEX samples_of_image ON samples (image);
CREATE TABLE texts (
    encoder INTEGER NOT NULL REFERENCES encoders ON DELETE CASCADE,
    digest BLOB NOT NULL,
    embedding BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    used REAL NOT NULL,
    PRIMARY KEY (encoder, digest)
) WITHOUT ROWID;
PRAGMA user_version = 2
"""

_FINDINGS = """
CREATE TABLE findings (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    question TEXT NOT NULL,
    found BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
"""

_BUDGET_LEVELS = """
CREATE TABLE rungs (
    sample INTEGER PRIMARY KEY REFERENCES samples ON DELETE CASCADE,
    rung INTEGER NOT NULL
)
"""

# A run that a release without checksums of runs has written since has none.
_CHECKSUMS_OF_RUNS = """
ALTER TABLE runs ADD COLUMN checksum INTEGER;
UPDATE runs SET checksum = (
    SELECT seal(token, geometry, signatures, fingerprint, logit_scale) FROM encoders WHERE encoders.id = encoder
)
"""

MIGRATIONS = (
    Migration("embeddings", _TABLES, table="encoders"),
    Migration("findings", _FINDINGS, table="findings"),
    Migration("budget levels", _BUDGET_LEVELS, table="rungs"),
    Migration("checksums of runs", _CHECKSUMS_OF_RUNS),
)


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Applies the migrations that a file lacks, in one transaction: interrupted, it leaves nothing behind.

    A file that lacks none is not written to.

    Args:
        connection: in autocommit mode, with the SQL function ``seal``
        migrations: all of them, in their order

    Raises:
        StoreError: if the file has a migration that is not among them
        sqlite3.Error: if the file can't be read or written
    """
    if not _missing(connection, migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        missing = _missing(connection, migrations)  # read again: another process may have been quicker
        applied = [migration.name for migration in migrations if migration not in missing]
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY) WITHOUT ROWID")
        connection.executemany("INSERT OR IGNORE INTO migrations VALUES (?)", [(name,) for name in applied])
        for migration in missing:
            for statement in migration.sql.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO migrations VALUES (?)", (migration.name,))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _missing(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> list[Migration]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "migrations" not in tables:
        return [migration for migration in migrations if migration.table not in tables]
    applied = {name for (name,) in connection.execute("SELECT name FROM migrations")}
    if unknown := applied - {migration.name for migration in migrations}:
        raise StoreError(
            f"the store of embeddings was written by a newer release of this plugin (it has {sorted(unknown)[0]!r}); "
            "install that release, or choose another folder with LGCA_STORE_DIR"
        )
    return [migration for migration in migrations if migration.name not in applied]
