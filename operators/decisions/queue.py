"""What the queue's operators know of a dataset's triages, and of the samples that are open or selected."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError
from ...lgca_plugin.fiftyone_io.fields import SUGGESTION, triage_field
from ...lgca_plugin.fiftyone_io.samples import read_ids
from ...lgca_plugin.runs.registry import list_runs
from ...lgca_plugin.workflows.decisions.decide import default_curator
from ...lgca_plugin.workflows.decisions.queue import Triage
from ...lgca_plugin.workflows.decisions.rows import QueueItem, read_queue_items
from ..shared.run_choice import UNREADABLE, remembered

OPEN, SELECTED = "open", "selected"
SHOWN = 8  # samples in the table
ACTIONS = 20  # in the list of what can be undone


def placement(ctx: Any, label: str, icon: str, *, in_modal: bool) -> Any:
    """Places a button once there is a triage: above the grid, and in a sample's own view while one is open."""
    if ctx.dataset is None:
        return None
    schema = ctx.dataset.get_field_schema()
    if not any(triage_field(key, SUGGESTION) in schema for key in list_runs(ctx.dataset)):
        return None
    place = types.Places.SAMPLES_GRID_SECONDARY_ACTIONS
    if in_modal and ctx.current_sample:
        place = types.Places.SAMPLES_VIEWER_ACTIONS
    return types.Placement(place, types.Button(label=label, icon=icon, prompt=True))


def triaged_runs(ctx: Any) -> list[str]:
    """Lists the keys of the runs that have been triaged, the latest triage first."""
    keys: list[str] = remembered(ctx, _triaged_runs)
    return keys


def read_triage(ctx: Any) -> Triage:
    """Loads the triage that is meant.

    Raises:
        ConfigError: if there is none
    """
    if ctx.dataset is None:
        raise ConfigError("open a dataset first")
    key = text(ctx.params, "run")
    if key is None:
        keys = triaged_runs(ctx)
        if not keys:
            raise ConfigError("no run of this dataset has been triaged: run.triage() does that")
        key = keys[0]
    return Triage.of(load_run(ctx.dataset, key))


def which(ctx: Any) -> str:
    """Tells which samples are meant: the open one or the selected."""
    if has_both(ctx):
        return SELECTED if ctx.params.get("samples") == SELECTED else OPEN
    return SELECTED if ctx.selected else OPEN


def has_both(ctx: Any) -> bool:
    """Tells whether a sample is open and others are selected."""
    return bool(ctx.current_sample and ctx.selected and list(ctx.selected) != [ctx.current_sample])


def candidates(ctx: Any) -> list[str]:
    """Lists the ids of the samples that are meant; there may be none."""
    given = ctx.params.get("sample_ids")
    if given is not None:
        return list(given)
    if which(ctx) == SELECTED:
        return list(ctx.selected)
    return [ctx.current_sample] if ctx.current_sample else []


def read_samples(ctx: Any) -> list[str]:
    """Reads which samples are meant.

    Raises:
        ConfigError: if none are
    """
    ids = candidates(ctx)
    if not ids:
        raise ConfigError("select samples in the grid first, or open one")
    return ids


def read_curator(ctx: Any) -> str:
    """Reads who decides: the App's user where it knows one, else what the form says, or the login name."""
    return user_name(ctx) or text(ctx.params, "by") or default_curator()


def user_name(ctx: Any) -> str | None:
    """Gives the name of the App's user, where it knows one."""
    user = getattr(ctx, "user", None)
    return getattr(user, "name", None) or getattr(user, "email", None)


def text(params: Any, name: str) -> str | None:
    """Reads a text; None where it is blank."""
    value = params.get(name)
    return value.strip() or None if isinstance(value, str) else None


def show(ctx: Any, then: str | None = None) -> None:
    """Has the App show what was written.

    An open sample is drawn anew only when it is opened, so another is, or the same one again.

    Args:
        ctx: the operator's context
        then: the sample to open where one is open; None for the same one
    """
    ctx.ops.reload_dataset()
    if ctx.current_sample:
        ctx.ops.close_sample()
        ctx.ops.open_sample(id=then or ctx.current_sample)


def next_open(ctx: Any, triage: Triage) -> str | None:
    """Finds the sample to look at after the open one, if that was decided and is of the queue."""
    if not ctx.current_sample or which(ctx) != OPEN:
        return None
    queue = triage.suspects(decided=None).values("id")
    if ctx.current_sample not in queue:
        return None
    left = set(triage.suspects().values("id"))
    at = queue.index(ctx.current_sample)
    return next((id_ for id_ in [*queue[at:], *queue[:at]] if id_ in left), None)


def left_line(counts: dict[str, int]) -> str:
    """Puts into words what is left to decide."""
    others = counts["other samples decided"]
    line = f"{counts['undecided']:,} of {counts['suspects']:,} suspects left to decide"
    return f"{line}; {others:,} other {'sample' if others == 1 else 'samples'} decided" if others else line


def told(done: Any, counts: dict[str, int]) -> str:
    """Puts into words what was done, and what is left."""
    line = str(done)
    return f"{line[:1].upper()}{line[1:]}. {left_line(counts)}"


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _triaged_runs(ctx: Any) -> list[str]:
    found = []
    for key in reversed(list_runs(ctx.dataset)):
        try:
            report = Triage.of(load_run(ctx.dataset, key)).report
        except UNREADABLE:
            continue
        found.append((str(report.get("at") or ""), key))
    return [key for _, key in sorted(found, key=lambda pair: pair[0], reverse=True)]


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def selection(ctx: Any, key: str, ids: list[str]) -> list[Any]:
    """Looks up the samples: how many, rows of the first, how many have no suggestion, and the run's classes."""
    triage = Triage.of(load_run(ctx.dataset, key))
    known = read_queue_items(ctx.dataset, triage.places, read_ids(ctx.dataset, ids))
    if len(known) < len(ids):
        raise ConfigError(
            f"{len(ids) - len(known):,} of {len(ids):,} selected samples are no samples of this dataset, "
            "or no longer; select whole samples in the grid"
        )
    rows = [
        {
            "file": PurePath(row.filepath).name,
            "given": row.given or "-",
            "suggested": _suggested(row),
            "decided": row.decision.value if row.decision else "-",
        }
        for row in known[:SHOWN]
    ]
    return [len(known), rows, sum(row.suggested is None for row in known), list(triage.run.config.classes)]


def _suggested(item: QueueItem) -> str:
    if item.suggested is None:
        return "-"
    return item.suggested if item.confidence is None else f"{item.suggested} ({item.confidence:.0%})"


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def actions(ctx: Any, key: str) -> list[list[Any]]:
    """Lists what can be undone, the latest first: id, what it is, and its note."""
    found = Triage.of(load_run(ctx.dataset, key)).actions()[:ACTIONS]
    return [[action.id, str(action), action.note] for action in found]


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def left(ctx: Any, key: str) -> dict[str, int]:
    """Counts what is left to decide."""
    return Triage.of(load_run(ctx.dataset, key)).left()
