"""The tables of the runs that were asked for last, kept in this process and followed as their samples change."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...cache import ResultCache
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.label_copy import wait_for_copy
from .read import read_stamp
from .table import brought_up_to_date, read_table, wanted_of, with_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...runs.record import RunRecord
    from .read import ColumnSpec
    from .table import Table

MOST_TABLES = 3
"""How many runs' tables stay in memory, those asked for last: about 5 MB each for 100,000 samples and three methods."""


@dataclass
class _CachedTable:
    """A run's table, None before it is first read, and the lock under which it is read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    table: Table | None = None


_tables: ResultCache[_CachedTable] = ResultCache(MOST_TABLES)


def table_of(
    run: RunRecord, ground_truth: str | None = None, *, changed: Sequence[str] = (), again: bool = False
) -> Table:
    """Gives the table of a run as the samples are now, from memory as far as they have not changed.

    What has changed is found by FiftyOne's stamps of modification, which every write of FiftyOne's and ours sets.

    Args:
        run: the run
        ground_truth: a label field that the table is to have
        changed: ids of samples that are known to have changed, whatever their stamps say
        again: read everything again
    """
    if ground_truth:
        wait_for_copy(run.dataset, ground_truth)
    schema = run.dataset.get_field_schema()
    wanted = wanted_of(run, schema)
    key = _key(run, wanted)
    cached = _tables.get(key, _CachedTable)
    with cached.lock:  # a panel that opens sends several events at once: one of them reads
        former = table = cached.table
        stamp = read_stamp(run)
        if table is None or again:
            table = read_table(run, wanted, stamp, [ground_truth] if ground_truth else [])
        else:
            table = brought_up_to_date(table, run, wanted, stamp, changed)
            if ground_truth and ground_truth not in table.given:
                table = with_given(table, run, ground_truth)
        if table is not former:
            table = replace(table, version=uuid.uuid4().hex)
        cached.table = table
    return table


def forget_tables() -> None:
    """Empties the cache of tables."""
    _tables.clear()


def _key(run: RunRecord, wanted: ColumnSpec) -> tuple[Any, ...]:
    return (dataset_id(run.dataset), run.key, run.token, run.config.classes, *wanted.every, *wanted.some)
