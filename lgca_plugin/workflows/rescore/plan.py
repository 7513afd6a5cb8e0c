"""Checks a rescoring against what was encoded, and finds its texts and embeddings; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ...config import RegionPlan, check_classes, check_methods, check_run_key
from ...descriptions.style import AUTO
from ...errors import ConfigError, shown
from ...fiftyone_io.fields import error_field
from ...fiftyone_io.samples import ImageSamples
from ...method.core.methods import explained_method
from ...prediction.predictor import Predictor, vector_key
from ...runs.found import SearchEntry
from ...runs.record import check_loaded
from ...runs.registry import existing_run, is_stored
from ...runs.stored_run import stored_run
from ...runs.stored_texts import StoredTexts, changed_texts
from ...store.limits import GIGABYTE, LIMIT_VARIABLE
from ..classify.plan import PreparedRun, class_warnings
from ..classify.request import RunRequest, check_fields_are_free, check_shown_chains, check_step_weights
from ..classify.text_checks import equal_classes, text_warnings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from ...config import RegionConfig, RunConfig
    from ...descriptions.class_texts import ClassTexts
    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from ...store.store import Store


ADAPTED = (
    "the budget is adaptive: each image keeps the crops that its labels took before the change, which may be too few "
    "now; lgca.classify asks anew, and encodes only what is missing"
)


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The settings that a rescoring changes, as :meth:`lgca_plugin.Run.rescore` takes them; None keeps the run's."""

    classes: Sequence[str] | None = None
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
    description_style: str = AUTO
    methods: Sequence[str | Method] | None = None
    image_scale: float | None = None
    text_scale: float | None = None
    global_weight: float | None = None
    step_weights: Sequence[float] | None = None
    decisiveness: float | None = None
    steps: int | None = None
    logits: bool | None = None
    shown_chains: int | None = None


@dataclass(frozen=True, kw_only=True)
class RescoreRequest(RunRequest):
    """A rescoring of ``source``, checked as far as that needs neither the store nor a model."""

    source: RunRecord
    changes: Changes


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
    """

    source: RunRecord
    stored: StoredRun
    prepared: PreparedRun
    ids: list[str]
    failures: dict[str, str]
    from_vectors: tuple[tuple[Method, int], ...]
    from_regions: tuple[Method, ...]
    boxes: bool


def check_rescore(
    run: RunRecord, changes: Changes, *, run_key: str | None = None, overwrite: bool = False
) -> RescoreRequest:
    """Checks changes of a run. ``run_key`` None, or the run's own, rescores it in place.

    Raises:
        ConfigError: if a change is wrong, or needs regions that were not encoded
        LgcaError: if the run was deleted, rescored or started again since it was loaded
    """
    check_loaded(run)
    key = run.key if run_key is None else check_run_key(run_key)
    regions = changed_regions(run.config, changes.steps)
    methods = changed_methods(run.config.methods, changes)
    check_was_encoded(run, methods, regions)
    classes = run.config.classes if changes.classes is None else check_classes(changes.classes)
    if changes.shown_chains is not None:
        check_shown_chains(changes.shown_chains)
    target = ImageSamples.whole(run.dataset)
    replaces = key == run.key or (overwrite and is_stored(run.dataset, key))
    if not replaces and existing_run(run.dataset, key) is not None:
        raise ConfigError(f"run {key!r} exists: pass overwrite=True to replace it, or another run_key to keep both")
    request = RescoreRequest(
        target=target,
        run_key=key,
        classes=classes,
        methods=methods,
        regions=regions,
        ground_truth=run.config.ground_truth,
        existing=None,
        replaces=replaces,
        budget=run.config.budget,
        entries=_search_entry(run, changes) if key == run.key else {},
        source=run,
        changes=changes,
    )
    check_fields_are_free(request)
    check_step_weights(request)
    return request


def _search_entry(run: RunRecord, changes: Changes) -> dict[str, Any]:
    """Returns what the record keeps of a search for wrong labels that has made the run."""
    entry = SearchEntry.of(run.results)
    if entry is None:
        return {}
    given = {"classes": changes.classes is not None, "descriptions": changes.descriptions is not None}
    return entry.changed(**given).to_results()


def changed_regions(config: RunConfig, steps: int | None) -> RegionConfig:
    """Returns a run's regions with another number of steps, at most as many as were encoded; the chains stay."""
    if steps is None or steps == config.regions.steps:
        return config.regions
    if isinstance(steps, bool) or not isinstance(steps, int) or not 0 <= steps <= config.regions.steps:
        raise ConfigError(
            f"steps must be a whole number from 0 to {config.regions.steps}, which were encoded; got {shown(steps)}"
        )
    return replace(config.regions, steps=steps, lgca_crops=config.regions.n_chains)


def changed_methods(methods: Sequence[Method], changes: Changes) -> tuple[Method, ...]:
    """Returns the presets with the changes; each applies to the methods that have the setting, at least one of them.

    ``image_scale`` applies to methods that weigh regions by salience, ``text_scale`` to those that weigh descriptions,
    ``global_weight`` (LGCA's lambda_g) and ``step_weights`` to those with chains, ``decisiveness`` to decisive ones.
    """
    presets = check_methods(methods if changes.methods is None else changes.methods, own=methods)
    step_weights = None if changes.step_weights is None else tuple(changes.step_weights)
    by_salience = {method.name for method in presets if method.regions != "none" and method.weighting == "salience"}
    with_chains = {method.name for method in presets if method.regions == "chains" and method.weighting != "learned"}
    decisive = {method.name for method in presets if method.weighting == "decisive"}
    changed: dict[str, tuple[Any, set[str]]] = {
        "image_scale": (changes.image_scale, by_salience),
        "text_scale": (changes.text_scale, {method.name for method in presets if method.class_vectors == "weighted"}),
        "global_weight": (changes.global_weight, with_chains),
        "step_weights": (step_weights, with_chains - decisive),
        "decisiveness": (changes.decisiveness, decisive),
    }
    for name, (value, having) in changed.items():
        if value is not None and not having:
            raise ConfigError(f"{name} is a setting of none of these methods: {_names(presets)}")
    made = []
    for method in presets:
        own = {name: value for name, (value, having) in changed.items() if value is not None and method.name in having}
        try:
            made.append(replace(method, **own))
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error
    return tuple(made)


def check_was_encoded(run: RunRecord, methods: Sequence[Method], regions: RegionConfig) -> None:
    """Raises ConfigError if methods need regions that a run has not encoded."""
    had = run.config.region_plan
    needed = RegionPlan.of(tuple(methods), regions)
    sampled = max(had.n_crops, had.n_chains)
    if needed.n_crops > sampled or needed.n_chains > had.n_chains:
        lacking = "chains" if needed.n_chains > had.n_chains else "crops"
        raise ConfigError(
            f"run {run.key!r} has encoded too few {lacking} for {_names(methods)}; "
            "lgca.classify with these methods under another run_key encodes only what is missing"
        )


def prepare_rescore(store: Store, request: RescoreRequest, *, encoder: Encoder | None = None) -> RescorePlan:
    """Finds the stored embeddings, and embeds the texts.

    Raises:
        ConfigError: if descriptions can't be used, embeddings are no longer stored, or ``encoder`` is another one
        ModelUnavailableError: if texts are new and the model can't be loaded
    """
    run, changes = request.source, request.changes
    stored = stored_run(store, run)
    config = run.config
    texts = changed_texts(run, request.resolved_classes(), changes.descriptions, changes.description_style)
    new = replace(
        config,
        classes=texts.classes,
        descriptions_hash=texts.digest,
        methods=request.methods,
        regions=request.regions,
        logits=config.logits if changes.logits is None else changes.logits,
        shown_chains=config.shown_chains if changes.shown_chains is None else changes.shown_chains,
    )
    encoded = StoredTexts(store, stored, run, encoder)
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
    rows = [None] * len(request.methods) if store.lacks_vectors(stored) else _stored_rows(stored, request.methods, plan)
    from_vectors = tuple((method, row) for method, row in zip(request.methods, rows, strict=True) if row is not None)
    from_regions = tuple(method for method, row in zip(request.methods, rows, strict=True) if row is None)
    boxes = new.shown_chains > 0 and explained_method(request.methods) is not None

    ids, failures = _samples(store, run, stored)
    entries = _text_entries(run, texts, encoded.loaded, changes)
    warnings = list(entries.get("text_warnings", ()))
    warnings += [] if equal is None else [str(equal)]  # of a run that an earlier release has made
    if changes.classes is not None:
        warnings += class_warnings(new.classes, request.label_counts())
    if config.region_plan.adaptive and (new.classes, new.descriptions_hash, new.methods) != (
        config.classes,
        config.descriptions_hash,
        config.methods,
    ):
        warnings.append(ADAPTED)
    if from_regions or boxes:
        bare = len(set(ids) - store.samples_with_regions(stored)) if plan.counts else 0
        if bare and from_regions:
            raise ConfigError(
                f"{_names(from_regions)} needs region embeddings, which {bare} of {len(ids)} samples of run "
                f"{run.key!r} do not have in the store; lgca.classify with overwrite=True encodes them again"
            )
        if bare:
            boxes = False
            warnings.append(f"no boxes: {bare} of {len(ids)} samples have no region embeddings in the store")
    prepared = PreparedRun(
        request=request,
        config=new,
        texts=texts,
        encoder_source=run.results.get("encoder_source"),
        predictor=predictor,
        sample_ids=[*ids, *failures],
        warnings=warnings,
        text_entries=entries,
    )
    return RescorePlan(run, stored, prepared, ids, failures, from_vectors, from_regions, boxes)


def _text_entries(run: RunRecord, texts: ClassTexts, model: Encoder | None, changes: Changes) -> dict[str, Any]:
    """Returns what the new run's record holds of its texts: what the source's does, as far as they are the same."""
    before: dict[str, Any] = {name: run.results[name] for name in ("texts", "text_warnings") if name in run.results}
    if texts.digest == run.config.descriptions_hash and "text_warnings" in before:
        return before
    warnings = text_warnings(model, texts, described=bool(changes.descriptions))
    if changes.descriptions is None:
        return {**before, "text_warnings": warnings}
    return {"texts": texts.use(), "text_warnings": warnings}


def _stored_rows(stored: StoredRun, methods: Sequence[Method], plan: RegionPlan) -> list[int | None]:
    """Returns the row of each method's stored image vector; None for all, unless all that can be stored are."""
    names = [vector_key(method, plan) for method in methods]
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


def _names(methods: Sequence[Method]) -> str:
    return ", ".join(method.name for method in methods)
