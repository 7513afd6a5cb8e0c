"""The choice among a dataset's runs, the parameters that belong to the chosen one, and the key of a new one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.fields import conflicting_fields
from ...lgca_plugin.method.core.methods import Method
from ...lgca_plugin.run import Run
from ...lgca_plugin.runs.registry import PACKAGE, list_runs, prediction_fields, read_config
from .form import Params, add_dropdown
from .prompt_cache import cached_while_open


@dataclass(frozen=True)
class KnownRun:
    """A run of a dataset; without a config, there is a problem that keeps its record from being read."""

    key: str
    config: RunConfig | None
    problem: str = ""

    @property
    def note(self) -> str:
        """The run in a few words."""
        if self.config is None:
            return "can't be read"
        if self.config.voters is not None:
            fields = ", ".join(voter.field for voter in self.config.voters)
            return f"{len(self.config.classes):,} classes; predictions that were there: {fields}"
        methods = ", ".join(method.name for method in self.config.methods)
        return f"{len(self.config.classes):,} classes; {methods}; encoder {self.config.encoder}"


def run_keys(dataset: Any) -> list[str]:
    """Returns the keys of a dataset's runs, the newest first; none where no dataset is open."""
    return list(reversed(list_runs(dataset))) if dataset is not None else []


def looking_keys(dataset: Any) -> list[str]:
    """Returns the keys of the runs that have looked at pictures, and of those that can't be read, the newest first."""
    return [key for key in run_keys(dataset) if not _only_reads(dataset, key)]


def _only_reads(dataset: Any, key: str) -> bool:
    """Returns whether a run is of predictions that were there already."""
    with suppress(LgcaError):
        return read_config(dataset, key).voters is not None
    return False


def pick_run(dataset: Any, keys: list[str], chosen: str | None) -> Run | None:
    """Returns the chosen run, else the newest of ``keys`` that can be read; None if there is no run.

    Raises:
        LgcaError: if the chosen run, or every run, can't be read
    """
    if chosen in keys:
        return load_run(dataset, chosen)
    for key in keys:
        with suppress(LgcaError):
            return load_run(dataset, key)
    return load_run(dataset, keys[0]) if keys else None


@cached_while_open
def known_runs(ctx: Any) -> list[KnownRun]:
    """Returns the runs of the open dataset, the newest first."""
    return [_known_run(ctx.dataset, key) for key in run_keys(ctx.dataset)]


def _known_run(dataset: Any, key: str) -> KnownRun:
    try:
        return KnownRun(key, load_run(dataset, key).config)
    except LgcaError as error:
        return KnownRun(key, None, error.app)


def newest_run(ctx: Any, *, looking: bool = False) -> str | None:
    """Returns the key of the newest run that can be read, else of the newest; None if there is no run.

    With ``looking``, one that has looked at pictures comes before those that have not.
    """
    runs = sorted(
        known_runs(ctx),
        key=lambda run: (run.config is None, looking and run.config is not None and run.config.voters is not None),
    )
    return runs[0].key if runs else None


def chosen_run(ctx: Any) -> str | None:
    """Returns the key of the run that is chosen, or proposed."""
    return ctx.params.get("run") or newest_run(ctx)


def read_run(ctx: Any, key: str | None = None) -> tuple[str, RunConfig]:
    """Returns a key and the settings of its run, which must exist and be readable; None takes the chosen run."""
    key, runs = key or chosen_run(ctx), {run.key: run for run in known_runs(ctx)}
    if not isinstance(key, str) or key not in runs:
        known = ", ".join(runs) or "none"
        raise ConfigError(f"run must name a zero-shot run of this dataset, got {key!r}; its runs: {known}")
    config = runs[key].config
    if config is None:
        raise ConfigError(runs[key].problem)
    return key, config


def add_run(inputs: Any, ctx: Any, description: str | None = None, *, looking: bool = False) -> Any:
    """Adds the choice of the run and returns its property; the newest that can be read is proposed.

    With ``looking``, runs are left out that have looked at no picture.
    """
    runs = [run for run in known_runs(ctx) if not looking or run.config is None or run.config.voters is None]
    choices = {run.key: run.note for run in runs or known_runs(ctx)}
    default = newest_run(ctx, looking=looking)
    return add_dropdown(inputs, "run", choices, default=default, label="Run", description=description)


def run_param(name: str, key: str) -> str:
    """Returns the name of a run's own parameter, such as ``classes_of_zeroshot``.

    The App fills a field that is new in the form with its default, and keeps what a user has typed under its name: a
    field whose default depends on the run needs a name for each run.
    """
    return f"{name}_of_{key}"


def read_param(params: Params, name: str, key: str, default: Any = None) -> Any:
    """Returns a parameter of a run: the run's own, else the plain one, which calls from code use, else the default."""
    value = params.get(run_param(name, key))
    if value is None:
        value = params.get(name)
    return default if value is None else value


def initial_value(params: Params, name: str, default: Any) -> Any:
    """Returns what a run's field starts with: the plain parameter, which calls from code use, else the default."""
    return default if params.get(name) is None else params[name]


def key_problem(
    inputs: Any, params: Params, dataset: Any, key: str, presets: tuple[Method, ...], *, adaptive: bool
) -> str | None:
    """Returns why a key can't be used, if so; replacing a run must be confirmed."""
    own: list[str] = []
    if key in dataset.list_runs(package=PACKAGE):
        replaces = bool(read_param(params, "overwrite", key))
        label = f"Run {key!r} exists: replace it"
        inputs.bool(
            run_param("overwrite", key), default=replaces, label=label, description="Its fields are deleted first"
        )
        if not replaces:
            return f"run {key!r} exists: tick to replace it, or choose another key"
        own = own_fields(dataset, key)
    elif key in dataset.list_runs():
        return f"{key!r} is the key of a run of another kind; choose another key"
    conflicts = conflicting_fields(dataset, key, presets, own, adaptive=adaptive)
    return f"field {conflicts[0]!r} exists already and belongs to no run; choose another key" if conflicts else None


def own_fields(dataset: Any, key: str) -> list[str]:
    """Returns the fields of a run's predictions; none if its record can't be read."""
    with suppress(LgcaError):
        return prediction_fields(dataset, key)
    return []
