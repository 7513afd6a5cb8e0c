"""Checks which runs are to be fused, and how, without the store and without a model; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ...config import FusedRunConfig, FusionConfig, check_run_key
from ...errors import ConfigError, shown
from ...fiftyone_io.boxes.refresh import refresh
from ...fiftyone_io.samples import ImageSamples
from ...fusion.settings import FusionSettings
from ...fusion.weights import Fusion, FusionWeights
from ...method.core.methods import METHOD_TABLE
from ...runs.fused.opening import load_fusion
from ...runs.record import RunRecord, check_loaded
from ...runs.registry import existing_run, is_stored, owned_fields
from ...runs.stored_run import check_has_encoder, stored_run
from ..classify.request import check_fields_are_free
from ..rescore.request import Changes, RescoreRequest
from .captions import check_captions
from .common import common_samples
from .partners import fused_from, mismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...config import RunConfig
    from ...fusion.settings import Loss
    from ...method.core.regions import RegionKind
    from ...store.rows import StoredRun
    from ...store.store import Store
    from .captions import Captions

FUSE = "fuse"
DEFAULT_FUSED_KEY = "fused"
TRAINING_STEPS = FusionSettings().steps


@dataclass(frozen=True, kw_only=True)
class FuseOptions:
    """The arguments of :func:`lgca_plugin.fuse`, not checked yet; encoders and the progress go beside them."""

    runs: Sequence[RunRecord]
    ground_truth: str | None = None
    captions: Captions | None = None
    weights: RunRecord | None = None
    run_key: str = DEFAULT_FUSED_KEY
    folds: int = 5
    anchored: bool = True
    fused_part: bool | None = None
    loss: str = "cross_entropy"
    steps: Sequence[int] = TRAINING_STEPS
    seed: int = 0
    overwrite: bool = False


@dataclass(frozen=True, kw_only=True)
class FuseRequest(RescoreRequest):
    """A fusion of ``source`` with other runs, checked as far as that needs neither the store nor a model.

    Attributes:
        fused_with: the other runs
        learn_from: field of the labels to learn from; None for none
        captions: field of the captions to learn from, or sample ids to captions; None for none
        weights: a fused run whose weights are taken, instead of learning; None for none
        settings: of what is learnt
    """

    fused_with: tuple[RunRecord, ...]
    learn_from: str | None
    captions: Captions | None
    weights: RunRecord | None
    settings: FusionSettings = field(default_factory=FusionSettings)

    task: ClassVar[str] = FUSE

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The runs, the one first whose samples and single methods the fused run has."""
        return (self.source, *self.fused_with)

    @property
    def fusion(self) -> FusionConfig:
        """The fusion before anything is learnt."""
        others = tuple(FusedRunConfig(run_key=run.key, config=run.config) for run in self.fused_with)
        classes = self.source.config.classes if self.weights is None else _fusion_of(self.weights).classes
        return FusionConfig(
            run_key=self.source.key,
            others=others,
            weights="",
            digest="",
            classes=classes,
            ground_truth=self.learn_from,
            labels=0,
        )

    def others(self, store: Store) -> list[tuple[StoredRun, RunRecord]]:
        """Returns the other runs, each with its entry in the store; raises ConfigError if the store has none of one."""
        return [(stored_run(store, run), run) for run in self.fused_with]

    def learnt(self, store: Store, dims: Sequence[int]) -> Fusion:
        """Returns the weights of another fused run, or else those that nothing is learnt in yet.

        Raises:
            ConfigError: if the weights are gone or damaged
        """
        if self.weights is None:
            return Fusion(final=FusionWeights.untrained(dims, len(self.source.config.classes), self.settings))
        return load_fusion(store, self.weights)

    def usable(
        self, store: Store, entries: Sequence[StoredRun], sample_ids: Sequence[str]
    ) -> tuple[list[str], list[str]]:
        """Returns the samples that all runs have, of the same images, and sentences about the others.

        Raises:
            ConfigError: if they are less than half of the first run's
        """
        common = common_samples(store, [run.key for run in self.runs], entries, sample_ids)
        common.check()
        return common.ids, [*common.sentences(), *self._about_crops()]

    def _about_crops(self) -> list[str]:
        """Returns a sentence if the runs have drawn different numbers of crops."""
        plans = [run.config.region_plan for run in self.runs]
        drawn = [max(plan.n_crops, plan.n_chains) for plan in plans]
        if len(set(drawn)) == 1:
            return []
        each = " and ".join(f"{count} in run {run.key!r}" for count, run in zip(drawn, self.runs, strict=True))
        return [f"the runs have drawn different numbers of crops, {each}: the first {min(drawn)} are the same"]


def check_fuse(options: FuseOptions) -> FuseRequest:
    """Checks the options of a fusion.

    Raises:
        ConfigError: if one is wrong, or the runs can't be fused; it names the wrong one and a remedy
        LgcaError: if a run was deleted, rescored or started again since it was loaded
    """
    first, *others = _check_runs(options.runs)
    run_key = check_run_key(options.run_key)
    if run_key in {run.key for run in (first, *others)}:
        raise ConfigError(f"run_key {run_key!r} is that of a run that is fused, which stays: choose another one")
    regions = first.config.regions
    settings = FusionSettings(
        anchored=bool(options.anchored),
        fused_part=options.fused_part if options.fused_part is None else bool(options.fused_part),
        loss=cast("Loss", options.loss),
        folds=options.folds,
        steps=tuple(options.steps),
        seed=options.seed,
        expansion_steps=regions.steps,
    )
    refresh(first.dataset)
    target = ImageSamples.whole(first.dataset)
    if options.ground_truth is not None:
        target.check_label_field(options.ground_truth)
        own = _own_answers(first, *others)
        if options.ground_truth in own:
            raise ConfigError(
                f"ground_truth is {options.ground_truth!r}, an answer of run {own[options.ground_truth]!r}, from which "
                "nothing can be learnt: name a field with given labels"
            )
    if options.weights is not None:
        _check_weights(options, first, others)
    elif options.ground_truth is None and not settings.anchored:
        raise ConfigError(
            "anchored=False learns everything from labels: name their field as ground_truth",
            app="the method as published learns everything from labels: choose their field",
        )
    if options.captions is not None:
        check_captions(first.dataset, options.captions)
    existing = None if options.overwrite else existing_run(first.dataset, run_key)
    unfinished = existing is not None and _is_unfinished(existing, first, others)
    if existing is not None and not unfinished:
        raise ConfigError(f"run {run_key!r} exists: pass overwrite=True to replace it, or another run_key to keep both")
    hada = replace(METHOD_TABLE["hada"].preset, regions=_nodes(first.config))
    if hada.name in {method.name for method in first.config.methods}:
        raise ConfigError(f"run {first.key!r} has a method {hada.name!r} of its own: rescore it without that first")
    request = FuseRequest(
        target=target,
        run_key=run_key,
        classes=first.config.classes,
        methods=(*first.config.methods, hada),
        regions=regions,
        ground_truth=options.ground_truth or first.config.ground_truth,
        existing=None,
        replaces=unfinished or (options.overwrite and is_stored(first.dataset, run_key)),
        budget=first.config.budget,
        source=first,
        changes=Changes(),
        shares=first.config.shares,
        fused_with=tuple(others),
        learn_from=None if options.weights is not None else options.ground_truth,
        captions=options.captions,
        weights=options.weights,
        settings=settings,
    )
    check_fields_are_free(request)
    return request


def _check_runs(runs: Any) -> list[RunRecord]:
    """Returns the runs; raises ConfigError unless they are two or more runs that can be fused."""
    found = list(runs) if isinstance(runs, (list, tuple)) else [runs]
    for run in found:
        if not isinstance(run, RunRecord):
            raise ConfigError(
                "runs must be runs of one dataset, such as [lgca.load_run(dataset, 'one'), lgca.load_run(dataset, "
                f"'two')]; got {shown(run)}",
                app=f"only runs of one dataset can be fused; {shown(run)} is none",
            )
    if len(found) < 2:
        raise ConfigError(
            f"runs must be two or more, of different encoders; got {len(found)}: classify the same images with another "
            "model, and fuse both runs"
        )
    first = found[0]
    for run in found:
        if run.dataset.name != first.dataset.name:
            raise ConfigError(
                f"runs must be of one dataset: {first.key!r} is of {first.dataset.name!r} and {run.key!r} of "
                f"{run.dataset.name!r}"
            )
        check_loaded(run)
        check_has_encoder(run)
        if run.config.fusion is not None:
            raise ConfigError(
                f"run {run.key!r} is fused itself: fuse the runs that it was made from, with the others, instead"
            )
        if not run.config.region_plan.counts:
            raise ConfigError(
                f"run {run.key!r} looks at no crops, which a fusion needs: classify with crops or crops that grow first"
            )
    for at, run in enumerate(found):
        for before in found[:at]:
            if before.key == run.key:
                raise ConfigError(
                    f"run {run.key!r} is given twice; a fusion needs runs of different encoders: name one of another "
                    "model instead"
                )
            if (why := mismatch(before.config, run.config)) is not None:
                raise ConfigError(
                    f"run {run.key!r} can't be fused with run {before.key!r}: it {why.problem}; {why.remedy}"
                )
    return found


def _nodes(config: RunConfig) -> RegionKind:
    """Returns which regions the learned method looks at: all that the run has encoded, whoever else looks at them.

    So it keeps its nodes, and its answers, when the run is rescored without some of its other methods.
    """
    plan = config.region_plan
    if plan.n_chains:
        return "all" if plan.n_crops else "chains"
    return "crops"


def _own_answers(*runs: RunRecord) -> dict[str, str]:
    """Returns field to run, of what the runs and those that were fused from them have written."""
    dataset = runs[0].dataset
    keys = dict.fromkeys([run.key for run in runs] + [key for run in runs for key in fused_from(dataset, run.key)])
    return {field: key for key in keys for field in owned_fields(dataset, key)}


def _check_weights(options: FuseOptions, first: RunRecord, others: Sequence[RunRecord]) -> None:
    """Checks that the weights of another fused run are those of the same encoders."""
    weights = options.weights
    if options.ground_truth is not None or options.captions is not None:
        what = "ground_truth, to learn from its labels" if options.captions is None else "captions, to learn from them"
        raise ConfigError(
            f"pass {what}, or weights, to learn nothing, not both",
            app="choose what to learn from, or a fused run whose weights are taken, not both",
        )
    if not isinstance(weights, RunRecord) or weights.config.fusion is None:
        raise ConfigError(f"weights must be a fused run, got {shown(weights)}")
    check_loaded(weights)
    had = [weights.config, *(other.config for other in weights.config.fusion.others)]
    own = [run.config for run in (first, *others)]
    if [config.encoder_fingerprint for config in had] != [config.encoder_fingerprint for config in own]:
        raise ConfigError(
            f"the weights of run {weights.key!r} are of the encoders {', '.join(config.encoder for config in had)}, in "
            f"this order; the runs are of {', '.join(config.encoder for config in own)}"
        )


def _fusion_of(run: RunRecord) -> FusionConfig:
    assert run.config.fusion is not None  # noqa: S101 (checked with the request)
    return run.config.fusion


def _is_unfinished(run: RunRecord, first: RunRecord, others: Sequence[RunRecord]) -> bool:
    """Returns whether a run is a fusion of these runs that has not come to its end, so that the same call starts it."""
    fusion = run.config.fusion
    if fusion is None or run.results.get("status") == "done":
        return False
    return [fusion.run_key, *(other.run_key for other in fusion.others)] == [one.key for one in (first, *others)]
