"""What a triage computes from the embeddings of a run: misleading crops, stability and suspected label errors."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError
from ...method.core.methods import learned_method, method_title
from ...method.explain.region_findings import RegionAnalysis
from ...method.labels.label_errors import find_label_errors
from ...method.labels.neighbours import contradicted_rows, find_neighbours, with_neighbours
from ...method.number_text import first_of, labels_text
from ...prediction.predictor import run_scoring
from ...prediction.share_entry import stored_offsets
from ...progress import Progress
from ...runs.fused.opening import REPORT, open_fused, own_encoder
from ...runs.stored_texts import StoredTexts, changed_texts
from .region_pass import RegionPass
from .scores import CACHE_BYTES, RunScores

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...method.labels.label_errors import LabelErrors
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from ...store.store import Store
    from .plan import TriageRequest
    from .samples import TriageSamples

EXCLUDED = 1e4
"""How much lower than all other logits those of a picture's other labels are set: a probability of 0, however hot."""

MAX_NAMED = 6
"""Maximum number of classes that a sentence names."""


@dataclass(kw_only=True)
class TriageAnalysis:
    """The findings of a triage about n samples.

    Attributes:
        case_size: ``[n]`` size of the misleading-crop case; nan where there is none
        answers: the answers apart from the other labels of the picture, by method; empty where no picture has several
        unproven: number of these sizes that are not proven to be the smallest
        stability: ``[n]`` of the label of the method with chains, in [0, 1]; nan where it is unknown
        with_vectors: ``[n]`` whether the image vectors are stored, as far as they can be
        with_regions: ``[n]`` whether the region embeddings, or findings from them, are stored
        unedited: ``[n]`` whether all predictions are those of the stored image vectors
        judging: the methods whose probabilities judge the labels: the learned one alone, if there is one that can
        calibrated: the methods whose probabilities are calibrated by the labels
        judged: ``[m]`` rows, ascending, of the judged labels
        errors: the label errors among those; None where no label is judged
        outside: row to class index of the class that is suggested for a label that is no class of the run
    """

    case_size: NDArray[np.float64]
    stability: NDArray[np.float64]
    with_vectors: NDArray[np.bool_]
    with_regions: NDArray[np.bool_]
    unedited: NDArray[np.bool_]
    judging: tuple[Method, ...] = ()
    calibrated: tuple[Method, ...] = ()
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    errors: LabelErrors | None = None
    outside: dict[int, int] = field(default_factory=dict)
    answers: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    unproven: int = 0
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def empty(cls, n: int) -> TriageAnalysis:
        """Returns the analysis of n samples without stored embeddings."""
        nan, false = np.full((2, n), np.nan), np.zeros((3, n), dtype=bool)
        return cls(case_size=nan[0], stability=nan[1], with_vectors=false[0], with_regions=false[1], unedited=false[2])


def analyze(
    request: TriageRequest,
    samples: TriageSamples,
    store: Store,
    stored: StoredRun,
    *,
    encoder: Encoder | Sequence[Encoder] | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Generator[Progress, None, TriageAnalysis]:
    """Analyses the stored embeddings of a run's samples; yields progress.

    Raises:
        ConfigError: if texts are not stored and ``encoder`` is another one
        ModelUnavailableError: if texts are not stored and the model can't be loaded
    """
    run, n = request.run, len(samples.ids)
    found = TriageAnalysis.empty(n)
    plan = run.config.region_plan
    texts = StoredTexts(store, stored, run, own_encoder(encoder, run.config))
    offsets = stored_offsets(run.results)
    scoring = run_scoring(run.config.methods, changed_texts(run, run.config.classes, None), texts, plan, offsets)
    row_of = {id_: row for row, id_ in enumerate(samples.ids)}
    digest = run.config.descriptions_hash
    scores = RunScores(store, stored, plan, digest, row_of, scoring, cache_bytes=cache_bytes)
    _, crops, chains = request.compared
    learned = learned_method(request.judging)
    computed = tuple(method for method in request.judging if not scores.is_stored(method) and method is not learned)
    parts = 1 if learned is None else 2
    regions = RegionPass(
        store, stored, RegionAnalysis(scoring=scoring, crops=crops, chains=chains), plan, computed, samples
    )
    with closing(scores):
        yield Progress(0, 2 * n, "Looking for misleading crops")  # the second half is writing
        found.with_vectors[:] = found.unedited[:] = True
        stored_methods = [method for method in run.config.methods if scores.is_stored(method)]
        for there, same in scores.matching(stored_methods, samples.answers).values():
            found.with_vectors &= there
            found.unedited &= same
        judges_first = not computed and learned is None
        if judges_first:
            yield from _judge(found, request, samples, scores, done=0)
        for done in regions.steps():
            yield Progress(done // parts, 2 * n, f"Regions of {done:,} of {n:,} images")
        of_regions = regions.findings
        found.with_regions = of_regions.there & found.with_vectors
        rows = np.flatnonzero(of_regions.there)
        for method in computed:
            scores.add_vectors(method, rows, of_regions.vectors[method.name][rows])
        if learned is not None:
            for done in _add_learned(found, learned, run, store, samples.ids, scores, encoder):
                yield Progress((n + done) // parts, 2 * n, f"{method_title(learned.name)} on {done:,} of {n:,} images")
        if not judges_first:
            yield from _judge(found, request, samples, scores, done=n)
    usable = found.with_regions & found.unedited
    found.case_size = np.where(usable, of_regions.case_size, np.nan)
    found.stability = np.where(usable, of_regions.stability, np.nan)
    found.unproven = int((~of_regions.proven & ~np.isnan(found.case_size)).sum())
    return found


def _add_learned(
    found: TriageAnalysis,
    method: Method,
    run: RunRecord,
    store: Store,
    ids: Sequence[str],
    scores: RunScores,
    encoder: Encoder | Sequence[Encoder] | None,
) -> Iterator[int]:
    """Adds the scores of a learned method on all samples that every encoder has seen; yields how many are done.

    Samples that it was trained on are answered by weights that have not seen them.
    """
    try:
        fused = open_fused(store, run, encoder)
    except ConfigError as error:  # the embeddings of another encoder are gone, or the weights
        found.warnings.append(f"{method.name} does not judge labels: {error}")
        return
    row_of = {id_: row for row, id_ in enumerate(ids)}
    with closing(fused.read(ids)) as batches:
        for batch_ids, nodes in batches:
            for at, answers in fused.answers(batch_ids, nodes):
                rows = np.array([row_of[batch_ids[place]] for place in at.tolist()])
                finite = np.isfinite(answers.logits).all(axis=1)
                scores.add_scores(method, rows[finite], answers.logits[finite] / fused.logit_scale)
            yield row_of[batch_ids[-1]] + 1


def _judge(
    found: TriageAnalysis, request: TriageRequest, samples: TriageSamples, scores: RunScores, *, done: int
) -> Iterator[Progress]:
    """Finds the label errors among the samples that all methods can judge; yields progress."""
    found.calibrated, usable = _able(request, found, samples, scores)
    learned = learned_method(found.calibrated)
    found.judging = found.calibrated if learned is None else (learned,)
    found.judged = np.flatnonzero(usable & (samples.truth >= 0))
    if len(found.judged):
        yield Progress(done, 2 * len(samples.ids), f"Judging {len(found.judged):,} labels")
        logits = {method.name: scores.logits(method, found.judged) for method in found.calibrated}
        if samples.others:
            logits = {name: without_others(compute, found.judged, samples.others) for name, compute in logits.items()}
            found.answers = _answers_without_others(samples, found.judged, logits)
        labels, judging = samples.truth[found.judged], [method.name for method in found.judging]
        found.errors = find_label_errors(logits, labels, classes=len(request.run.config.classes), judging=judging)
        found.warnings += found.errors.warnings
        if not samples.others:  # else two labels of the same picture may both be right
            yield Progress(done, 2 * len(samples.ids), f"Looking for near duplicates of {len(found.judged):,} images")
            neighbours = find_neighbours(
                partial(scores.whole_images, found.judged), len(labels), contradicted_rows(found.errors, labels)
            )
            found.errors = with_neighbours(found.errors, labels, neighbours, classes=len(request.run.config.classes))
        if learned is not None:
            found.warnings += _of_unseen_classes(request, learned, labels)


def without_others(
    compute: Callable[[], NDArray[np.float32]], judged: NDArray[np.int64], others: Mapping[int, Sequence[int]]
) -> Callable[[], NDArray[np.float32]]:
    """Returns a function that computes ``[m, C]`` logits in which no picture shows one of its other labels."""
    place = {row: at for at, row in enumerate(judged.tolist())}
    pairs = [(place[row], name) for row, names in others.items() if row in place for name in names]
    at, classes = np.array(pairs, dtype=np.int64).reshape(-1, 2).T

    def computed() -> NDArray[np.float32]:
        logits = compute()
        logits[at, classes] = np.nanmin(logits) - EXCLUDED
        return logits

    return computed


def _answers_without_others(
    samples: TriageSamples, judged: NDArray[np.int64], logits: Mapping[str, Callable[[], NDArray[np.float32]]]
) -> dict[str, NDArray[np.int64]]:
    """Returns the answers, where one is another label of the picture the likeliest class that is none."""
    answers = {name: column.copy() for name, column in samples.answers.items()}
    for name, compute in logits.items():
        rows = [at for at, row in enumerate(judged.tolist()) if answers[name][row] in samples.others.get(row, ())]
        if rows:
            answers[name][judged[rows]] = compute()[rows].argmax(axis=1)
    return answers


def _of_unseen_classes(request: TriageRequest, learned: Method, labels: NDArray[np.int64]) -> list[str]:
    """Returns a sentence on the judged ``[m]`` labels of classes that the judging method had no label of to learn from.

    What it has learnt of classes is not kept when a run is rescored with other ones.
    """
    run, fusion = request.run, request.run.config.fusion
    if fusion is None or not fusion.labels or set(fusion.classes) != set(run.config.classes):
        return []
    without = set((run.results.get(REPORT) or {}).get("unseen", ()))
    unseen = [name for at, name in enumerate(run.config.classes) if name in without and (labels == at).any()]
    if not unseen:
        return []
    count = int(np.isin(labels, [run.config.classes.index(name) for name in unseen]).sum())
    sentence = (
        f"{labels_text(count)} in {request.ground_truth!r} look wrong for being of classes of which {learned.name} had "
        f"no label to learn from ({first_of(unseen, MAX_NAMED)}): it hardly ever answers with these. A triage of a run "
        "of one model, or of one that was fused without labels, checks them"
    )
    return [sentence]


def _able(
    request: TriageRequest, found: TriageAnalysis, samples: TriageSamples, scores: RunScores
) -> tuple[tuple[Method, ...], NDArray[np.bool_]]:
    """Returns the methods that can be calibrated, and ``[n]`` whether all of them can judge a sample's label.

    Decisive and learned methods need the regions, so the others alone judge the labels of a run without regions.
    """
    able, usable = [], found.unedited.copy()
    for method in request.judging:
        if scores.is_stored(method):
            able.append(method)
            continue
        if method.weighting == "learned" and not scores.has_scores(method):
            continue
        there, same = scores.matching([method], samples.answers)[method.name]
        found.unedited &= same | ~there
        if there.any():
            able.append(method)
            usable &= there & same
            lacking = int((found.with_regions & ~there).sum()) if method.weighting == "learned" else 0
            if lacking:
                found.warnings.append(
                    f"{lacking:,} of {len(there):,} samples lack embeddings of another encoder, which {method.name} "
                    "needs to judge their labels"
                )
        else:
            found.warnings.append(f"{method.name} does not judge labels: that takes region embeddings, which are gone")
    return tuple(able), usable & found.unedited
