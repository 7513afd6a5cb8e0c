"""Checks a rescoring against what was encoded, without the store and without a model; writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ...config import NO_SHARES, RegionPlan, check_classes, check_methods, check_run_key
from ...descriptions.class_names import check_display_names, check_prompt
from ...descriptions.style import AUTO
from ...errors import ConfigError, shown
from ...fiftyone_io.boxes.refresh import refresh
from ...fiftyone_io.samples import ImageSamples
from ...runs.found import SearchEntry
from ...runs.fused.opening import load_fusion, other_records, stored_part
from ...runs.record import check_loaded
from ...runs.registry import existing_run, is_stored
from ...runs.stored_run import check_has_encoder
from ..classify.class_counts import check_given_shares
from ..classify.request import RunRequest, check_fields_are_free, check_shown_chains, check_step_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...config import ClassShares, FusionConfig, RegionConfig, RunConfig
    from ...fusion.weights import Fusion
    from ...method.core.methods import Method
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from ...store.store import Store

RESCORE = "rescore"


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The settings that a rescoring changes, as :meth:`lgca_plugin.Run.rescore` takes them; None keeps the run's."""

    classes: Sequence[str] | None = None
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
    description_style: str = AUTO
    display_names: Mapping[str, str] | None = None
    prompt: str | None = None
    methods: Sequence[str | Method] | None = None
    image_scale: float | None = None
    text_scale: float | None = None
    global_weight: float | None = None
    step_weights: Sequence[float] | None = None
    decisiveness: float | None = None
    temperature: float | None = None
    steps: int | None = None
    logits: bool | None = None
    shown_chains: int | None = None
    shares: Any = None


@dataclass(frozen=True, kw_only=True)
class RescoreRequest(RunRequest):
    """A rescoring of ``source``, checked as far as that needs neither the store nor a model.

    ``shares`` are those of the classes that the new run's labels follow, None without any.
    """

    source: RunRecord
    changes: Changes
    shares: ClassShares | None = None

    task: ClassVar[str] = RESCORE

    @property
    def fusion(self) -> FusionConfig | None:
        """The fusion of which the run is, None if it is not fused."""
        return self.source.config.fusion

    def others(self, store: Store) -> list[tuple[StoredRun, RunRecord]]:
        """Returns the other runs of the fusion, each with its entry in the store.

        Raises:
            ConfigError: if the store has none of one of them
        """
        records = other_records(self.source)
        return [(stored_part(store, self.source, number), one) for number, one in enumerate(records, 1)]

    def learnt(self, store: Store, dims: Sequence[int]) -> Fusion:  # noqa: ARG002 (needed where it is to be learnt)
        """Returns what the fusion has learnt, over encoders whose embeddings have these dimensions.

        Raises:
            ConfigError: if the weights are gone or damaged
        """
        return load_fusion(store, self.source)

    def usable(
        self, store: Store, entries: Sequence[StoredRun], sample_ids: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """Returns those of the source's samples that can be scored, and sentences about the others.

        Args:
            store: open
            entries: of all encoders, the source's own first
            sample_ids: the samples that the source has predicted

        Raises:
            ConfigError: if too few can
        """
        others = () if self.fusion is None else self.fusion.others
        for entry, other in zip(entries[1:], others, strict=True):
            bare = len(set(sample_ids) - store.samples_with_regions(entry))
            if bare:
                raise ConfigError(
                    f"{bare:,} of {len(sample_ids):,} samples of run {self.source.key!r} have no region embeddings by "
                    f"{other.config.encoder!r} in the store; lgca.classify under run_key={other.run_key!r} with the "
                    "same settings, overwrite=True and store_regions=True encodes them again",
                    app=f"{bare:,} of {len(sample_ids):,} samples of run {self.source.key!r} have no stored region "
                    f"embeddings by {other.config.encoder!r}: classify again under the run key {other.run_key!r} with "
                    "the same settings, starting over and with all embeddings stored",
                )
        return list(sample_ids), []


def check_rescore(
    run: RunRecord, changes: Changes, *, run_key: str | None = None, overwrite: bool = False
) -> RescoreRequest:
    """Checks changes of a run. ``run_key`` None, or the run's own, rescores it in place.

    Raises:
        ConfigError: if a change is wrong, or needs regions that were not encoded
        LgcaError: if the run was deleted, rescored or started again since it was loaded
    """
    check_loaded(run)
    check_has_encoder(run)
    key = run.key if run_key is None else check_run_key(run_key)
    regions = changed_regions(run.config, changes.steps)
    methods = changed_methods(run.config.methods, changes)
    check_was_encoded(run, methods, regions)
    classes = run.config.classes if changes.classes is None else check_classes(changes.classes)
    if changes.shown_chains is not None:
        check_shown_chains(changes.shown_chains)
    if changes.prompt is not None:
        check_prompt(changes.prompt)
    if changes.display_names is not None:
        check_display_names(changes.display_names, classes)
    refresh(run.dataset)
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
        shares=_changed_shares(run, changes, classes),
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
    ``global_weight`` (LGCA's lambda_g) and ``step_weights`` to those with chains, ``decisiveness`` and
    ``temperature`` to those that weigh regions by class.
    """
    presets = check_methods(methods if changes.methods is None else changes.methods, own=methods)
    weights: Any = changes.step_weights
    if weights is not None and (isinstance(weights, str) or not hasattr(weights, "__iter__")):
        raise ConfigError(f"step_weights must be a list of numbers, one a step, got {shown(weights)}")
    step_weights = None if weights is None else tuple(weights)
    by_salience = {method.name for method in presets if method.regions != "none" and method.weighting == "salience"}
    with_chains = {method.name for method in presets if method.grows and method.weighting not in ("sized", "learned")}
    by_class = {method.name for method in presets if method.by_class}
    changed: dict[str, tuple[Any, set[str]]] = {
        "image_scale": (changes.image_scale, by_salience),
        "text_scale": (changes.text_scale, {method.name for method in presets if method.class_vectors == "weighted"}),
        "global_weight": (changes.global_weight, with_chains),
        "step_weights": (step_weights, with_chains - by_class),
        "decisiveness": (changes.decisiveness, by_class),
        "temperature": (changes.temperature, by_class),
    }
    for name, (value, having) in changed.items():
        if value is not None and not having:
            raise ConfigError(f"{name} is a setting of none of these methods: {method_names(presets)}")
    made = []
    for method in presets:
        own = {name: value for name, (value, having) in changed.items() if value is not None and method.name in having}
        try:
            made.append(replace(method, **own))
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from error
    return tuple(made)


def _changed_shares(run: RunRecord, changes: Changes, classes: Sequence[str]) -> ClassShares | None:
    """Returns the shares of the classes of the new run: the source's, unless others are given."""
    if changes.shares is None:
        had = run.config.shares
        return None if had is None else had.of_classes(run.config.classes, classes)
    if isinstance(changes.shares, str) and changes.shares == NO_SHARES:
        return None
    return check_given_shares(changes.shares, classes, run.dataset, run.fields)


def check_was_encoded(run: RunRecord, methods: Sequence[Method], regions: RegionConfig) -> None:
    """Raises ConfigError if methods need regions that a run has not encoded."""
    had = run.config.region_plan
    needed = RegionPlan.of(tuple(methods), regions, run.config.budget)
    sampled = max(had.n_crops, had.n_chains)
    if needed.n_crops > sampled or needed.n_chains > had.n_chains:
        lacking = "chains" if needed.n_chains > had.n_chains else "crops"
        raise ConfigError(
            f"run {run.key!r} has encoded too few {lacking} for {method_names(methods)}; "
            "lgca.classify with these methods under another run_key encodes only what is missing"
        )


def method_names(methods: Sequence[Method]) -> str:
    """Returns the names of methods, for a sentence."""
    return ", ".join(method.name for method in methods)
