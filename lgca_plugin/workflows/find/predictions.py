"""Finds wrong labels by predictions that are on the samples already: no model is loaded, and no image encoded."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import RunConfig, check_classes, check_run_key, voters_of
from ...errors import ConfigError, LgcaError
from ...fiftyone_io import fields as f
from ...fiftyone_io.app_layout import arrange_app
from ...fiftyone_io.database import reload_if_changed, sample_collection
from ...fiftyone_io.label_copy import wait_for_copy
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.outages import patient
from ...fiftyone_io.samples import ImageSamples
from ...progress import Progress
from ...runs.delete import delete_from_dataset
from ...runs.lease import Lease, steps_under
from ...runs.proposals import free_run_key, given_label_field, prediction_choices
from ...runs.record import check_current
from ...runs.registry import (
    decision_entries,
    existing_run,
    fields_of_other_runs,
    list_runs,
    load_run,
    register_run,
    update_record,
)
from ...runs.state import DONE
from ...version import __version__
from ..triage.plan import check_triage
from ..triage.triage import TRIAGE, iter_triage
from ..triage.vote_judges import nothing_new
from .labels import check_classes_fit, default_classes

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    import fiftyone as fo

    from ...runs.record import RunRecord
    from ..decisions.queue import Triage

DEFAULT_KEY = "voters"


@dataclass(frozen=True, kw_only=True)
class PredictionOptions:
    """The arguments of :func:`lgca_plugin.triage`, as the caller gave them."""

    dataset: Any
    ground_truth: str | None = None
    predictions: Sequence[str] | str | None = None
    classes: Sequence[str] | None = None
    run_key: str | None = None
    corrected_field: str | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionRequest:
    """A triage by predictions, checked as far as that needs no values of samples.

    Attributes:
        dataset: the dataset
        config: the config of its run
        run_key: key of the run
        previous: the run under the key, if there is one
        corrected_field: field for corrected labels; None takes the previous one, or the usual
    """

    dataset: fo.Dataset
    config: RunConfig
    run_key: str
    previous: RunRecord | None
    corrected_field: str | None

    @property
    def goes_on(self) -> bool:
        """Whether the previous run stays, with its settings."""
        return self.previous is not None and self.previous.config == self.config


def check_predictions(options: PredictionOptions) -> PredictionRequest:
    """Checks the arguments of :func:`lgca_plugin.triage`; raises ConfigError, which names the problem and a remedy."""
    import fiftyone as fo

    samples = ImageSamples.of(options.dataset)
    dataset = samples.dataset
    if not isinstance(options.dataset, fo.Dataset):
        raise ConfigError("predictions are compared over a whole dataset, and this is a view: name the dataset itself")
    reload_if_changed(dataset)
    field = options.ground_truth or given_label_field(dataset)
    samples.check_label_field(field)
    wait_for_copy(dataset, field)
    fields = _check_fields(samples, field, options.predictions)
    target = ImageSamples.whole(dataset)
    counts = target.label_counts(field)
    if not counts:
        raise ConfigError(f"no image has a label in {field!r}, so there is nothing to check")
    for path in fields:
        if not target.label_counts(path):
            raise ConfigError(f"no image has a prediction in {path!r}")
    own = None if options.classes is None else check_classes(options.classes)
    previous = _previous(dataset, field, fields, options.run_key)
    classes = own or default_classes(dataset, field, counts)
    check_classes_fit(field, counts, classes)
    config = RunConfig.of_voters(voters_of(fields, f.RESERVED_NAMES), classes, field)
    if previous is not None and own is None and set(previous.config.classes) == set(classes):
        config = RunConfig.of_voters(config.voters or (), previous.config.classes, field)
    if previous is None:
        key = _free_key(dataset, config, options.run_key)
    else:
        key = previous.key
        had = previous.config.methods
        taken = f.conflicting_fields(dataset, key, config.methods, previous.fields)
        if taken and had != config.methods:
            raise ConfigError(f"field {taken[0]!r} exists and was not made by run {key!r}: rename it first")
    return PredictionRequest(
        dataset=dataset, config=config, run_key=key, previous=previous, corrected_field=options.corrected_field
    )


def _check_fields(samples: ImageSamples, ground_truth: str, predictions: Sequence[str] | str | None) -> list[str]:
    """Returns the fields of predictions, each once."""
    choices = [name for name in prediction_choices(samples.dataset) if name != ground_truth]
    names = [predictions] if isinstance(predictions, str) else list(predictions or ())
    listed = ", ".join(choices) or "none"
    if not names:
        raise ConfigError(
            f"predictions is empty: name the fields whose predictions judge the labels; there are {listed}",
            app=f"choose the predictions that judge the labels; there are {listed}",
        )
    for name in names:
        if name == ground_truth:
            raise ConfigError(f"{name!r} holds the labels that are checked, and they can't judge themselves")
        if isinstance(name, str) and f.is_corrected_copy(samples.dataset, name):
            raise ConfigError(
                f"{name!r} holds labels that people have corrected, not predictions: choose another field"
            )
        if name not in choices:
            raise ConfigError(
                f"{name!r} is no field of predictions, with one class for each image (a Classification or a text); "
                f"there are {listed}"
            )
    return list(dict.fromkeys(names))


def _previous(dataset: fo.Dataset, ground_truth: str, fields: Sequence[str], run_key: str | None) -> RunRecord | None:
    """Returns the run under the key, or without one the latest of the same fields; None if there is none."""
    if run_key is not None:
        run = existing_run(dataset, check_run_key(run_key))
        if run is not None and run.config.voters is None:
            raise ConfigError(
                f"run {run_key!r} was made with a model, and this one would be of predictions that are there already: "
                "choose another run key"
            )
        return run
    for key in reversed(list_runs(dataset)):
        with suppress(LgcaError):  # of another release
            run = load_run(dataset, key)
            voters = [voter.field for voter in run.config.voters or ()]
            if run.config.ground_truth == ground_truth and set(voters) == set(fields):
                return run
    return None


def _free_key(dataset: fo.Dataset, config: RunConfig, run_key: str | None) -> str:
    key = free_run_key(dataset, config.methods, run_key or DEFAULT_KEY)
    if run_key is not None and key != run_key:
        raise ConfigError(
            f"the dataset has fields of its own whose names start with {run_key!r}; choose another run key"
        )
    return key


def iter_predictions(request: PredictionRequest) -> Generator[Progress, None, Triage]:
    """Does what :func:`lgca_plugin.triage` does, as a generator that yields progress and returns the triage."""
    with Lease.take(request.dataset, request.run_key, TRIAGE) as lease:
        return (yield from patient(steps_under(lease, _steps(request, lease))))


def _steps(request: PredictionRequest, lease: Lease) -> Generator[Progress, None, Triage]:
    yield Progress(0, 0, "Reading predictions and labels")
    if request.goes_on and request.previous is not None:
        run = request.previous
        check_current(run)
    else:
        _check_differ(request)
        run = _register(request)
    checked = check_triage(run, ground_truth=run.config.ground_truth, corrected_field=request.corrected_field)
    new = not run.results.get("triage")
    try:
        triage = yield from iter_triage(checked, lease=lease)
    except ConfigError:
        if new and not run.results.get("triage_fields"):  # nothing was written but the record
            delete_from_dataset(run.dataset, run.key)
        raise
    counts = triage.report["counts"]
    update_record(run, total=counts["total"], predicted=counts["triaged"], pending=0)
    triage.run.results = run.results
    return triage


def _check_differ(request: PredictionRequest) -> None:
    """Checks that a prediction differs from its label somewhere, before the run under the key is replaced.

    Raises:
        ConfigError: if none does
    """
    given = f"${label_path(request.dataset, str(request.config.ground_truth))}"
    fields = [voter.field for voter in request.config.voters or ()]
    answers = [f"${label_path(request.dataset, field)}" for field in fields]
    differ = [{"$and": [{"$gt": [answer, ""]}, {"$ne": [answer, given]}]} for answer in answers]
    query = {"$expr": {"$and": [{"$gt": [given, ""]}, {"$or": differ}]}}
    if sample_collection(request.dataset).find_one(query, ["_id"]) is None:
        raise ConfigError(nothing_new(fields, request.config.ground_truth))


def _register(request: PredictionRequest) -> RunRecord:
    """Registers the run, in place of the one with other predictions under its key; decisions stay."""
    dataset, key, config = request.dataset, request.run_key, request.config
    decisions = decision_entries(dataset, key)
    made_before = decisions.pop("made", {})
    if request.previous is not None:
        check_current(request.previous)
        delete_from_dataset(dataset, key, keep=decisions.get("triage_fields", ()), keep_record=True)
    own = {"status": DONE, "total": 0, "predicted": 0, "failed": 0, "skipped": 0, "pending": 0, "version": __version__}
    run = register_run(dataset, key, config, {**decisions, **own})
    f.declare_fields(dataset, key, config.methods)
    hidden = fields_of_other_runs(dataset, key)
    made = arrange_app(dataset, key, config.methods, ground_truth=config.ground_truth, hidden=hidden)
    update_record(run, made={name: done or bool(made_before.get(name)) for name, done in made.items()})
    return run
