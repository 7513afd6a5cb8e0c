"""What the store of embeddings says of a run's samples: misleading crops, stability, and how likely labels are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..config import RegionPlan
from ..method.findings import Finder
from ..method.label_errors import find_label_errors
from .classify import Progress
from .progress import Steps
from .region_pass import RegionPass
from .region_workers import look_at_all
from .rescore_plan import changed_texts
from .texts import StoredTexts
from .triage_scores import RunScores

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from numpy.typing import NDArray

    from ..method.label_errors import LabelErrors
    from ..method.scores import Method
    from ..model.encoder import Encoder
    from .store import Store
    from .store_rows import StoredRun
    from .triage_plan import TriageRequest
    from .triage_samples import TriageSamples


@dataclass(kw_only=True)
class Looked:
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
    def nothing(cls, n: int) -> Looked:
        """Makes the findings of n samples before anything is known."""
        nan, false = np.full((2, n), np.nan), np.zeros((3, n), dtype=bool)
        return cls(case_size=nan[0], stability=nan[1], with_vectors=false[0], with_regions=false[1], unedited=false[2])


def look(
    request: TriageRequest, samples: TriageSamples, store: Store, stored: StoredRun, *, encoder: Encoder | None = None
) -> Generator[Progress, None, Looked]:
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
    found = Looked.nothing(len(samples.ids))
    plan = RegionPlan.of(run.config.methods, run.config.regions)
    texts = StoredTexts(store, stored, run, encoder)
    vectors = changed_texts(run, run.config.classes, None).by_method(texts, run.config.methods)
    row_of = {id_: row for row, id_ in enumerate(samples.ids)}
    scores = RunScores(store, stored, plan, row_of, vectors, texts.logit_scale)
    kept = [method for method in run.config.methods if scores.is_kept(method)]
    _, crops, chains = request.compared
    finder = Finder(
        crops=crops,
        chains=chains,
        class_vectors=vectors,
        logit_scale=texts.logit_scale,
        n_crops=plan.n_crops,
        n_chains=plan.n_chains,
    )
    others = tuple(method for method in request.judging if not scores.is_kept(method))
    n = len(samples.ids)
    total = 2 * n  # the other half is writing
    yield Progress(0, total, "Looking for misleading crops")
    passing = look_at_all(
        store,
        stored,
        RegionPass(finder=finder, plan=plan, others=others),
        samples.ids,
        crops_label=samples.answers[crops.name],
        chains_label=samples.answers[chains.name],
    )
    with closing(passing):
        going = iter(steps := Steps(passing))
        next(going, None)  # where there are other processes, they have begun, and this one has time
        _match(found, samples, scores, kept)
        if not others:
            yield from _judge(found, request, samples, scores, done=0)
        for done in going:
            yield Progress(done, total, f"Regions of {done:,} of {n:,} images")
    seen = steps.result
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


def _match(found: Looked, samples: TriageSamples, scores: RunScores, methods: Sequence[Method]) -> None:
    """Finds which samples have their image vectors, and which labels are still those that these give."""
    found.with_vectors[:] = True
    found.unedited[:] = True
    for there, same in scores.matching(methods, samples.answers).values():
        found.with_vectors &= there
        found.unedited &= same


def _judge(
    found: Looked, request: TriageRequest, samples: TriageSamples, scores: RunScores, *, done: int
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
    request: TriageRequest, found: Looked, samples: TriageSamples, scores: RunScores
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
