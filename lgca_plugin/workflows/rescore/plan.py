"""Finds the texts and embeddings of a rescoring; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...config import method_warnings
from ...errors import ConfigError
from ...fiftyone_io.fields import error_field
from ...fiftyone_io.samples import ImageSamples
from ...method.core.methods import explained_method, learned_method
from ...prediction.predictor import Predictor
from ...prediction.vector_keys import vector_key
from ...runs.fused.fused_run import FusedSource
from ...runs.fused.opening import assigned_encoders, encoder_classes
from ...runs.stored_run import stored_run
from ...runs.stored_texts import TOKENIZER, StoredTexts, changed_texts
from ...store.limits import GIGABYTE, LIMIT_VARIABLE
from ..classify.class_counts import ClassCounts, class_counts
from ..classify.plan import PreparedRun, class_warnings
from ..classify.sample_ids import SampleIds
from ..classify.text_checks import equal_classes, text_warnings
from .fusion import FusedPart, fused_part
from .request import Changes, RescoreRequest, method_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ...descriptions.class_texts import ClassTexts
    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...prediction.share_entry import ShareEntry
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from ...store.store import Store

ADAPTED = (
    "the budget is {}: each image keeps the crops that its labels took before the change, which may be too few now; "
    "lgca.classify asks anew, and encodes only what is missing"
)


@dataclass(frozen=True)
class RescorePlan:
    """A rescoring with its texts embedded, ready to run.

    Attributes:
        stored: the source's entry in the store
        ids: the samples that the source has predicted and that still exist, in the order in which they were stored
        failures: sample id to reason, for those that failed in the source
        from_vectors: the methods whose image vectors are in the store, each with its row among them
        from_regions: the methods whose image vectors are computed from region embeddings
        boxes: whether boxes are written, which takes region embeddings, too
        fused: what answers for the learned method; None without one
        counted: how often each class occurs, where labels are to follow that; None elsewhere
        shares: what is stored of it, once it has been found; None before
    """

    source: RunRecord
    stored: StoredRun
    prepared: PreparedRun
    ids: list[str]
    failures: dict[str, str]
    from_vectors: tuple[tuple[Method, int], ...]
    from_regions: tuple[Method, ...]
    boxes: bool
    fused: FusedPart | None = None
    counted: ClassCounts | None = None
    shares: ShareEntry | None = None


def prepare_rescore(
    store: Store, request: RescoreRequest, *, encoder: Encoder | Sequence[Encoder] | None = None
) -> RescorePlan:
    """Finds the stored embeddings, and embeds the texts.

    Raises:
        ConfigError: if descriptions can't be used, embeddings are no longer stored, or ``encoder`` is another one
        ModelUnavailableError: if texts are new and the model can't be loaded
    """
    run, changes = request.source, request.changes
    stored = stored_run(store, run)
    config = run.config
    texts = changed_texts(
        run,
        request.resolved_classes(),
        changes.descriptions,
        changes.description_style,
        display_names=changes.display_names,
        prompt=changes.prompt,
    )
    new = replace(
        config,
        classes=texts.classes,
        descriptions_hash=texts.digest,
        methods=request.methods,
        regions=request.regions,
        logits=config.logits if changes.logits is None else changes.logits,
        shown_chains=config.shown_chains if changes.shown_chains is None else changes.shown_chains,
        ground_truth=request.ground_truth,
        fusion=None,  # its part is added when it is stored
        shares=request.shares,
    )
    learned = learned_method(request.methods)
    others = [] if learned is None else request.others(store)
    encoders = assigned_encoders(encoder, [config, *(record.config for _, record in others)])
    encoded = StoredTexts(store, stored, run, encoders[0])
    plan = request.region_plan
    predictor = Predictor(request.methods, texts, encoded, plan, shown_chains=new.shown_chains)
    equal = equal_classes(texts, predictor.class_vectors, encoded, model=encoded.loaded, name=config.encoder)
    if equal is not None and new.descriptions_hash != config.descriptions_hash:
        raise equal

    if request.run_key != run.key and not store.has_space_for_copy(stored):
        raise ConfigError(
            "the store of embeddings has no room for another run: delete a run, rescore this one in place, or raise "
            f"the limit of {store.limit_bytes / GIGABYTE:g} GB ({LIMIT_VARIABLE})"
        )
    names = [vector_key(method, plan, texts.digest) for method in request.methods]
    rows = [None] * len(names) if store.lacks_vectors(stored) else _stored_rows(stored, names)
    from_vectors = tuple((method, row) for method, row in zip(request.methods, rows, strict=True) if row is not None)
    from_regions = tuple(method for method, row in zip(request.methods, rows, strict=True) if row is None)
    boxes = new.shown_chains > 0 and explained_method(request.methods) is not None
    ids, failures = _samples(store, run, stored)
    fused, left_out = None, list[str]()
    if learned is not None:
        ids, left_out = request.usable(store, [stored, *(entry for entry, _ in others)], ids)
        first = FusedSource(stored, plan, encoder_classes(texts, encoded, learned))
        fused = fused_part(store, request, first, texts.classes, learned, others, encoders[1:])
    entries = _text_entries(run, texts, encoded.loaded, changes)
    warnings = [*left_out, *method_warnings(new.methods, new.regions), *entries.get("text_warnings", ())]
    warnings += [] if equal is None else [str(equal)]  # of a run that an earlier release has made
    if changes.classes is not None:
        warnings += class_warnings(new.classes, request.label_counts())
    own = tuple(method for method in new.methods if method not in (learned, learned_method(config.methods)))
    before = tuple(method for method in config.methods if method is not learned_method(config.methods))
    if config.region_plan.adaptive and (new.classes, new.descriptions_hash, own) != (
        config.classes,
        config.descriptions_hash,
        before,
    ):
        warnings.append(ADAPTED.format(config.budget))
    if from_regions or boxes:
        bare = len(set(ids) - store.samples_with_regions(stored)) if plan.counts else 0
        if bare and from_regions:
            pairs = zip(request.methods, names, strict=True)
            needing = [method for method, name in pairs if name not in stored.vector_keys]
            lack = (
                f"{method_names(needing or from_regions)} needs region embeddings, which {bare} of {len(ids)} samples "
                f"of run {run.key!r} do not have in the store"
            )
            raise ConfigError(
                f"{lack}; rescore with methods that need none, or lgca.classify with overwrite=True and "
                "store_regions=True encodes them again",
                app=f"{lack}; choose methods that need none, or classify again, starting over, with all embeddings",
            )
        if bare:
            boxes = False
            warnings.append(f"no boxes: {bare} of {len(ids)} samples have no region embeddings in the store")
    counted = None if request.shares is None else class_counts(request.shares, run.dataset, ids, new.classes)
    warnings += [] if counted is None else counted.warnings
    prepared = PreparedRun(
        request=request,
        config=new,
        texts=texts,
        tokenizer=run.results.get(TOKENIZER) or "",
        encoder_source=run.results.get("encoder_source"),
        predictor=predictor,
        sample_ids=SampleIds([*ids, *failures]),
        warnings=warnings,
        text_entries=entries,
    )
    return RescorePlan(run, stored, prepared, ids, failures, from_vectors, from_regions, boxes, fused, counted)


def _text_entries(run: RunRecord, texts: ClassTexts, model: Encoder | None, changes: Changes) -> dict[str, Any]:
    """Returns what the new run's record holds of its texts: what the source's does, as far as they are the same."""
    before: dict[str, Any] = {name: run.results[name] for name in ("texts", "text_warnings") if name in run.results}
    if texts.digest == run.config.descriptions_hash and "text_warnings" in before:
        return before
    warnings = text_warnings(model, texts, described=bool(changes.descriptions))
    if changes.descriptions is None:
        use = texts.use_of_kept(run.results.get("texts") or {})
        return {**({"texts": use} if "texts" in before else {}), "text_warnings": warnings}
    return {"texts": texts.use(), "text_warnings": warnings}


def _stored_rows(stored: StoredRun, names: Sequence[str | None]) -> list[int | None]:
    """Returns the row of the image vector of each vector key; None for all, unless all that can be stored are."""
    if any(name is not None and name not in stored.vector_keys for name in names):
        return [None] * len(names)
    return [None if name is None else stored.vector_keys.index(name) for name in names]


def _samples(store: Store, run: RunRecord, stored: StoredRun) -> tuple[list[str], dict[str, str]]:
    """Returns the predicted samples that still exist, in the order in which they were stored, and the failures."""
    held = store.sample_ids(stored)
    failures = run.failures
    target = ImageSamples.whole(run.dataset)
    predictions = [field for field in run.fields if field != error_field(run.key)]
    predicted = target.filled(target.samples.values("id"), predictions[:1])
    lacking = len(predicted.difference(held))
    if lacking:
        raise ConfigError(
            f"{lacking:,} of {len(predicted):,} predicted samples of run {run.key!r} are not in the store of "
            "embeddings; to encode them again, call lgca.classify with the same settings and overwrite=True"
        )
    present = set(target.stored(held, []))
    ids = [id_ for id_ in held if id_ in present]
    return ids, {id_: reason for id_, reason in failures.items() if id_ not in present}
