"""A run's record on the dataset: what was asked, how far it got, what it took; listing, loading and deleting runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..config import RunConfig
from ..errors import ConfigError, RunNotFoundError
from .fields import error_field, forget_fields, method_field, run_fields
from .store import Store, store_exists
from .target import image_samples, root_dataset
from .tokens import forget_token, new_token, run_token

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
        token: tells this run from others that have been, or will be, under its key
    """

    def __init__(self, dataset: fo.Dataset, key: str, config: RunConfig, results: dict[str, Any]) -> None:
        self.dataset = dataset
        self.key = key
        self.config = config
        self.results = results
        self.token = run_token(dataset, key) or new_token(dataset, key)

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
        failed = image_samples(self.dataset).exists(path)
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
            sum to it: the first two over all samples that the run has come to, in however many calls, the others of
            the last call (``pending`` is 0 once the status is ``"done"``); ``skipped_reasons``; over all calls
            ``images_encoded``, ``images_recalled`` (those whose embeddings were all in the store), ``encodes``,
            ``seconds``, and the ratios ``encodes_per_image`` (of those encoded), ``images_per_second`` and
            ``encodes_per_second``; ``planned_encodes_per_image``, the most there can be; ``engine``, the last call's
            :class:`~lgca_plugin.batches.EngineStats`; ``stored``, what the store holds of the last call: ``samples``,
            whether ``regions`` were to be kept, whether it is ``complete``; ``methods``, ``classes`` (how many),
            ``encoder``, ``device``, ``precision``, ``templates`` (classes that nobody described), ``warnings`` and
            ``version``
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
        """Deletes the run: its record, its fields and the embeddings that it alone holds, and nothing else."""
        delete_run(self.dataset, self.key)

    def is_current(self) -> bool:
        """Tells whether this is still the run under its key: not deleted, and not started again, by anybody."""
        return self.token == run_token(self.dataset, self.key)

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
    stored = dataset.init_run(
        package=PACKAGE, run=json.dumps(config.to_json()), fields=run_fields(run_key, config.methods)
    )
    dataset.register_run(run_key, stored)
    new_token(dataset, run_key)
    run = Run(dataset, run_key, config, results)
    run.save()
    return run


def delete_run(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes a run, of whatever release: its record, its fields and its stored embeddings, and nothing else.

    Embeddings that another run holds, too, stay.

    Raises:
        RunNotFoundError: if the dataset has no such run
        StoreError: if its embeddings can't be deleted; the rest of it is, then
    """
    token = forget_run(dataset, run_key)
    if token is not None and store_exists():
        with Store() as store:
            store.delete_run(token)


def forget_run(dataset: fo.Dataset, run_key: str) -> str | None:
    """Deletes a run's record and fields; its embeddings stay, under the token that is returned."""
    dataset = root_dataset(dataset)
    fields = stored_fields(dataset, run_key)
    made = _stored_results(dataset, run_key).get("made") or {}
    token = run_token(dataset, run_key)
    forget_token(dataset, run_key)  # first, so that a process that still writes to the run stops
    forget_fields(dataset, run_key, fields, made)
    dataset.delete_run(run_key)
    return token


def stored_fields(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Lists the fields that belong to a run, of whatever release.

    Raises:
        RunNotFoundError: if the dataset has no such run
    """
    dataset = root_dataset(dataset)
    runs = dataset.list_runs(package=PACKAGE)
    if run_key not in runs:
        known = f"its runs are {', '.join(runs)}" if runs else "it has none yet"
        raise RunNotFoundError(f"dataset {dataset.name!r} has no zero-shot run {run_key!r}; {known}")
    return list(dataset.get_run_info(run_key).config.fields)


def list_runs(dataset: fo.Dataset) -> list[str]:
    """Lists the keys of the zero-shot runs on a dataset, oldest first."""
    dataset = root_dataset(dataset)
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
    dataset = root_dataset(dataset)
    stored_fields(dataset, run_key)
    config = RunConfig.from_json(json.loads(dataset.get_run_info(run_key).config.run))
    return Run(dataset, run_key, config, _stored_results(dataset, run_key))


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


def _stored_results(dataset: fo.Dataset, run_key: str) -> dict[str, Any]:
    stored = dataset.load_run_results(run_key, cache=False)
    results: dict[str, Any] = json.loads(json.dumps(stored.serialize() if stored is not None else {}))
    results.pop("cls", None)
    return results
