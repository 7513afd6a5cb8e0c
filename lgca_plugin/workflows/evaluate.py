"""Evaluates the methods of a run with FiftyOne, all on the same samples, and compares them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, LgcaError, shown
from ..fiftyone_io.app_layout import add_to_group
from ..fiftyone_io.boxes.refresh import refresh
from ..fiftyone_io.database import merge_schema
from ..fiftyone_io.fields import error_field, eval_key, evaluated_field, method_field
from ..fiftyone_io.label_copy import wait_for_copy
from ..fiftyone_io.label_fields import is_text, label_documents, label_path
from ..fiftyone_io.samples import ImageSamples
from ..method.comparison.evaluation import Evaluation, evaluation_of
from ..progress import Progress
from ..runs.delete import EVALUATED, delete_evaluations, is_own_evaluation
from ..runs.record import check_current, check_loaded
from ..runs.registry import reload_record, update_record

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from ..runs.record import RunRecord

RUNNING, DONE = "running", "done"


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """A checked evaluation; ``view`` is stored by FiftyOne with each evaluation, ``excluded`` holds reason to count."""

    run: RunRecord
    ground_truth: str
    methods: tuple[str, ...]
    confidence: float
    view: Any
    samples: int
    excluded: dict[str, int]


def check_evaluate(
    run: RunRecord, *, ground_truth: str | None, methods: Sequence[str] | None, confidence: float = 0.95
) -> EvaluateRequest:
    """Checks the arguments of :meth:`lgca_plugin.Run.evaluate` and finds the samples; writes nothing.

    Raises:
        ConfigError: if an argument is wrong, no sample can be used, or a key or field is not the run's own
        LgcaError: if the run has been deleted or replaced
    """
    check_loaded(run)
    reload_record(run)
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise ConfigError(f"confidence is a share between 0 and 1, such as 0.95; got {shown(confidence)}")
    refresh(run.dataset)
    target = ImageSamples.whole(run.dataset)
    field = _check_ground_truth(run, target, ground_truth)
    wait_for_copy(run.dataset, field)
    names = _check_methods(run, methods)
    _check_keys(run, names)
    view, samples, excluded = find_samples(run, field, names)
    request = EvaluateRequest(
        run=run,
        ground_truth=field,
        methods=names,
        confidence=confidence,
        view=view,
        samples=samples,
        excluded=excluded,
    )
    if not samples:
        reasons = "; ".join(f"{count:,} {why}" for why, count in excluded.items())
        raise ConfigError(
            f"there is nothing to evaluate run {run.key!r} on: of {sum(excluded.values()):,} images, {reasons}"
            if reasons
            else f"there is nothing to evaluate run {run.key!r} on: the dataset holds no images"
        )
    return request


def iter_evaluate(request: EvaluateRequest) -> Generator[Progress, None, Evaluation]:
    """Does what :meth:`lgca_plugin.Run.evaluate` does, as a generator that yields progress."""
    run, names = request.run, request.methods
    keys = {name: eval_key(run.key, name) for name in names}
    total = len(names) * request.samples
    yield Progress(0, total, f"{request.samples:,} samples with a label in {request.ground_truth}")
    check_current(run)
    delete_evaluations(run.dataset, run.results)
    entry: dict[str, Any] = {"status": RUNNING, "eval_keys": list(keys.values())}
    if is_text(run.dataset, request.ground_truth):
        entry[EVALUATED] = evaluated_field(run.key)
    # Recorded first, so that keys and field are the run's even if this is interrupted.
    update_record(run, evaluation=entry)
    given = _as_classifications(run, request.ground_truth) if EVALUATED in entry else request.ground_truth
    truth: NDArray[Any] | None = None
    correct: dict[str, NDArray[np.bool_]] = {}
    for done, (name, key) in enumerate(keys.items()):
        yield Progress(done * request.samples, total, f"Evaluating {name}")
        check_current(run)
        results = request.view.evaluate_classifications(
            method_field(run.key, name),
            gt_field=given,
            eval_key=key,
            classes=list(run.config.classes),
            method="simple",
            progress=False,
        )
        if len(results.ytrue) != request.samples or (truth is not None and not np.array_equal(truth, results.ytrue)):
            raise LgcaError(f"labels in {request.ground_truth!r} changed during the evaluation; evaluate again")
        truth = results.ytrue
        correct[name] = results.ytrue == results.ypred
    assert truth is not None  # noqa: S101 (there is a method at least)
    _tidy_sidebar(run, [*keys.values(), *([given] if EVALUATED in entry else [])])
    evaluation = evaluation_of(
        np.unique(truth, return_inverse=True)[1],
        correct,
        keys,
        run_key=run.key,
        ground_truth=request.ground_truth,
        excluded=request.excluded,
        confidence=request.confidence,
    )
    check_current(run)
    update_record(run, evaluation={**entry, "status": DONE, "summary": evaluation.to_json()})
    yield Progress(total, total, f"{request.samples:,} samples, {len(names)} methods")
    return evaluation


def _as_classifications(run: RunRecord, ground_truth: str) -> str:
    """Writes labels that are texts as Classifications, which is what FiftyOne evaluates; returns their field."""
    import fiftyone as fo

    name = evaluated_field(run.key)
    about = f"The labels of {ground_truth!r} as FiftyOne has evaluated run {run.key!r} by them"
    merge_schema(run.dataset, {name: fo.EmbeddedDocumentField(fo.Classification, description=about)})
    label_documents(run.dataset, ground_truth, name)
    return name


def last_evaluation(run: RunRecord) -> Evaluation | None:
    """Returns the run's recorded evaluation; None if there is none, or it was interrupted."""
    last = run.results.get("evaluation") or {}
    return Evaluation.from_json(last["summary"]) if last.get("status") == DONE else None


def find_samples(run: RunRecord, ground_truth: str, methods: Sequence[str]) -> tuple[Any, int, dict[str, int]]:
    """Returns the view of the samples that methods can be compared on, their number, and reason to count of the others.

    Every image of the dataset is used, or counted under the first reason that holds. The view is a condition on labels,
    because FiftyOne stores it with each evaluation, where a million ids would not fit.
    """
    images = ImageSamples.whole(run.dataset).writable
    classes = set(run.config.classes)
    paths = [f"{method_field(run.key, name)}.label" for name in methods]
    predicted: dict[str, Any] = {path: {"$ne": None} for path in paths}
    none: dict[str, Any] = dict.fromkeys(paths)
    has_error = run.dataset.has_field(error_field(run.key))

    total, complete = len(images), _count(images, predicted)
    bare = _count(images, none)
    failed = _count(images, {**none, error_field(run.key): {"$ne": None}}) if has_error else 0
    known: dict[str, Any] = {}
    for path in paths:  # edited labels are rare, so a list of them is the shorter one
        edited = set(filter(None, images.distinct(path))) - classes
        known[path] = {"$nin": [None, *(edited if run.config.voters is None else ())]}  # else what is no class is wrong
    label = label_path(run.dataset, ground_truth)
    own = sorted(classes & set(filter(None, images.distinct(label))))
    view = images.match({label: {"$in": own}, **known})
    valid, labelled = _count(images, known), _count(images, {**known, label: {"$nin": [None, ""]}})
    samples = len(view)
    excluded = {
        "that failed in the run": failed,
        "that the run has not classified": bare - failed,
        "without a prediction of every method": total - bare - complete,
        "with a prediction, edited since, that is no class of the run": complete - valid,
        "without a label": valid - labelled,
        "with a label that is no class of the run": labelled - samples,
    }
    return view, samples, {why: count for why, count in excluded.items() if count}


def _count(samples: Any, condition: dict[str, Any]) -> int:
    return len(samples.match(condition))


def _tidy_sidebar(run: RunRecord, keys: Sequence[str]) -> None:
    """Moves the evaluations' fields from the sidebar groups that FiftyOne has made to the run's group."""
    add_to_group(run.dataset, run.key, keys)
    config = run.dataset.app_config
    config.sidebar_groups = [group for group in config.sidebar_groups or [] if group.paths or group.name not in keys]
    run.dataset.save()


def _check_ground_truth(run: RunRecord, target: ImageSamples, ground_truth: str | None) -> str:
    field = run.config.ground_truth if ground_truth is None else ground_truth
    if field is None:
        raise ConfigError(
            f"run {run.key!r} was made without a label field, so name the one to compare with: ground_truth=..."
        )
    target.check_label_field(field)
    if field in run.fields:
        raise ConfigError(f"ground_truth {field!r} holds predictions of run {run.key!r}; name a field with labels")
    return field


def _check_methods(run: RunRecord, methods: Sequence[str] | None) -> tuple[str, ...]:
    own = [method.name for method in run.config.methods]
    names = own if methods is None else [methods] if isinstance(methods, str) else list(methods)
    if not names:
        raise ConfigError(f"methods is empty; leave it out for all of run {run.key!r}: {', '.join(own)}")
    for name in names:
        if name not in own:
            raise ConfigError(f"run {run.key!r} has no method {name!r}; its methods are {', '.join(own)}")
        if not run.dataset.has_field(method_field(run.key, name)):
            raise ConfigError(
                f"field {method_field(run.key, name)!r} is no longer on this dataset, so {name} can't be evaluated; "
                "leave it out of methods"
            )
    return tuple(name for name in own if name in names)


def _check_keys(run: RunRecord, methods: Sequence[str]) -> None:
    """Raises ConfigError if an evaluation or field that is not the run's own would be overwritten."""
    last = run.results.get("evaluation") or {}
    recorded, copy = set(last.get("eval_keys", ())), evaluated_field(run.key)
    if run.dataset.has_field(copy) and last.get(EVALUATED) != copy:
        raise ConfigError(f"field {copy!r} exists and was not made by an evaluation of this run; rename it")
    if not recorded <= set(run.dataset.list_evaluations()):
        run.dataset.reload()  # another process may have made them
    for key in (eval_key(run.key, name) for name in methods):
        if key in run.dataset.list_evaluations():
            if key not in recorded or not is_own_evaluation(run.dataset, key):
                raise ConfigError(
                    f"evaluation {key!r} exists and was not made by this run; rename it, or delete it with "
                    f"dataset.delete_evaluation({key!r})"
                )
        elif run.dataset.has_field(key):
            raise ConfigError(
                f"field {key!r} exists and belongs to no evaluation of this run; rename it, or delete it with "
                f"dataset.delete_sample_field({key!r})"
            )
