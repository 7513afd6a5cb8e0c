"""The triage and the samples that the decision operators act on: the open sample or the selected ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import ConfigError, LgcaError, shown
from ...lgca_plugin.fiftyone_io.holders import user_name
from ...lgca_plugin.fiftyone_io.samples import read_ids
from ...lgca_plugin.method.number_text import capitalized, samples_text
from ...lgca_plugin.workflows.decisions.queue import Triage
from ...lgca_plugin.workflows.decisions.rows import QueueItem, count_events, read_queue_items
from ...lgca_plugin.workflows.decisions.undo import DecideAction
from ..shared.caller import app_user
from ..shared.form import read_text
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import run_keys

OPEN, SELECTED = "open", "selected"
MAX_ROWS = 8  # samples in the table
MAX_ACTIONS = 20  # in the list of actions to undo


@cached_while_open
def triaged_runs(ctx: Any) -> list[str]:
    """Returns the keys of the triaged runs, the latest triage first."""
    found = []
    for key in run_keys(ctx.dataset):
        with suppress(LgcaError):
            found.append((str(Triage.of(load_run(ctx.dataset, key)).report.get("at") or ""), key))
    return [key for _, key in sorted(found, key=lambda pair: pair[0], reverse=True)]


def read_triage(ctx: Any) -> Triage:
    """Returns the triage of the chosen run, else the latest.

    Raises:
        ConfigError: if there is none
    """
    if ctx.dataset is None:
        raise ConfigError("open a dataset first")
    key = text(ctx.params, "run")
    if key is None:
        keys = triaged_runs(ctx)
        if not keys:
            raise ConfigError("no run of this dataset has been triaged: triage one first")
        key = keys[0]
    return Triage.of(load_run(ctx.dataset, key))


def chosen_samples(ctx: Any) -> str:
    """Returns whether the open sample or the selected ones are chosen."""
    if has_both(ctx):
        return SELECTED if ctx.params.get("samples") == SELECTED else OPEN
    return SELECTED if ctx.selected else OPEN


def has_both(ctx: Any) -> bool:
    """Returns whether a sample is open and others are selected."""
    return bool(ctx.current_sample and ctx.selected and list(ctx.selected) != [ctx.current_sample])


def candidates(ctx: Any) -> list[str]:
    """Returns the ids of the chosen samples; there may be none."""
    given = ctx.params.get("sample_ids")
    if given is not None:
        if not isinstance(given, list) or not all(isinstance(id_, str) for id_ in given):
            raise ConfigError(f"sample_ids must be a list of sample ids, got {shown(given)}")
        return given
    if chosen_samples(ctx) == SELECTED:
        return list(ctx.selected)
    return [ctx.current_sample] if ctx.current_sample else []


def read_samples(ctx: Any) -> list[str]:
    """Reads the ids of the chosen samples.

    Raises:
        ConfigError: if none are
    """
    ids = candidates(ctx)
    if not ids:
        raise ConfigError("select samples in the grid first, or open one")
    return ids


def read_curator(ctx: Any) -> str:
    """Reads who decides: the App's user if it has one, else the name in the form, else the login name."""
    return app_user(ctx) or text(ctx.params, "by") or user_name()


def text(params: Any, name: str) -> str | None:
    """Reads a text; None where it is blank."""
    return read_text(params, name) or None


def next_open(ctx: Any, triage: Triage) -> str | None:
    """Returns the next undecided sample of the queue after the open one; None if that is not in the queue."""
    if not ctx.current_sample or chosen_samples(ctx) != OPEN:
        return None
    queue = triage.suspect_samples(decided=None).values("id")
    if ctx.current_sample not in queue:
        return None
    left = set(triage.suspect_samples().values("id"))
    at = queue.index(ctx.current_sample)
    return next((id_ for id_ in [*queue[at:], *queue[:at]] if id_ in left), None)


def left_line(counts: dict[str, int]) -> str:
    """Returns in words what is left to decide."""
    others = counts["other samples decided"]
    line = f"{counts['undecided']:,} of {counts['suspects']:,} suspects left to decide"
    return f"{line}; {samples_text(others, 'other')} decided" if others else line


def outcome_line(done: Any, counts: dict[str, int]) -> str:
    """Returns in words what was done, and what is left to decide."""
    return f"{capitalized(str(done))}. {left_line(counts)}"


@dataclass(frozen=True)
class Selection:
    """The samples that are decided about.

    Attributes:
        count: number of samples
        rows: the first of them, column of the table to text
        unsuggested: number of samples without a suggestion
        classes: the run's classes
    """

    count: int
    rows: list[dict[str, str]]
    unsuggested: int
    classes: tuple[str, ...]


@cached_while_open
def read_selection(ctx: Any, key: str, ids: list[str]) -> Selection:
    """Reads the samples with these ids.

    Raises:
        ConfigError: if one is not in the dataset
    """
    triage = Triage.of(load_run(ctx.dataset, key))
    items = read_queue_items(ctx.dataset, triage.places, read_ids(ctx.dataset, ids))
    if len(items) < len(ids):
        raise ConfigError(
            f"{len(ids) - len(items):,} of {len(ids):,} selected samples are not in this dataset, "
            "or no longer; select whole samples in the grid"
        )
    rows = [
        {
            "file": PurePath(item.filepath).name,
            "given": item.given or "-",
            "suggested": _suggested(item),
            "decided": item.decision.word if item.decision else "-",
        }
        for item in items[:MAX_ROWS]
    ]
    unsuggested = sum(item.suggested is None for item in items)
    return Selection(len(items), rows, unsuggested, triage.run.config.classes)


def _suggested(item: QueueItem) -> str:
    if item.suggested is None:
        return "-"
    return item.suggested if item.confidence is None else f"{item.suggested} ({item.confidence:.0%})"


@cached_while_open
def recent_actions(ctx: Any, key: str) -> list[DecideAction]:
    """Returns the actions that can be undone, the latest first."""
    return Triage.of(load_run(ctx.dataset, key)).actions()[:MAX_ACTIONS]


@cached_while_open
def count_rows(ctx: Any, key: str, history: bool) -> int:
    """Returns the number of rows of an export."""
    return count_events(ctx.dataset, Triage.of(load_run(ctx.dataset, key)).places, history=history)


@cached_while_open
def count_left(ctx: Any, key: str) -> dict[str, int]:
    """Returns the counts of decided and undecided samples, as ``Triage.left`` does."""
    return Triage.of(load_run(ctx.dataset, key)).left()
