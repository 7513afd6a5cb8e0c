"""A run's record on the dataset: what was asked, how far it got, what it took; listing, loading and deleting runs."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..config import RunConfig
from ..errors import ConfigError, RunNotFoundError
from .fields import error_field, forget_fields, method_field, run_fields
from .progress import drive
from .store import Store, store_exists
from .target import image_samples, root_dataset
from .tokens import forget_token, new_token, run_token

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import fiftyone as fo

    from ..method.scores import Method
    from ..model.encoder import Encoder
    from .classify import Progress

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

    @cached_property
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

    def rescore(
        self,
        classes: Sequence[str] | None = None,
        descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
        *,
        methods: Sequence[str | Method] | None = None,
        image_scale: float | None = None,
        text_scale: float | None = None,
        global_weight: float | None = None,
        step_weights: Sequence[float] | None = None,
        decisiveness: float | None = None,
        steps: int | None = None,
        run_key: str | None = None,
        overwrite: bool = False,
        logits: bool | None = None,
        shown_chains: int | None = None,
        encoder: Encoder | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Run:
        """Answers a new question about the same images, from the store of embeddings: no image is encoded.

        The result is what :func:`lgca_plugin.classify` would give with these settings. What is None stays as it is in
        the run. Predictions take seconds for a hundred thousand images, where only classes, descriptions, or the way
        descriptions are weighed change; boxes (``shown_chains``), decisive methods, and whatever changes the weights of
        regions go through the region embeddings, at milliseconds an image.

        Args:
            classes: the candidate classes; those that the run has keep their descriptions
            descriptions: class name to texts, or the path of a JSON file with such an object; other classes get the
                template ensemble, then
            methods: names or presets, of regions that the run has encoded
            image_scale: softmax scale of salience, as an exponent
            text_scale: softmax scale over descriptions, as an exponent
            global_weight: LGCA's lambda_g, the whole image's weight, of the methods with chains
            step_weights: LGCA's lambda_t, weight of each step, of the methods with chains
            decisiveness: of the decisive methods
            steps: LGCA's T, at most as many as were encoded
            run_key: key of a new run; None rescores this one in place
            overwrite: replace the run that exists under ``run_key``
            logits: write all class scores onto the labels
            shown_chains: how many chains of each image are written as boxes; 0 for none
            encoder: this run's encoder, if you have it loaded; it is needed for texts that are new, and loaded by name
                otherwise
            progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of
                :class:`lgca_plugin.Progress`

        Returns:
            the new run; where ``run_key`` is None, it has taken this one's place

        Raises:
            ConfigError: if a change is wrong or asks for regions that were not encoded, or the embeddings are no longer
                in the store; before anything is written
            ModelUnavailableError: if texts are new and the model can't be loaded; before anything is written
            StoreError: if the store can't be read
        """
        from .rescore import iter_rescore
        from .rescore_plan import Changes

        changes = Changes(
            classes=classes,
            descriptions=descriptions,
            methods=methods,
            image_scale=image_scale,
            text_scale=text_scale,
            global_weight=global_weight,
            step_weights=step_weights,
            decisiveness=decisiveness,
            steps=steps,
            logits=logits,
            shown_chains=shown_chains,
        )
        rescored = iter_rescore(self, changes, run_key=run_key, overwrite=overwrite, encoder=encoder)
        return drive(rescored, progress, unit="images")

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
