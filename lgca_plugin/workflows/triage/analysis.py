"""What the store of embeddings says of a run's samples: misleading crops, stability, and how likely labels are.

What the regions say was found, as a rule, when the run encoded them, and is read. Where it was not, or labels have
changed since, the regions are looked at now, and what they say is kept.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ...errors import StoreError
from ...method.explain.region_findings import RegionAnalysis, SampleFindings
from ...method.labels.label_errors import find_label_errors
from ...prediction.scoring import run_scoring
from ...progress import Progress, Steps
from ...runs.stored_texts import StoredTexts, changed_texts
from .region_pass import RegionFindings, RegionPass
from .region_workers import look_at_all
from .scores import RunScores

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...method.labels.label_errors import LabelErrors
    from ...store.rows import StoredRun
    from ...store.store import Store
    from .plan import TriageRequest
    from .samples import TriageSamples

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class TriageAnalysis:
    """What was found of n samples; nan or False where nothing was.

    Attributes:
        case_size: ``[n]`` size of the misleading-crop case; nan where there is none
        unproven: how many of these sizes are not proven to be the smallest
        stability: ``[n]`` of the label of the method with chains, in [0, 1]
        with_vectors: ``[n]`` whether the image vectors that can be kept are in the store
        with_regions: ``[n]`` whether the region embeddings are
        unedited: ``[n]`` whether all labels are those that the stored image vectors give
        judging: the methods that have judged labels
        judged: ``[m]`` rows, ascending, whose labels have been judged
        errors: what was found of those; None where there are none
        warnings: sentences for the user
    """

    case_size: NDArray[np.float64]
    stability: NDArray[np.float64]
    with_vectors: NDArray[np.bool_]
    with_regions: NDArray[np.bool_]
    unedited: NDArray[np.bool_]
    judging: tuple[Method, ...] = ()
    judged: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    errors: LabelErrors | None = None
    unproven: int = 0
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def nothing(cls, n: int) -> TriageAnalysis:
        """Makes the findings of n samples before anything is known."""
        nan, false = np.full((2, n), np.nan), np.zeros((3, n), dtype=bool)
        return cls(case_size=nan[0], stability=nan[1], with_vectors=false[0], with_regions=false[1], unedited=false[2])


def look(
    request: TriageRequest, samples: TriageSamples, store: Store, stored: StoredRun, *, encoder: Encoder | None = None
) -> Generator[Progress, None, TriageAnalysis]:
    """Goes through the embeddings of a run's samples; yields progress.

    Args:
        request: the triage
        samples: the samples
        store: the store
        stored: the run's entry in it
        encoder: the run's encoder, where the caller has it loaded

    Returns:
        the findings

    Raises:
        ConfigError: if texts are not stored and ``encoder`` is another one
        ModelUnavailableError: if texts are not stored and the model can't be loaded
    """
    run = request.run
    found = TriageAnalysis.nothing(len(samples.ids))
    plan = run.config.region_plan
    texts = StoredTexts(store, stored, run, encoder)
    scoring = run_scoring(run.config.methods, changed_texts(run, run.config.classes, None), texts, plan)
    row_of = {id_: row for row, id_ in enumerate(samples.ids)}
    scores = RunScores(store, stored, plan, row_of, scoring.class_vectors, scoring.logit_scale)
    kept = [method for method in run.config.methods if scores.is_kept(method)]
    _, crops, chains = request.compared
    finder = RegionAnalysis(scoring=scoring, crops=crops, chains=chains)
    others = tuple(method for method in request.judging if not scores.is_kept(method))
    n = len(samples.ids)
    total = 2 * n  # the other half is writing
    yield Progress(0, total, "Looking for misleading crops")
    asked = _Asked(store, stored, RegionPass(finder=finder, plan=plan, others=others), samples)
    with closing(asked.look()) as looking:
        next(looking, None)  # where there are other processes, they have begun, and this one has time
        _match(found, samples, scores, kept)
        if not others:
            yield from _judge(found, request, samples, scores, done=0)
        for done in looking:
            yield Progress(done, total, f"Regions of {done:,} of {n:,} images")
    seen = asked.seen
    found.with_regions = seen.there & found.with_vectors
    for method in others:
        scores.add(method, [samples.ids[i] for i in np.flatnonzero(seen.there)], seen.vectors[method.name][seen.there])
    if others:
        yield from _judge(found, request, samples, scores, done=n)
    sound = found.with_regions & found.unedited
    found.case_size = np.where(sound, seen.case_size, np.nan)
    found.stability = np.where(sound, seen.stability, np.nan)
    found.unproven = int((~seen.proven & ~np.isnan(found.case_size)).sum())
    return found


class _Asked:
    """What is asked of the regions of all samples: answered by what is kept, and else by looking.

    Args:
        store: the store
        stored: the run's entry in it
        what: what is looked for
        samples: the samples
    """

    def __init__(self, store: Store, stored: StoredRun, what: RegionPass, samples: TriageSamples) -> None:
        self._store = store
        self._stored = stored
        self._what = what
        self._ids = samples.ids
        self._labels = [samples.answers[method.name] for method in (what.finder.crops, what.finder.chains)]
        self._question = what.finder.key
        self.seen = RegionFindings.nothing(len(samples.ids), what)

    def look(self) -> Generator[int, None, None]:
        """Fills :attr:`seen`; yields how many samples are done."""
        if not self._what.others:  # image vectors that are not kept take the regions in any case
            self._recall()
        left = np.flatnonzero(~self.seen.there)
        ids = [self._ids[row] for row in left.tolist()]
        crops_label, chains_label = (labels[left] for labels in self._labels)
        passing = look_at_all(
            self._store, self._stored, self._what, ids, crops_label=crops_label, chains_label=chains_label
        )
        with closing(passing):
            for done in (steps := Steps(passing)):
                yield len(self._ids) - len(ids) + done
        self.seen.put(left, steps.result)
        self._keep(left[steps.result.there])

    def _recall(self) -> None:
        """Takes over what was found for the very labels that the samples have."""
        kept = self._store.findings(self._stored, self._question)
        seen, labels = self.seen, zip(*(column.tolist() for column in self._labels), strict=True)
        for row, (id_, own) in enumerate(zip(self._ids, labels, strict=True)):
            finding = kept.get(id_)
            if finding is not None and (finding.crops_label, finding.chains_label) == own:
                seen.there[row], seen.case_size[row] = True, finding.case_size
                seen.proven[row], seen.stability[row] = finding.proven, finding.stability

    def _keep(self, rows: NDArray[np.int64]) -> None:
        """Keeps what was found now, so that the next triage reads it."""
        if not len(rows):
            return
        seen = self.seen
        columns = (*self._labels, seen.case_size, seen.proven, seen.stability)
        values = zip(*(column[rows].tolist() for column in columns), strict=True)
        findings = {self._ids[row]: SampleFindings(*of_row) for row, of_row in zip(rows.tolist(), values, strict=True)}
        try:
            self._store.write_findings(self._stored, self._question, findings)
        except StoreError as error:
            logger.warning("%s; what this triage has found in the regions is not kept for the next one", error)


def _match(found: TriageAnalysis, samples: TriageSamples, scores: RunScores, methods: Sequence[Method]) -> None:
    """Finds which samples have their image vectors, and which labels are still those that these give."""
    found.with_vectors[:] = True
    found.unedited[:] = True
    for there, same in scores.matching(methods, samples.answers).values():
        found.with_vectors &= there
        found.unedited &= same


def _judge(
    found: TriageAnalysis, request: TriageRequest, samples: TriageSamples, scores: RunScores, *, done: int
) -> Iterator[Progress]:
    """Judges the labels of the samples that all methods can judge; yields progress, of which nothing is new."""
    found.judging, usable = _judging(request, found, samples, scores)
    found.judged = np.flatnonzero(usable & (samples.truth >= 0))
    if len(found.judged):
        yield Progress(done, 2 * len(samples.ids), f"Judging {len(found.judged):,} labels")
        logits = {method.name: scores.logits(method, found.judged) for method in found.judging}
        labels = samples.truth[found.judged]
        found.errors = find_label_errors(logits, labels, classes=len(request.run.config.classes))
        found.warnings += found.errors.warnings


def _judging(
    request: TriageRequest, found: TriageAnalysis, samples: TriageSamples, scores: RunScores
) -> tuple[tuple[Method, ...], NDArray[np.bool_]]:
    """Finds the methods that can judge labels, and ``[n]`` the samples whose labels all of them can judge.

    The image vectors of decisive methods come from the regions, so a run without these is judged by the others.
    """
    able, usable = [], found.unedited.copy()
    for method in request.judging:
        if scores.is_kept(method):
            able.append(method)
            continue
        there, same = scores.matching([method], samples.answers)[method.name]
        found.unedited &= same | ~there
        if there.any():
            able.append(method)
            usable &= there & same
        else:
            found.warnings.append(f"{method.name} does not judge labels: that takes region embeddings, which are gone")
    return tuple(able), usable & found.unedited
