"""The tables of the runs that were asked for last, kept in this process and followed as their samples change."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

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

_tables: OrderedDict[tuple[Any, ...], Table] = OrderedDict()
_lock = threading.Lock()
_reading: dict[tuple[Any, ...], threading.Lock] = {}


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
    with _lock:
        reading = _reading.setdefault(key, threading.Lock())
    with reading:  # several events ask at once when a panel opens: one of them reads
        with _lock:
            former = table = _tables.get(key)
        stamp = read_stamp(run)
        if table is None or again:
            table = read_table(run, wanted, stamp, [ground_truth] if ground_truth else [])
        else:
            table = brought_up_to_date(table, run, wanted, stamp, changed)
            if ground_truth and ground_truth not in table.given:
                table = with_given(table, run, ground_truth)
        if table is not former:
            table = replace(table, version=uuid.uuid4().hex)
        with _lock:
            _tables[key] = table
            _tables.move_to_end(key)
            while len(_tables) > MOST_TABLES:
                _reading.pop(_tables.popitem(last=False)[0], None)
    return table


def forget_tables() -> None:
    """Lets go of all tables."""
    with _lock:
        _tables.clear()
        _reading.clear()


def _key(run: RunRecord, wanted: ColumnSpec) -> tuple[Any, ...]:
    return (run.dataset._doc.id, run.key, run.token, run.config.classes, *wanted.every, *wanted.some)  # noqa: SLF001
