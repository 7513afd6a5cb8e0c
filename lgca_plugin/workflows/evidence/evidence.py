"""The evidence on a sample, from the store of embeddings: no image is read, and no model, once the texts are there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...cache import ResultCache
from ...errors import ConfigError
from ...fiftyone_io.fields import error_field
from ...fiftyone_io.samples import Target
from ...method.core.boxes import relative_boxes
from ...method.core.compared_methods import explained_method
from ...method.core.regions import RegionEmbeddings
from ...method.explain.evidence import Evidence
from ...method.explain.method_results import MethodResults
from ...prediction.scoring import run_scoring
from ...runs.replay import replay
from ...runs.stored_texts import StoredTexts, changed_texts, stored_run
from ...store.store import Store

if TYPE_CHECKING:
    from ...encoder.protocol import Encoder
    from ...method.core.run_scoring import RunScoring
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun

MOST_QUESTIONS = 4
"""How many runs' class vectors stay in memory, those asked for last: 12 MB each for 1,000 classes of 512 dimensions."""

QUESTIONS: ResultCache[RunScoring] = ResultCache(MOST_QUESTIONS)


def evidence(run: RunRecord, sample_id: str, *, encoder: Encoder | None = None) -> Evidence:
    """Gives what :meth:`lgca_plugin.Run.evidence` says."""
    plan = run.config.region_plan
    with Store() as store:
        stored = stored_run(store, run)
        scoring = _run_scoring(store, stored, run, encoder)
        images = next((images for images, _ in replay(store, stored, [sample_id], plan)), [])
    if not images:
        raise ConfigError(_why_missing(run, sample_id))
    (image,) = images
    explained = explained_method(run.config.methods)
    counts = plan.at(image.level).crop_counts
    if counts != scoring.counts:
        scoring = replace(scoring, counts=counts)
    embeddings = RegionEmbeddings(image.regions, image.whole, image.step, image.chain)
    return Evidence(
        sample_id=sample_id,
        run_key=run.key,
        boxes=relative_boxes(image.boxes, image.image_size_hw),
        explained=None if explained is None else explained.name,
        verdicts=MethodResults.of_all(scoring, embeddings),
        content_hash=image.content_hash,
    )


def forget_questions() -> None:
    """Empties the cache of class vectors."""
    QUESTIONS.clear()


def _run_scoring(store: Store, stored: StoredRun, run: RunRecord, encoder: Encoder | None) -> RunScoring:
    """Gives the run's class vectors, and what its full budget is, from memory where they were asked for before.

    They are kept by the run's token and its config, so that any copy of the run finds them and no other run does: a
    panel that loads the run again for each sample does not compute them again.
    """
    texts = StoredTexts(store, stored, run, encoder)  # checks the encoder, whether or not it is needed

    def make() -> RunScoring:
        class_texts = changed_texts(run, run.config.classes, None)
        return run_scoring(run.config.methods, class_texts, texts, run.config.region_plan)

    return QUESTIONS.get((run.token, run.config), make)


def _why_missing(run: RunRecord, sample_id: str) -> str:
    """Says why there is nothing to show: the first of a few reasons that holds."""
    from bson import ObjectId

    known = isinstance(sample_id, str) and ObjectId.is_valid(sample_id)
    found = Target.whole(run.dataset).stored([sample_id], [error_field(run.key)]) if known else {}
    if sample_id not in found:
        return f"{sample_id!r} is no image sample of dataset {run.dataset.name!r}"
    (reason,) = found[sample_id]
    if reason is not None:
        return f"sample {sample_id!r} has no result in run {run.key!r}: {reason}"
    return (
        f"sample {sample_id!r} has no region embeddings of run {run.key!r} in the store; "
        "lgca.classify with the same settings and overwrite=True encodes it again"
    )
