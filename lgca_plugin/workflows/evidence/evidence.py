"""The evidence about a sample, computed from stored embeddings, without its image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...cache import ResultCache
from ...errors import ConfigError, LgcaError
from ...fiftyone_io.fields import error_field
from ...fiftyone_io.samples import ImageSamples
from ...method.core.boxes import relative_boxes
from ...method.core.frames import file_hash
from ...method.core.methods import explained_method, learned_method
from ...method.explain.evidence import Evidence
from ...method.explain.method_results import MethodResults
from ...prediction.predictor import run_scoring
from ...prediction.share_entry import stored_offsets
from ...runs.fused.opening import open_fused, own_encoder
from ...runs.replay import replay
from ...runs.stored_run import check_has_encoder, stored_run
from ...runs.stored_texts import StoredTexts, changed_texts
from ...store.store import Store
from .fused_image import FusedImage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...encoder.base import Encoder
    from ...engine.embeddings import EncodedImage
    from ...method.core.run_scoring import RunScoring
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun

SCORINGS: ResultCache[RunScoring] = ResultCache(4)
"""The class vectors of runs: 12 MB each for 1,000 classes of 512 dimensions."""


def evidence(run: RunRecord, sample_id: str, *, encoder: Encoder | Sequence[Encoder] | None = None) -> Evidence:
    """Returns the evidence of :meth:`lgca_plugin.Run.evidence`."""
    check_has_encoder(run)
    plan = run.config.region_plan
    with Store() as store:
        stored = stored_run(store, run)
        scoring = _run_scoring(store, stored, run, encoder)
        images = next((images for images, _ in replay(store, stored, [sample_id], plan)), [])
        if not images:
            raise ConfigError(_why_missing(run, sample_id))
        (image,) = images
        learned, lacking = _learned(store, run, image, encoder)
    if lacking:
        methods = {name: method for name, method in scoring.methods.items() if name not in lacking}
        scoring = replace(scoring, methods=methods)
    explained = explained_method([*scoring.methods.values()]) or learned_method(scoring.methods.values())
    counts = plan.at(image.level).crop_counts
    if counts != scoring.counts:
        scoring = replace(scoring, counts=counts)
    embeddings = image.embeddings
    return Evidence(
        sample_id=sample_id,
        run_key=run.key,
        boxes=relative_boxes(image.boxes, image.image_size_hw),
        explained=None if explained is None or explained.regions == "none" else explained.name,
        verdicts=MethodResults.of_all(scoring, embeddings, learned),
        content_hash=file_hash(image.content_hash),
        lacking=lacking,
    )


def _learned(
    store: Store, run: RunRecord, image: EncodedImage[str], encoder: Encoder | Sequence[Encoder] | None
) -> tuple[dict[str, FusedImage], dict[str, str]]:
    """Returns the image as a fused run's learned method sees it, or why it can't be seen, by the method's name."""
    method = learned_method(run.config.methods)
    if method is None:
        return {}, {}
    try:
        found = FusedImage.of(open_fused(store, run, encoder), image)
    except LgcaError as error:
        return {}, {method.name: error.app}
    if found is None:
        return {}, {method.name: "the embeddings of this image are not complete for all of the models"}
    return {method.name: found}, {}


def _run_scoring(
    store: Store, stored: StoredRun, run: RunRecord, encoder: Encoder | Sequence[Encoder] | None
) -> RunScoring:
    """Returns the run's class vectors and full budget, from memory where possible.

    The cache's key is the run's token and config, so that a panel which loads the run again for each sample finds them.
    """
    own = own_encoder(encoder, run.config)
    texts = StoredTexts(store, stored, run, own)  # checks the encoder, even where it is not needed

    def make() -> RunScoring:
        class_texts = changed_texts(run, run.config.classes, None)
        offsets = stored_offsets(run.results)
        return run_scoring(run.config.methods, class_texts, texts, run.config.region_plan, offsets)

    return SCORINGS.get((run.token, run.config), make)


def _why_missing(run: RunRecord, sample_id: str) -> str:
    """Returns why a sample has no evidence."""
    from bson import ObjectId

    known = isinstance(sample_id, str) and ObjectId.is_valid(sample_id)
    found = ImageSamples.whole(run.dataset).stored([sample_id], [error_field(run.key)]) if known else {}
    if sample_id not in found:
        return f"{sample_id!r} is no image sample of dataset {run.dataset.name!r}"
    (reason,) = found[sample_id]
    if reason is not None:
        return f"sample {sample_id!r} has no result in run {run.key!r}: {reason}"
    return (
        f"sample {sample_id!r} has no region embeddings of run {run.key!r} in the store; "
        "lgca.classify with the same settings and overwrite=True encodes it again"
    )
