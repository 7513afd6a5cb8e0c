"""Opening what a verb is about: FiftyOne, a dataset, one of its runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..errors import DatabaseAwayError, LgcaError, RunNotFoundError
from .output import LOGGERS

if TYPE_CHECKING:
    from ..run import Run


def open_fiftyone() -> Any:
    """Returns the module ``fiftyone`` once its database has answered.

    Raises:
        DatabaseAwayError: if it can't, in one sentence
    """
    try:
        import fiftyone as fo

        fo.list_datasets()
    except Exception as error:
        reason = first_line(error)
        raise DatabaseAwayError(f"FiftyOne can't be started here ({reason}); lgca doctor says what to do") from error
    for name in LOGGERS:  # no notices among what people and programs read
        logging.getLogger(name).setLevel(logging.ERROR)
    return fo


def open_dataset(name: str) -> Any:
    """Returns a dataset.

    Raises:
        LgcaError: if there is none of this name
    """
    fo = open_fiftyone()
    if not fo.dataset_exists(name):
        known = ", ".join(fo.list_datasets()) or "none"
        raise LgcaError(f"there is no dataset {name!r} in this database; its datasets: {known}")
    return fo.load_dataset(name)


def open_run(dataset: Any, key: str | None, *, triaged: bool = False) -> Run:
    """Returns a run of a dataset; without a key the newest one, or the newest one that was triaged.

    Raises:
        RunNotFoundError: if there is none
    """
    from ..api import load_run
    from ..runs.record import stored_triage
    from ..runs.registry import list_runs

    if key is not None:
        return load_run(dataset, key)
    for newest in reversed(list_runs(dataset)):
        run = load_run(dataset, newest)
        if not triaged or stored_triage(run.results):
            return run
    what = "no run whose labels were checked" if triaged else "no run"
    raise RunNotFoundError(f"dataset {dataset.name!r} has {what} yet: lgca find {dataset.name} makes one")


def first_line(error: BaseException) -> str:
    """Returns the first line of an error, or its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), "") or type(error).__name__
