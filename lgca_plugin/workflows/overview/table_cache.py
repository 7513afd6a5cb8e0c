"""The tables of the most recently used runs, cached in this process and updated when samples change."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...cache import ResultCache
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.label_copy import wait_for_copy
from .columns import read_stamp
from .table import column_spec, read_table, updated_table, with_given

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...runs.record import RunRecord
    from .columns import ColumnSpec
    from .table import Table

MAX_TABLES = 3
"""Maximum number of tables in memory: about 5 MB each for 100,000 samples and three methods."""


@dataclass
class _CachedTable:
    """A run's table, None before it is first read, and the lock under which it is read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    table: Table | None = None


TABLES: ResultCache[_CachedTable] = ResultCache(MAX_TABLES)


def current_table(
    run: RunRecord, ground_truth: str | None = None, *, changed: Sequence[str] = (), again: bool = False
) -> Table:
    """Returns the up-to-date table of a run, from memory except for the samples that have changed.

    Changed samples are found by their modification time, which every write of FiftyOne and of this package sets;
    ``changed`` are ids of samples that have changed whatever their times. ``again`` reads all samples again.
    """
    if ground_truth:
        wait_for_copy(run.dataset, ground_truth)
    schema = run.dataset.get_field_schema()
    spec = column_spec(run, schema)
    key = _key(run, spec)
    cached = TABLES.get(key, _CachedTable)
    with cached.lock:  # a panel that opens sends several events at once: one of them reads
        previous = table = cached.table
        stamp = read_stamp(run)
        if table is None or again:
            table = read_table(run, spec, stamp, [ground_truth] if ground_truth else [])
        else:
            table = updated_table(table, run, spec, stamp, changed)
            if ground_truth and ground_truth not in table.given:
                table = with_given(table, run, ground_truth)
        if table is not previous:
            table = replace(table, version=uuid.uuid4().hex)
        cached.table = table
    return table


def _key(run: RunRecord, spec: ColumnSpec) -> tuple[Any, ...]:
    return (dataset_id(run.dataset), run.key, run.token, run.config.classes, *spec.every, *spec.some)
