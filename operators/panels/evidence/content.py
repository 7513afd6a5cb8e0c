"""What the evidence panel shows: the open sample, a run, and the run's evidence on the sample, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....lgca_plugin.errors import ConfigError, ImageError, LgcaError
from ....lgca_plugin.fiftyone_io.database import is_generated
from ....lgca_plugin.method.core.methods import explained_method, method_title
from ....lgca_plugin.method.explain.evidence import Evidence
from ....lgca_plugin.method.explain.film_strip import CHAINS, Strip, rivals, strip, strip_of_boxes
from ....lgca_plugin.method.number_text import capitalized
from ....lgca_plugin.run import Run
from ....lgca_plugin.runs.state import DONE
from ....lgca_plugin.workflows.evidence.film_strip import Pictures, pictures_of, strip_boxes
from ....lgca_plugin.workflows.evidence.sample_record import SampleRecord, cached_evidence, read_sample_record
from ...shared.grid.boxes import BoxContext
from ...shared.run_choice import looking_keys, pick_run, run_keys
from ..widgets import EmptyState
from .state import EvidenceState

MAX_CHAINS = 15
"""Maximum number of chains after "Show more": the App takes seconds to draw more."""

NO_REGIONS = "The methods of this run look at the whole image only, so there are no regions to show."


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """A run's evidence on a sample, the two rivals, the methods that look at regions, and the regions taken out."""

    evidence: Evidence
    names: tuple[str, str]
    methods: list[str]
    out: tuple[int, ...]


@dataclass(kw_only=True)
class Result:
    """What a run has found on a sample.

    Attributes:
        sample: the sample, with the labels of one method at least
        explanation: the evidence; None where embeddings are not stored
        strip: the chains of regions; None where there are none to show
        pictures: of the strip's regions; None where the file can't be read
    """

    run: Run
    sample: SampleRecord
    explanation: Explanation | None = None
    strip: Strip | None = None
    pictures: Pictures | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class EvidenceContent:
    """What the panel shows: a result, or why there is none.

    Attributes:
        keys: keys of the dataset's runs, the latest first
        run: the chosen run, if it can be read
        sample: the open sample, if there is one in the dataset
    """

    state: EvidenceState
    shown: Result | EmptyState
    keys: list[str] = field(default_factory=list)
    run: Run | None = None
    sample: SampleRecord | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def result(self) -> Result | None:
        """The result, if there is one."""
        return self.shown if isinstance(self.shown, Result) else None

    @property
    def explanation(self) -> Explanation | None:
        """The evidence, if there is any."""
        return self.result.explanation if self.result else None


NOT_LOOKED = EmptyState(
    "No picture was looked at",
    "The labels were judged by predictions that were there already. Find wrong labels with a model to see which parts "
    "of a picture decide.",
)


def read_content(ctx: Any, state: EvidenceState) -> EvidenceContent:
    """Reads the open sample and its evidence."""
    if ctx.dataset is None:
        return EvidenceContent(state=state, shown=EmptyState("No dataset is open", "Open a dataset, then a sample."))
    keys = looking_keys(ctx.dataset)
    if not keys and run_keys(ctx.dataset):
        return EvidenceContent(state=state, shown=NOT_LOOKED)
    gone = state.run is not None and state.run not in keys
    notes = [f"Run “{state.run}” is gone: it was deleted or renamed."] if gone else []
    run, problem = None, None
    try:
        run = pick_run(ctx.dataset, keys, state.run)
    except LgcaError as error:
        problem = f"{capitalized(error.app)}."
    if run is None:
        return EvidenceContent(state=state, shown=_no_run(problem), keys=keys, notes=notes)
    sample_id = source_id(ctx)
    if sample_id is None:
        empty = EmptyState("No sample is open", "Open a sample to see why it was classified as it was.")
        return EvidenceContent(state=state, shown=empty, keys=keys, run=run, notes=notes)
    try:
        sample = read_sample_record(run, sample_id)
    except ConfigError:
        empty = EmptyState("No such sample", "This sample is no longer in the dataset. Open another one.")
        return EvidenceContent(state=state, shown=empty, keys=keys, run=run, notes=notes)
    shown = _no_result(run, sample) or _read_result(run, sample, state)
    return EvidenceContent(state=state, shown=shown, keys=keys, run=run, sample=sample, notes=notes)


def source_id(ctx: Any) -> str | None:
    """Returns the id of the open sample; of an open patch, that of the sample it belongs to."""
    opened = ctx.current_sample
    if not opened:
        return None
    if isinstance(ctx, BoxContext):
        return str(opened)
    view = ctx.view
    if view is not None and is_generated(view):
        try:
            return str(view[opened].sample_id)
        except (KeyError, AttributeError):
            return str(opened)
    return str(opened)


def _no_run(problem: str | None) -> EmptyState:
    """Returns why there is no run to show: its record can't be read, or there is none."""
    if problem is not None:
        return EmptyState.classify("This run can't be read", f"{problem} Classify again under another key.")
    sentence = "Classify this dataset first. Then you see which parts of an image decided its labels, and which misled."
    return EmptyState.classify("No zero-shot run yet", sentence)


def _no_result(run: Run, sample: SampleRecord) -> EmptyState | None:
    """Returns why a run has no labels for a sample; None if it has."""
    if sample.media_type != "image":
        return EmptyState("Not an image", f"This sample is of type {sample.media_type}: only images can be classified.")
    if sample.error:
        title = "This image failed"
        why = f"It has no result in run “{run.key}”: {sample.error}. Repair the file, then classify"
    elif sample.predictions:
        return None
    elif run.results.get("status") != DONE:
        title = "Not classified yet"
        why = f"Run “{run.key}” is not finished and has not reached this image. Classify"
    else:
        title = "Not part of this run"
        why = f"Run “{run.key}” has no result for this image: it was added later, or left out. Classify"
    again = f"{why} again with the same key and settings: only the images without a result are classified."
    return EmptyState.classify(title, again)


def _read_result(run: Run, sample: SampleRecord, state: EvidenceState) -> Result:
    result = Result(run=run, sample=sample)
    if run.results.get("status") != DONE:
        result.notes.append(f"Run “{run.key}” is not finished: other images have no result yet.")
    try:
        evidence = cached_evidence(run, sample)
    except (LgcaError, AttributeError, KeyError, TypeError, ValueError):  # written by another release
        _add_boxes(result)
        return result
    result.notes += [f"No evidence on {method_title(name)}: {why}." for name, why in evidence.lacking.items()]
    methods = [name for name, weights in evidence.weights.items() if weights.any()]
    names = _names(evidence, state, sample.given)
    out = tuple(region for region in state.out if region < len(evidence.step))
    result.explanation = Explanation(evidence=evidence, names=names, methods=methods, out=out)
    if not methods:
        result.notes.append(NO_REGIONS)
        return result
    method = state.method if state.method in methods else evidence.deciding
    chains = MAX_CHAINS if state.more else CHAINS
    _add_strip(result, strip(evidence, method=method, a=names[0], b=names[1], chains=chains, out=out))
    return result


def _add_boxes(result: Result) -> None:
    """Adds the strip of the boxes that are stored on the sample, for a run without stored embeddings."""
    method = explained_method(result.run.config.methods)
    if method is None:
        result.notes.append(NO_REGIONS)
        return
    result.notes.append(
        "This run's crop embeddings are not stored on this machine, so only the boxes stored on the sample are shown, "
        "and none can be taken out. For the full evidence, classify again with “keep crops” and “start over” ticked."
    )
    sample = result.sample
    answer = sample.predictions.get(method.name)
    if answer is None or not sample.boxes:
        return
    others = [one.label for one in sample.predictions.values() if one.label != answer.label]
    names = (answer.label, others[0] if others else "the runner-up")
    _add_strip(result, strip_of_boxes(sample.boxes, method=method.name, names=names))


def _add_strip(result: Result, shown: Strip) -> None:
    """Adds a strip and its pictures, with a warning where they are missing or the file has changed."""
    result.strip = shown
    try:
        result.pictures = pictures_of(result.sample.filepath, strip_boxes(shown))
    except ImageError as error:
        result.notes.append(f"There are no pictures: {error}. The numbers are those of the run.")
        return
    encoded = result.explanation.evidence.content_hash if result.explanation else None
    if encoded is not None and encoded != result.pictures.content_hash:
        result.notes.append(
            "The file has changed since it was classified, so pictures and numbers do not belong together. Classify "
            "again with “start over”."
        )


def _names(evidence: Evidence, state: EvidenceState, given: str | None) -> tuple[str, str]:
    first = state.first if state.first in evidence.classes else None
    second = state.second if state.second in evidence.classes and state.second != first else None
    return rivals(evidence, a=first, b=second, given=given)
