"""The options of a classification, and their check, which needs no model and writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ...config import (
    DEFAULT_BUDGET,
    DEFAULT_RUN_KEY,
    DEFAULT_SHOWN_CHAINS,
    RegionConfig,
    RegionPlan,
    check_budget,
    check_classes,
    check_count,
    check_run_key,
    run_methods,
)
from ...descriptions.class_names import check_prompt
from ...descriptions.style import AUTO
from ...errors import ConfigError
from ...fiftyone_io.boxes.mirror import check_attributes_are_free
from ...fiftyone_io.database import reload_if_changed
from ...fiftyone_io.fields import (
    DECISION,
    RESERVED_NAMES,
    conflicting_fields,
    error_field,
    run_fields,
    triage_field,
)
from ...fiftyone_io.samples import ImageSamples
from ...runs.delete import check_deletable
from ...runs.registry import check_not_renamed, existing_run, is_stored, prediction_fields
from ...store.limits import default_limit
from .class_counts import check_given_shares
from .class_list import default_classes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...method.core.methods import Method
    from ...runs.record import RunRecord

NO_CLASSES = "pass classes, or a ground_truth field whose labels are the classes"


@dataclass(frozen=True, kw_only=True)
class ClassifyOptions:
    """The arguments of :func:`lgca_plugin.classify`, not checked yet; the encoder and the progress go beside them."""

    samples: Any
    classes: Sequence[str] | None = None
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
    description_style: str = AUTO
    display_names: Mapping[str, str] | None = None
    prompt: str | None = None
    methods: Sequence[str | Method] | None = None
    run_key: str = DEFAULT_RUN_KEY
    regions: RegionConfig | None = None
    ground_truth: str | None = None
    batch_size: int | None = None
    device: str | None = None
    precision: str = "auto"
    overwrite: bool = False
    skip_failures: bool = True
    logits: bool = False
    shown_chains: int = DEFAULT_SHOWN_CHAINS
    store_regions: bool = True
    budget: str = DEFAULT_BUDGET
    shares: Any = None


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A run to be written, by classification or rescoring, checked as far as that needs no model.

    Attributes:
        classes: the candidate classes; None where they are the labels of ``ground_truth``, not read yet
        existing: the run under the key that is continued, if any
        replaces: whether a run exists under the key and is replaced; ``existing`` is None then
        budget: ``"full"``, ``"adaptive"`` or ``"economical"``
        entries: further entries of the run's record, written with it
    """

    target: ImageSamples
    run_key: str
    classes: tuple[str, ...] | None
    methods: tuple[Method, ...]
    regions: RegionConfig
    ground_truth: str | None
    existing: RunRecord | None
    replaces: bool
    budget: str
    entries: Mapping[str, Any] = field(default_factory=dict)

    @property
    def region_plan(self) -> RegionPlan:
        """The regions that the methods need."""
        return RegionPlan.of(self.methods, self.regions, self.budget)

    def resolved_classes(self) -> tuple[str, ...]:
        """Returns the classes; where none were passed, those of the field ``ground_truth`` in the whole dataset.

        A run that is continued keeps its own as long as they cover the labels of the samples: earlier releases read
        them from the view that was classified.
        """
        if self.classes is not None:
            return self.classes
        if self.ground_truth is None:
            raise ConfigError(NO_CLASSES)
        before = () if self.existing is None else self.existing.config.classes
        if before and set(self.label_counts()) <= set(before):
            return before
        return default_classes(self.target.dataset, self.ground_truth)

    def label_counts(self) -> dict[str, int]:
        """Returns label to the number of the samples that have it in ``ground_truth``; empty without that field."""
        return {} if self.ground_truth is None else self.target.label_counts(self.ground_truth)

    def finished(self, ids: Sequence[str]) -> set[str]:
        """Returns those of the sample ids whose samples have all of the run's predictions and boxes."""
        names = run_fields(self.run_key, self.methods, adaptive=self.region_plan.adaptive)
        fields = [name for name in names if name != error_field(self.run_key)]
        schema = self.target.dataset.get_field_schema()
        if not all(field in schema for field in fields):  # killed between registering the run and declaring its fields
            return set()
        return self.target.filled(ids, fields)

    def failed(self, ids: Sequence[str]) -> set[str]:
        """Returns those of the sample ids whose samples have failed."""
        return self.target.filled(ids, [error_field(self.run_key)])


@dataclass(frozen=True, kw_only=True)
class ClassifyRequest(RunRequest):
    """A classification, checked as far as that needs neither a model nor every sample."""

    options: ClassifyOptions


def check_classify(options: ClassifyOptions) -> ClassifyRequest:
    """Checks the options of a classification; raises ConfigError, which names the wrong one and a remedy."""
    run_key = check_run_key(options.run_key)
    check_budget(options.budget)
    default_limit()  # the store's limit comes from the environment: an invalid one is reported before the run starts
    regions = options.regions or RegionConfig()
    run_methods(options.methods, regions)
    classes = None if options.classes is None else check_classes(options.classes)
    if classes is None and options.ground_truth is None:
        raise ConfigError(NO_CLASSES)
    if options.batch_size is not None:
        check_count("batch_size", options.batch_size, at_least=1)
    check_shown_chains(options.shown_chains)
    if options.prompt is not None:
        check_prompt(options.prompt)
    target = ImageSamples.of(options.samples)
    reload_if_changed(target.dataset)
    if options.ground_truth is not None:
        target, field_there = target.with_labels(options.ground_truth)
        options = replace(options, ground_truth=field_there)
        target.check_label_field(field_there)
    replaces = options.overwrite and is_stored(target.dataset, run_key)
    existing = None if replaces else existing_run(target.dataset, run_key)
    request = ClassifyRequest(
        target=target,
        run_key=run_key,
        classes=classes,
        methods=run_methods(options.methods, regions, () if existing is None else existing.config.methods),
        regions=regions,
        ground_truth=options.ground_truth,
        existing=existing,
        replaces=replaces,
        budget=options.budget,
        options=options,
    )
    if request.existing is None:
        check_fields_are_free(request)
    elif request.existing.config.voters is not None:
        raise ConfigError(
            f"run {run_key!r} exists and is of predictions that were on the samples already; pass overwrite=True to "
            "replace it, or another run_key to keep both"
        )
    elif request.existing.config.fusion is not None:
        raise ConfigError(
            f"run {run_key!r} exists and is fused from runs of several encoders; pass overwrite=True to replace it, or "
            "another run_key to keep both"
        )
    check_step_weights(request)
    _check_shares(request)
    return request


def _check_shares(request: ClassifyRequest) -> None:
    """Checks shares of the classes as far as that needs no list of classes; raises ConfigError."""
    options = request.options
    if options.shares is None:
        return
    if not isinstance(options.shares, Mapping) or request.classes is not None:
        own = run_fields(request.run_key, request.methods)
        check_given_shares(options.shares, request.classes or (), request.target.dataset, own)
    if not options.store_regions and request.region_plan.counts:
        raise ConfigError(
            "shares are found from the stored embeddings of all images, and store_regions=False stores none of crops: "
            "leave one of the two out",
            app="shares of the classes are found from the stored embeddings of all images: store those of the crops, "
            "too, or choose no shares",
        )


def check_shown_chains(shown_chains: int) -> None:
    """Raises ConfigError unless ``shown_chains`` is a whole number of at least 0."""
    check_count("shown_chains", shown_chains, at_least=0)


def check_fields_are_free(request: RunRequest) -> None:
    """Raises ConfigError if a new run would write to a field that is not the replaced run's, or can't be named."""
    for method in request.methods:
        if method.name in RESERVED_NAMES:
            raise ConfigError(f"a method can't be called {method.name!r}: a field of every run is; choose another name")
    dataset, run_key = request.target.dataset, request.run_key
    own = prediction_fields(dataset, run_key) if request.replaces else []
    if request.replaces:
        check_not_renamed(dataset, run_key)
        decisions = triage_field(run_key, DECISION)  # they stay
        check_deletable(dataset, run_key, keep=[decisions], so=f"run {run_key!r} can't be replaced")
    if not request.replaces:
        check_attributes_are_free(dataset, run_fields(run_key, request.methods, adaptive=True))
    taken = conflicting_fields(dataset, run_key, request.methods, own, adaptive=request.region_plan.adaptive)
    if taken:
        raise ConfigError(
            f"field {taken[0]!r} exists already and belongs to no run called {run_key!r}; choose another run_key"
        )


def check_step_weights(request: RunRequest) -> None:
    """Raises ConfigError if a method's step weights don't fit the steps that there are."""
    steps = request.region_plan.steps
    for method in request.methods:
        weights = method.step_weights
        if weights is None or not method.grows:
            continue
        if len(weights) <= steps:
            raise ConfigError(f"step_weights of {method.name!r} has {len(weights)} entries for {steps + 1} steps")
        if not any(weights[: steps + 1]):
            raise ConfigError(f"step_weights of {method.name!r} gives no weight to the first {steps + 1} steps")
