"""The runs of a dataset: listing and loading them, and writing their records."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ..config import RunConfig
from ..errors import ConfigError, LgcaError, RunNotFoundError
from ..fiftyone_io.boxes.companion import run_dataset
from ..fiftyone_io.boxes.each_label import runs_on_labels
from ..fiftyone_io.database import reload_if_changed
from ..fiftyone_io.fields import DECISION, decision_note, error_field, run_fields, triage_field
from ..fiftyone_io.outages import stop_waiting, waits_for_database
from ..fiftyone_io.run_results import change_run_results
from ..fiftyone_io.tokens import new_token
from .left_over import fields_left_over, is_left_over
from .record import RunRecord, as_json, read_results, stored_triage
from .state import ended, entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import fiftyone as fo

    from .lease import Lease
    from .state import RunState

PACKAGE = "fiftyone-lgca"
WRITTEN_BY_OTHERS = ("triage", "triage_state", "triage_fields", "views", "evaluation", "decided")
"""Entries of a record that a triage or an evaluation may write while the run is still predicting."""


@waits_for_database
def register_run(
    dataset: fo.Dataset, run_key: str, config: RunConfig, results: dict[str, Any], *, token: str | None = None
) -> RunRecord:
    """Writes a new run's record before its first prediction, so that an interrupted run can be continued.

    The record that is under the key already is replaced in one step: a kill leaves the one or the other.
    """
    stored = dataset.init_run(
        package=PACKAGE,
        run=json.dumps(config.to_json()),
        fields=run_fields(run_key, config.methods, adaptive=config.region_plan.adaptive),
    )
    if run_key in dataset.list_runs():
        results = change_run_results(dataset, run_key, lambda _: results, config=stored)
    else:
        dataset.register_run(run_key, stored)
        results = change_run_results(dataset, run_key, lambda _: results)
    new_token(dataset, run_key, token)
    return RunRecord(dataset, run_key, config, results)


def reload_record(run: RunRecord) -> None:
    """Reads a run's results again: another process may have triaged or evaluated the run since it was loaded."""
    run.results = read_results(run.dataset, run.key)


def update_record(run: RunRecord, **entries: Any) -> None:
    """Writes entries to a run's record, without overwriting what other processes have written to the others."""
    run.results = change_run_results(run.dataset, run.key, lambda stored: {**as_json(stored), **entries})


def save_own_entries(run: RunRecord) -> None:
    """Writes the entries of a run's record that are about its predictions; the others stay as they are stored."""
    update_record(run, **{name: value for name, value in run.results.items() if name not in WRITTEN_BY_OTHERS})


@contextmanager
def noting_failure(run: RunRecord, lease: Lease, task: str) -> Iterator[None]:
    """Writes an error of a ``with`` statement to a run's record, whose call has begun to write, as its end."""
    try:
        yield
    except BaseException as error:
        if run.is_current() and lease.is_held():
            update_record(run, **entries(ended(lease, task, error)))
        raise


@contextmanager
def recording_end(run: RunRecord, lease: Lease, task: str, record: Callable[[RunState], object]) -> Iterator[None]:
    """Calls ``record`` with the state in which a ``with`` statement ends, by an error or without.

    Not if the run is this call's no more. After an error, a database that is away is not waited for.
    """
    error: BaseException | None = None
    try:
        yield
    except BaseException as raised:
        error = raised
        stop_waiting()
        raise
    finally:
        if run.is_current():
            record(ended(lease, task, error))


def decision_entries(dataset: fo.Dataset, run_key: str) -> dict[str, Any]:
    """Returns the entries of a new run's record that it takes over: where the decisions of earlier ones are."""
    dataset = run_dataset(dataset)
    field = triage_field(run_key, DECISION)
    if field not in dataset.get_field_schema():
        return {}
    results = read_results(dataset, run_key) if is_stored(dataset, run_key) else {}
    note = decision_note(dataset, field)
    if field not in results.get("triage_fields", ()) and note.get("decisions_of") != run_key:
        return {}
    report = stored_triage(results) or note
    fields = {name: report.get(name) for name in ("ground_truth", "corrected_field")}
    return {"triage_fields": [field], "made": results.get("made") or {}, "decided": fields}


def is_stored(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns True if there is a zero-shot run under a key, or what is left of one without its record."""
    dataset = run_dataset(dataset)
    return run_key in dataset.list_runs(package=PACKAGE) or is_left_over(dataset, run_key)


def prediction_fields(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns the fields of the predictions of a run of any release, without reading its results.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if its record can't be read
    """
    dataset = run_dataset(dataset)
    runs = dataset.list_runs(package=PACKAGE)
    if run_key not in runs and reload_if_changed(dataset):
        runs = dataset.list_runs(package=PACKAGE)
    if run_key not in runs and is_left_over(dataset, run_key):
        return fields_left_over(dataset, run_key)
    if run_key not in runs:
        labels = runs_on_labels(dataset, run_key)
        if labels is not None:
            what = f"run {run_key!r} is on the labels of {labels!r}, which are a dataset with a sample for each label"
            raise RunNotFoundError(f"{what}: take lgca.each_label(dataset, {labels!r})", app=f"{what}: open that")
        known = f"its runs are {', '.join(runs)}" if runs else "it has none yet"
        raise RunNotFoundError(f"dataset {dataset.name!r} has no zero-shot run {run_key!r}; {known}")
    try:
        return list(dataset.get_run_info(run_key).config.fields)
    except (AttributeError, TypeError) as error:
        raise ConfigError(_unreadable(run_key)) from error


def original_key(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the key that a run was made under, by which its fields are named: another one after a ``rename_run``.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if its record can't be read
    """
    fields, ending = prediction_fields(dataset, run_key), error_field("")
    return fields[-1].removesuffix(ending) if fields and fields[-1].endswith(ending) else run_key


def check_not_renamed(dataset: fo.Dataset, run_key: str) -> None:
    """Checks that a run has the key that it was made under.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if it has not, or its record can't be read
    """
    made = original_key(dataset, run_key)
    if made != run_key:
        what = f"run {run_key!r} was renamed, but its fields and decisions are still called {made!r}"
        raise ConfigError(
            f"{what}: rename it back with dataset.rename_run({run_key!r}, {made!r}), or delete it with "
            f"lgca.delete_run(dataset, {run_key!r})",
            app=f"{what}: rename it back in code, or delete it",
        )


def owned_fields(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns all fields that are deleted with a run: those of its predictions, then those of its triage.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if its record can't be read
    """
    fields = prediction_fields(dataset, run_key)
    return [*fields, *read_results(run_dataset(dataset), run_key).get("triage_fields", ())]


def fields_of_other_runs(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns all fields of the other zero-shot runs on a dataset; of those whose record can't be read, none."""
    found: list[str] = []
    for key in run_dataset(dataset).list_runs(package=PACKAGE):
        if key != run_key:
            with suppress(LgcaError):
                found += owned_fields(dataset, key)
    return found


def list_runs(dataset: fo.Dataset) -> list[str]:
    """Returns the keys of the zero-shot runs on a dataset, or on the boxes of a view of patches, oldest first."""
    try:
        dataset = run_dataset(dataset)
    except RunNotFoundError:
        return []
    reload_if_changed(dataset)
    keys = dataset.list_runs(package=PACKAGE)
    return sorted(keys, key=lambda key: dataset.get_run_info(key).timestamp)


def load_run(dataset: fo.Dataset, run_key: str) -> RunRecord:
    """Returns a run of a dataset, or on the boxes of a view of patches.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if another release wrote the run's record and this one can't read it, or the run was renamed
    """
    dataset = run_dataset(dataset)
    reload_if_changed(dataset)
    if is_left_over(dataset, run_key):
        what = f"the record of run {run_key!r} was deleted, but not its fields"
        raise RunNotFoundError(
            f"{what}: lgca.classify(run_key={run_key!r}, overwrite=True) replaces them and keeps the decisions, "
            f"lgca.delete_run(dataset, {run_key!r}) deletes them",
            app=f"{what}: classify under the same key, starting over, to replace them and keep the decisions",
        )
    config = read_config(dataset, run_key)
    return RunRecord(dataset, run_key, config, read_results(dataset, run_key))


def read_config(dataset: fo.Dataset, run_key: str) -> RunConfig:
    """Returns the settings of a run of a dataset, without reading its results.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if another release wrote the run's record and this one can't read it, or the run was renamed
    """
    check_not_renamed(dataset, run_key)
    try:
        return RunConfig.from_json(json.loads(run_dataset(dataset).get_run_info(run_key).config.run))
    except ConfigError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(_unreadable(run_key)) from error


def _unreadable(run_key: str) -> str:
    return f"the record of run {run_key!r} can't be read by this release"


def existing_run(dataset: fo.Dataset, run_key: str) -> RunRecord | None:
    """Returns the run under a key, or None if the key is free.

    Raises:
        ConfigError: if another package's run has the key
    """
    reload_if_changed(dataset)
    if run_key in dataset.list_runs(package=PACKAGE):
        return load_run(dataset, run_key)
    if run_key in dataset.list_runs():
        raise ConfigError(f"run_key {run_key!r} belongs to a run of another kind on this dataset; choose another key")
    return None
