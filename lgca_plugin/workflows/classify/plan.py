"""Before a run: everything is checked here, and nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import (
    DEFAULT_BUDGET,
    DEFAULT_METHODS,
    DEFAULT_RUN_KEY,
    DEFAULT_SHOWN_CHAINS,
    RegionConfig,
    RegionPlan,
    RunConfig,
    check_budget,
    check_classes,
    check_methods,
    check_run_key,
)
from ...descriptions.class_texts import ClassTexts, class_texts
from ...encoder.open_clip_encoder import encoder_fingerprint, load_encoder
from ...encoder.protocol import Encoder
from ...errors import ConfigError
from ...fiftyone_io.fields import RESERVED_NAMES, error_field, run_fields, taken_fields
from ...fiftyone_io.samples import Target
from ...prediction.predictor import Predictor
from ...runs.record import RunRecord
from ...runs.registry import existing_run, list_runs, stored_fields
from ...store.limits import default_limit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...method.core.scores import Method

_NAMED = 12


@dataclass(frozen=True)
class Request:
    """What can be checked of a call without loading a model.

    Attributes:
        target: the samples
        run_key: the run's key
        classes: the candidate classes; None where they are the labels of ``ground_truth``, not read yet
        methods: the presets
        regions: which regions are encoded
        ground_truth: label field, if any
        run: the run that exists under the key and is gone on with, if any
        replaces: whether a run exists under the key and is replaced; ``run`` is None then
        budget: whether every image takes all crops, or stops when its labels are safe
    """

    target: Target
    run_key: str
    classes: tuple[str, ...] | None
    methods: tuple[Method, ...]
    regions: RegionConfig
    ground_truth: str | None
    run: RunRecord | None
    replaces: bool
    budget: str = DEFAULT_BUDGET

    @property
    def region_plan(self) -> RegionPlan:
        """The regions that the methods need."""
        return RegionPlan.of(self.methods, self.regions, self.budget)

    def resolved_classes(self) -> tuple[str, ...]:
        """Gives the classes, read from ``ground_truth`` where none were passed."""
        if self.classes is not None:
            return self.classes
        if self.ground_truth is None:
            raise ConfigError("pass classes, or a ground_truth field whose labels are the classes")
        labels = self.target.distinct_labels(self.ground_truth)
        if len(labels) < 2:
            found = f"one, {labels[0]!r}" if labels else "none"
            raise ConfigError(
                f"classification needs at least two classes, and {self.ground_truth!r} holds {found}; pass classes"
            )
        return tuple(labels)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run that has been checked, with its texts embedded.

    Attributes:
        request: the call
        config: the run's config
        texts: the texts of every class
        encoder_source: how ``load_encoder`` finds the encoder again: name and pretrained tag or path; None for an
            encoder of the user's own
        predictor: scores embeddings
        sample_ids: all samples of the call
        warnings: what the user should know before trusting the result
    """

    request: Request
    config: RunConfig
    texts: ClassTexts
    encoder_source: Sequence[str | None] | None
    predictor: Predictor
    sample_ids: list[str]
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class Plan(Prepared):
    """A call that has been checked, with its model loaded: ready to encode.

    Attributes:
        encoder: the loaded encoder
        todo: ids and files of the samples that have no prediction yet
    """

    encoder: Encoder
    todo: list[tuple[str, str]]


def check_request(
    samples: Any,
    *,
    classes: Sequence[str] | None = None,
    methods: Sequence[str | Method] = DEFAULT_METHODS,
    run_key: str = DEFAULT_RUN_KEY,
    regions: RegionConfig | None = None,
    ground_truth: str | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    budget: str = DEFAULT_BUDGET,
) -> Request:
    """Checks a call as far as that needs neither a model nor a look at every sample.

    Args:
        samples: a dataset or view
        classes: see :func:`lgca_plugin.classify`, as all that follow
        methods: names or presets
        run_key: the run's key
        regions: which regions are encoded
        ground_truth: label field
        batch_size: crops in one call of the encoder
        overwrite: whether a run under the key is replaced
        budget: ``"full"`` or ``"adaptive"``

    Returns:
        the checked call

    Raises:
        ConfigError: if an argument is wrong; the message names it and says what to do
    """
    check_run_key(run_key)
    check_budget(budget)
    default_limit()  # of the store: a setting that makes no sense is said now, and not in the middle
    presets = check_methods(methods)
    names = None if classes is None else check_classes(classes)
    if names is None and ground_truth is None:
        raise ConfigError("pass classes, or a ground_truth field whose labels are the classes")
    if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
        raise ConfigError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
    target = Target.of(samples)
    if ground_truth is not None:
        target.check_label_field(ground_truth)
    replaced = overwrite and run_key in list_runs(target.dataset)
    run = None if replaced else existing_run(target.dataset, run_key)
    request = Request(target, run_key, names, presets, regions or RegionConfig(), ground_truth, run, replaced, budget)
    if run is None:
        own = stored_fields(target.dataset, run_key) if replaced else []
        check_fields_are_free(request, own)
    check_step_weights(request)
    return request


def prepare(
    request: Request,
    *,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    encoder: Encoder | str | None = None,
    device: str | None = None,
    precision: str = "auto",
    logits: bool = False,
    shown_chains: int = DEFAULT_SHOWN_CHAINS,
) -> Plan:
    """Loads the model, embeds the texts, and finds out what is left to do.

    Args:
        request: the checked call
        descriptions: see :func:`lgca_plugin.classify`, as all that follow
        encoder: an encoder, a model name, or None for the default model
        device: where a model that is loaded here runs
        precision: floating-point type of a model that is loaded here
        logits: whether the labels carry all class scores
        shown_chains: how many chains are written as boxes

    Returns:
        the plan

    Raises:
        ConfigError: if an argument is wrong, or another config has been run under the key
        ModelUnavailableError: if the model can't be loaded
    """
    classes = request.resolved_classes()
    texts = class_texts(classes, descriptions)
    check_shown_chains(shown_chains)
    if encoder is None:
        encoder = load_encoder(device=device, precision=precision)
    elif isinstance(encoder, str):
        encoder = load_encoder(encoder, device=device, precision=precision)
    elif not isinstance(encoder, Encoder):
        raise ConfigError(f"encoder must be a model name or have the members of Encoder, got {type(encoder).__name__}")
    config = RunConfig(
        classes=classes,
        descriptions_hash=texts.digest,
        methods=request.methods,
        regions=request.regions,
        encoder=encoder.name,
        encoder_fingerprint=encoder_fingerprint(encoder),
        precision=str(getattr(encoder, "precision", "fp32")),
        resize=str(getattr(encoder, "resize", "exact")),
        ground_truth=request.ground_truth,
        logits=logits,
        shown_chains=shown_chains,
        budget=request.budget,
    )
    _check_same_config(request, config)
    sample_ids, todo = _find_work(request)
    predictor = Predictor(request.methods, texts, encoder, request.region_plan, shown_chains=shown_chains)
    warnings = text_warnings(encoder, texts, described=descriptions is not None)
    return Plan(
        request=request,
        config=config,
        texts=texts,
        encoder_source=_source(encoder),
        predictor=predictor,
        sample_ids=sample_ids,
        warnings=warnings,
        encoder=encoder,
        todo=todo,
    )


def _source(encoder: Encoder) -> list[str | None] | None:
    source = getattr(encoder, "source", None)
    return None if source is None else list(source)


def check_shown_chains(shown_chains: int) -> None:
    """Raises ConfigError unless ``shown_chains`` is a whole number of at least 0."""
    if isinstance(shown_chains, bool) or not isinstance(shown_chains, int) or shown_chains < 0:
        raise ConfigError(f"shown_chains must be a whole number of at least 0, got {shown_chains!r}")


def check_fields_are_free(request: Request, own: Sequence[str]) -> None:
    """Raises ConfigError if a run would write to a field that is not among its ``own``; also if it can't be named."""
    for method in request.methods:
        if method.name in RESERVED_NAMES:
            raise ConfigError(f"a method can't be called {method.name!r}: a field of every run is; choose another name")
    run_key, adaptive = request.run_key, request.region_plan.adaptive
    taken = taken_fields(request.target.dataset, run_key, request.methods, own, adaptive=adaptive)
    if taken:
        raise ConfigError(
            f"field {taken[0]!r} exists already and belongs to no run called {run_key!r}; choose another run_key"
        )


def _check_same_config(request: Request, config: RunConfig) -> None:
    if request.run is None:
        return
    different = request.run.config.differences(config)
    if different:
        raise ConfigError(
            f"run {request.run_key!r} exists with other settings ({', '.join(different)}); "
            "pass overwrite=True to replace it, or another run_key to keep both"
        )


def check_step_weights(request: Request) -> None:
    """Raises ConfigError if a method's step weights don't fit the steps that there are."""
    steps = request.region_plan.steps
    for method in request.methods:
        weights = method.step_weights
        if weights is None or method.regions != "chains":
            continue
        if len(weights) <= steps:
            raise ConfigError(f"step_weights of {method.name!r} has {len(weights)} entries for {steps + 1} steps")
        if not any(weights[: steps + 1]):
            raise ConfigError(f"step_weights of {method.name!r} gives no weight to the first {steps + 1} steps")


def _find_work(request: Request) -> tuple[list[str], list[tuple[str, str]]]:
    ids, paths = request.target.samples.values(["id", "filepath"])
    done = finished_samples(request, ids) if request.run is not None else set()
    return ids, [(id_, path) for id_, path in zip(ids, paths, strict=True) if id_ not in done]


def finished_samples(request: Request, ids: Sequence[str]) -> set[str]:
    """Finds which samples have all of the run's predictions and boxes.

    Args:
        request: the checked call
        ids: sample ids

    Returns:
        the ids among them that need no encoding any more
    """
    wanted = run_fields(request.run_key, request.methods, adaptive=request.region_plan.adaptive)
    fields = [name for name in wanted if name != error_field(request.run_key)]
    schema = request.target.dataset.get_field_schema()
    if not all(field in schema for field in fields):  # killed between registering the run and declaring its fields
        return set()
    return request.target.filled(ids, fields)


def text_warnings(encoder: Encoder | None, texts: ClassTexts, *, described: bool) -> list[str]:
    """Says what the user should know of the texts before trusting the result.

    Args:
        encoder: the encoder; None where it was not needed, so that all texts have been seen before
        texts: the texts of every class
        described: whether the user gave descriptions
    """
    warnings = []
    if described and texts.from_templates:
        warnings.append(f"no descriptions for {_named(texts.from_templates)}: the template ensemble stands in")
    if texts.unused:
        warnings.append(f"descriptions were given for {_named(texts.unused)}, which no class is called")
    unknown_words = getattr(encoder, "unknown_words", None)
    unknown = unknown_words(texts.all_texts()) if unknown_words else []
    if unknown:
        warnings.append(
            f"{getattr(encoder, 'name', 'the encoder')} was never trained on these words, so texts with them get "
            f"meaningless vectors: {_named(unknown)}"
        )
    return warnings


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
