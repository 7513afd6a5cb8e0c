"""TODO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone.operators as foo

from ...lgca_plugin.api import load_run
from ...lgca_plugin.errors import LgcaError
from ...lgca_plugin.run import Run
from ...lgca_plugin.runs.registry import list_runs
from .params import Params

UNREADABLE = (LgcaError, AttributeError, KeyError, TypeError, ValueError)  # what another release's record may raise


def remembered(ctx: Any, question: Any, *args: Any) -> Any:
    """Asks a cached question; outside of an open form there is nothing to tie the cache to, so it is asked anew."""
    return question(ctx, *args) if ctx.prompt_id else question.uncached(ctx, *args)


def known_runs(ctx: Any) -> list[list[Any]]:
    """Lists the runs, newest first: key, what it is, and why it can't be read, if it can't."""
    found: list[list[Any]] = remembered(ctx, _known_runs)
    return found


def newest(runs: list[list[Any]]) -> str | None:
    """Gives the key of the newest run that can be read, or of the newest; None if there is none."""
    readable = [key for key, _, problem in runs if problem is None]
    return next(iter([*readable, *(key for key, _, _ in runs)]), None)


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _known_runs(ctx: Any) -> list[list[Any]]:
    return [[key, *_described(ctx.dataset, key)] for key in reversed(list_runs(ctx.dataset))]


def _described(dataset: Any, key: str) -> list[Any]:
    """Says what a run is, and why it can't be read."""
    try:
        config = load_run(dataset, key).config
    except LgcaError as error:
        return ["can't be read", str(error)]
    except UNREADABLE:
        return ["can't be read", f"the record of run {key!r} can't be read by this release"]
    methods = ", ".join(method.name for method in config.methods)
    return [f"{len(config.classes):,} classes; {methods}; encoder {config.encoder}", None]


def of_run(name: str, key: str) -> str:
    """Names the parameter for one run."""
    return f"{name}_of_{key}"


def given(params: Params, name: str, key: str, default: Any = None) -> Any:
    """Gives a parameter: the run's, else the plain one, else the default."""
    value = params.get(of_run(name, key))
    if value is None:
        value = params.get(name)
    return default if value is None else value


def initial(params: Params, name: str, default: Any) -> Any:
    """Gives what a field starts with: what code gave under the plain name, else the run's."""
    return default if params.get(name) is None else params[name]


@dataclass(frozen=True)
class KnownRun:
    """A run of a dataset, as far as its record can be read.

    Attributes:
        key: its key
        run: the run; None where another release wrote a record that this one can't read
        problem: a sentence that says so
    """

    key: str
    run: Run | None
    problem: str | None = None


def known_run(dataset: Any, key: str) -> KnownRun:
    """Loads a run, or says why it can't be read."""
    try:
        return KnownRun(key, load_run(dataset, key))
    except LgcaError as error:
        return KnownRun(key, None, str(error))
    except UNREADABLE:
        return KnownRun(key, None, f"The record of run {key!r} can't be read by this release.")


def run_keys(dataset: Any) -> list[str]:
    """Lists the keys of a dataset's runs, the latest first."""
    return list(reversed(list_runs(dataset))) if dataset is not None else []


def pick_run(dataset: Any, keys: list[str], wanted: str | None) -> KnownRun | None:
    """Gives the run that is wanted, else the latest that can be read, else the latest; None if there is none."""
    if wanted in keys:
        return known_run(dataset, wanted)
    found = [known_run(dataset, key) for key in keys[:1]]
    for key in keys[1:]:
        if found[-1].run is not None:
            break
        found.append(known_run(dataset, key))
    return next((one for one in found if one.run is not None), found[0] if found else None)
