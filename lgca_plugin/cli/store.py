"""The verbs ``store info`` and ``store clean``."""

from __future__ import annotations

import time
from dataclasses import asdict

import click

from ..runs import clean_store as stores
from .arguments import argument
from .opening import open_fiftyone
from .output import Answer, verb

MEGABYTE = 1_000_000
SECONDS_A_DAY = 86_400


@click.group()
def store() -> None:
    """Shows and cleans the store of embeddings.

    What is in it spares later runs the encoding.
    """


@verb(group=store)
def info() -> Answer:
    """Says where the store is, how large it is, and which runs are in it."""
    open_fiftyone()
    found = stores.store_info()
    lines = [f"{found.path}: {size(found.used_bytes)} of at most {size(found.limit_bytes)}"]
    for run in found.runs:
        days = (time.time() - run["used"]) / SECONDS_A_DAY
        lines.append(f"  {run['dataset']}, run {run['run_key']}: {run['samples']:,} images, used {days:.0f} days ago")
    return Answer(text="\n".join(lines), data=asdict(found))


@verb(group=store)
@argument(stores.clean_store, "unused_days", type=float, text="Also what was not used for so many days")
def clean(unused_days: float | None) -> Answer:
    """Deletes embeddings of deleted runs; no run loses its answers."""
    open_fiftyone()
    freed = stores.clean_store(unused_days=unused_days)
    return Answer(text=f"{size(freed)} freed", data={"freed_bytes": freed})


def size(count: int) -> str:
    """Returns a number of bytes in megabytes or gigabytes."""
    return f"{count / 1000 / MEGABYTE:,.1f} GB" if count >= 1000 * MEGABYTE else f"{count / MEGABYTE:,.1f} MB"
