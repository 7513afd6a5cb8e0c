"""Triages a run from its stored embeddings: reads, analyses and writes the samples, and records the report."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from ...errors import ConfigError
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ...fiftyone_io.outages import DATABASE_PATIENCE, patient
from ...fiftyone_io.samples import ids_where
from ...method.labels.left_out import left_out_warning
from ...method.labels.triage_cases import triage_cases
from ...method.labels.vote_cases import vote_cases
from ...method.number_text import samples_text
from ...progress import Progress
from ...runs.lease import Lease, held_lease, steps_under
from ...runs.record import check_current, written_under
from ...runs.registry import recording_end, update_record
from ...runs.state import begun
from ...runs.stored_run import find_stored_run
from ...store.store import Store, store_exists
from ..decisions.queue import Triage
from .analysis import TriageAnalysis, analyze
from .outside import outside_suggestions
from .report import triage_report
from .samples import TriageSamples, read_samples
from .scores import CACHE_BYTES
from .vote_judges import judge_votes
from .votes import Votes, read_votes
from .write import declare_triage, write_triage

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...encoder.base import Encoder
    from ...runs.state import RunState
    from .plan import TriageRequest

logger = logging.getLogger(__name__)

TRIAGE = "triage"

MOST_LOST = 0.1
"""Share of the labels judged before that a triage may leave without a judgement because their embeddings are gone."""


def iter_triage(
    request: TriageRequest,
    *,
    encoder: Encoder | Sequence[Encoder] | None = None,
    cache_bytes: int = CACHE_BYTES,
    lease: Lease | None = None,
    patience: float = DATABASE_PATIENCE,
) -> Generator[Progress, None, Triage]:
    """Does what :meth:`lgca_plugin.Run.triage` does, as a generator that yields progress and returns the triage.

    ``cache_bytes`` is the maximum size of the class scores in memory. ``lease`` is the caller's on the run's key. A
    database that is away is waited for, ``patience`` seconds at most.
    """
    run = request.run
    with held_lease(lease, run.dataset, run.key, TRIAGE) as held, written_under(held, run):
        steps = _triage(request, encoder, cache_bytes, held)
        return (yield from patient(steps_under(held, steps), patience))


def _triage(
    request: TriageRequest, encoder: Encoder | Sequence[Encoder] | None, cache_bytes: int, lease: Lease
) -> Generator[Progress, None, Triage]:
    run = request.run
    started = time.perf_counter()
    yield Progress(0, 0, "Reading predictions and labels")
    votes: Votes | None = None
    if run.config.voters is not None:
        samples, votes = read_votes(request)
        found = yield from judge_votes(request, samples, votes, cache_bytes=cache_bytes)
        cases = vote_cases([*votes.answers.values()], samples.truth, outside=samples.is_outside)
    else:
        samples = read_samples(request)
        found = yield from _analyze(request, samples, encoder, cache_bytes)
        _check_keeps_judgements(request, samples, found)
        answers = found.answers or samples.answers
        clip, wca, lgca = (answers[method.name] for method in request.compared)
        crop_case = ~np.isnan(found.case_size) & samples.unmoved(request.compared[1:])
        cases = triage_cases(clip, wca, lgca, samples.truth, crop_case=crop_case, outside=samples.is_outside)
    judging = [method.name for method in found.judging or request.judging]
    found.outside = outside_suggestions(samples, judging, run.config.classes)
    warning = left_out_warning(samples.left_out)
    found.warnings += [] if warning is None else [warning]
    check_current(run)
    lease.start()

    def record(state: RunState) -> None:
        update_record(run, triage_state=state.to_json())

    with recording_end(run, lease, TRIAGE, record):
        record(begun(lease, TRIAGE))
        declare_triage(request)
        yield from write_triage(request, samples, cases, found, votes)
        seconds = time.perf_counter() - started
        report = triage_report(request, samples, cases, found, seconds=seconds, votes=votes)
        update_record(run, triage=report)
        for warning in report["warnings"]:
            logger.warning(warning)
        triage = Triage.of(run)
        triage.save_views()
    return triage


def _check_keeps_judgements(
    request: TriageRequest, samples: TriageSamples, found: TriageAnalysis, *, most: float = MOST_LOST
) -> None:
    """Checks that a triage does not take away what an earlier one has found, for want of the embeddings.

    Raises:
        ConfigError: if more than the share ``most`` of the labels judged before can't be judged again
    """
    run, path = request.run, triage_field(request.run.key, LABEL_QUALITY)
    if found.with_vectors.all() or not run.dataset.has_field(path):
        return
    before = ids_where(run.dataset, samples.ids, {path: {"$gt": 0.0}})  # 0 is a label outside the classes, not judged
    lost = sum(id_ in before for id_, there in zip(samples.ids, found.with_vectors, strict=True) if not there)
    if lost > most * len(before):
        raise ConfigError(
            f"the embeddings of {samples_text(lost)} of run {run.key!r} are not stored on this machine, so their "
            "labels can't be judged again; what was found out about them before stays as it is. "
            "lgca.classify with the same settings and overwrite=True encodes the images again"
        )


def _analyze(
    request: TriageRequest, samples: TriageSamples, encoder: Encoder | Sequence[Encoder] | None, cache_bytes: int
) -> Generator[Progress, None, TriageAnalysis]:
    """Analyses the run's stored embeddings, if there are any, and warns of those that are missing."""
    run, total = request.run, len(samples.ids)
    found = TriageAnalysis.empty(total)
    if store_exists():
        with Store() as store:
            stored = find_stored_run(store, run)
            if stored is not None:
                store.mark_used(stored)
                found = yield from analyze(request, samples, store, stored, encoder=encoder, cache_bytes=cache_bytes)
    again = "lgca.classify with the same settings and overwrite=True encodes them again"
    missing, bare = total - int(found.with_vectors.sum()), int((found.with_vectors & ~found.with_regions).sum())
    edited = int((found.with_vectors & ~found.unedited).sum())
    if missing:
        found.warnings.append(
            f"{missing:,} of {total:,} samples have no embeddings in the store on this machine: their cases come from "
            f"the predictions alone, without misleading crops, stability and label quality; {again}"
        )
    if bare:
        found.warnings.append(
            f"{bare:,} of {total:,} samples have no region embeddings in the store: no misleading crops and no "
            f"stability for them; {again}"
        )
    if edited:
        found.warnings.append(
            f"{edited:,} of {total:,} samples have predictions that were edited since the run: their cases come from "
            "the labels as they are now, without misleading crops, stability and label quality"
        )
    return found
