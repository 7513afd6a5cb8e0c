"""A run's record on the dataset: what was asked, how far it got, what it took; listing, loading and deleting runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..config import RunConfig
from ..errors import ConfigError, RunNotFoundError
from .fields import error_field, forget_fields, method_field, run_fields

if TYPE_CHECKING:
    import fiftyone as fo

PACKAGE = "fiftyone-lgca"
RUNNING, INTERRUPTED, DONE = "running", "interrupted", "done"


class Run:
    """A zero-shot run on a dataset; made by :func:`lgca_plugin.classify` and :func:`load_run`.

    Attributes:
        dataset: the FiftyOne dataset
        key: the run key
        config: what the run was asked to do
        results: status, counts, timings and the class descriptions, as stored
    """

    def __init__(self, dataset: fo.Dataset, key: str, config: RunConfig, results: dict[str, Any]) -> None:
        self.dataset = dataset
        self.key = key
        self.config = config
        self.results = results

    @property
    def fields(self) -> list[str]:
        """The sample fields that belong to the run."""
        return run_fields(self.key, self.config.methods)

    @property
    def failures(self) -> dict[str, str]:
        """Sample id to the reason why the sample has no result."""
        path = error_field(self.key)
        if path not in self.dataset.get_field_schema():
            return {}
        failed = _all_slices(self.dataset).exists(path)
        ids, reasons = failed.values(["id", path])
        return dict(zip(ids, reasons, strict=True))

    @property
    def descriptions(self) -> dict[str, list[str]]:
        """The descriptions that each class was scored with."""
        return {name: list(texts) for name, texts in self.results.get("descriptions", {}).items()}

    def summary(self) -> dict[str, Any]:
        """Gives the run's outcome.

        Returns:
            a dict with ``status``; ``total`` and the counts ``predicted``, ``failed``, ``skipped`` and ``pending`` that
            sum to it (``pending`` is 0 once the status is ``"done"``); ``skipped_reasons``; ``encodes``,
            ``encodes_per_image`` and ``planned_encodes_per_image``; ``seconds``, ``images_per_second`` and
            ``encodes_per_second`` of the last call; ``batch_fill`` in [0, 1]; ``methods``, ``classes`` (how many),
            ``encoder``, ``device``, ``precision`` and ``templates`` (classes that nobody described)
        """
        summary = {name: value for name, value in self.results.items() if name != "descriptions"}
        return {
            **summary,
            "methods": [method.name for method in self.config.methods],
            "classes": len(self.config.classes),
            "encoder": self.config.encoder,
            "precision": self.config.precision,
        }

    def delete(self) -> None:
        """Deletes the run: its record and its fields, and nothing else."""
        forget_fields(self.dataset, self.key, self.fields)
        self.dataset.delete_run(self.key)

    def save(self) -> None:
        """Writes :attr:`results` to the run's record."""
        stored = self.dataset.init_run_results(self.key, **self.results)
        self.dataset.save_run_results(self.key, stored, overwrite=True, cache=False)

    def __repr__(self) -> str:
        results = self.results
        return (
            f"<Run {self.key!r} on {self.dataset.name!r}: {results.get('status')}, "
            f"{results.get('predicted', 0)} predicted, {results.get('failed', 0)} failed, "
            f"{results.get('skipped', 0)} skipped of {results.get('total', 0)}; "
            f"methods {', '.join(method_field(self.key, method.name) for method in self.config.methods)}>"
        )


def register_run(dataset: fo.Dataset, run_key: str, config: RunConfig, results: dict[str, Any]) -> Run:
    """Writes a new run's record, so that an interrupted run can be found and gone on with."""
    stored = dataset.init_run(package=PACKAGE, run=json.dumps(config.to_json()))
    dataset.register_run(run_key, stored)
    run = Run(dataset, run_key, config, results)
    run.save()
    return run


def list_runs(dataset: fo.Dataset) -> list[str]:
    """Lists the keys of the zero-shot runs on a dataset, oldest first."""
    keys = dataset.list_runs(package=PACKAGE)
    return sorted(keys, key=lambda key: dataset.get_run_info(key).timestamp)


def load_run(dataset: fo.Dataset, run_key: str) -> Run:
    """Loads a run of a dataset.

    Args:
        dataset: the FiftyOne dataset
        run_key: the run's key

    Returns:
        the run

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if another release wrote the run's record and this one can't read it
    """
    runs = dataset.list_runs(package=PACKAGE)
    if run_key not in runs:
        known = f"its runs are {', '.join(runs)}" if runs else "it has none yet"
        raise RunNotFoundError(f"dataset {dataset.name!r} has no zero-shot run {run_key!r}; {known}")
    config = RunConfig.from_json(json.loads(dataset.get_run_info(run_key).config.run))
    stored = dataset.load_run_results(run_key, cache=False)
    results = stored.serialize() if stored is not None else {}
    results = json.loads(json.dumps(results))
    results.pop("cls", None)
    return Run(dataset, run_key, config, results)


def existing_run(dataset: fo.Dataset, run_key: str) -> Run | None:
    """Loads the run under a key, or gives None where the key is free.

    Raises:
        ConfigError: if another package's run has the key
    """
    if run_key in dataset.list_runs(package=PACKAGE):
        return load_run(dataset, run_key)
    if run_key in dataset.list_runs():
        raise ConfigError(f"run_key {run_key!r} belongs to a run of another kind on this dataset; choose another key")
    return None


def _all_slices(dataset: fo.Dataset) -> Any:
    return dataset.select_group_slices(media_type="image") if dataset.media_type == "group" else dataset
