"""The last step before a run: loads the model, embeds the texts and finds the samples left to do; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config import SEVERAL_KINDS, RunConfig, method_warnings
from ...descriptions.class_names import ClassNames
from ...descriptions.class_texts import ClassTexts, class_texts
from ...encoder.base import Encoder, device_kind, encoder_fingerprint
from ...encoder.loading import check_several, given_encoder
from ...encoder.precision import check_devices
from ...errors import ConfigError
from ...method.labels.left_out import left_out, left_out_warning
from ...prediction.predictor import Predictor
from ...prediction.share_entry import stored_offsets
from ...runs.stored_texts import KnownTexts, texts_of_release_0_1
from .class_counts import check_given_shares, class_counts
from .request import ClassifyRequest, RunRequest
from .sample_ids import SampleIds, SampleImages
from .text_checks import equal_classes, text_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...config import ClassShares
    from ...runs.record import RunRecord

SETTING_WORDS = {
    "descriptions_hash": "descriptions",
    "encoder_fingerprint": "weights of the model",
    "ground_truth": "label field",
    "shares": "shares of the classes",
    "shown_chains": "chains shown",
    "device_kind": "kind of device",
}
"""Names of settings of a :class:`RunConfig` that the App calls otherwise, to its words."""


@dataclass(frozen=True, kw_only=True)
class PreparedRun:
    """A checked run with its texts embedded.

    Attributes:
        tokenizer: that of the encoder, by which its texts are stored
        encoder_source: the name and the pretrained tag or path with which ``load_encoder`` loads the encoder again;
            None for an encoder of the user's own
        sample_ids: all samples of the run
        warnings: sentences for the user
        text_entries: what the run's record holds of how its texts were made
    """

    request: RunRequest
    config: RunConfig
    texts: ClassTexts
    tokenizer: str
    encoder_source: Sequence[str | None] | None
    predictor: Predictor
    sample_ids: SampleIds
    warnings: list[str]
    text_entries: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClassifyPlan(PreparedRun):
    """A classification with its model loaded.

    Attributes:
        todo: ids and files, or boxes in files, of the samples without a prediction; the last are those that have failed
            before
        failed: the ids of those
        text_encoder: embeds texts that are new, and reads others from the store
        devices: those that were named; with several, each has a process that encodes images
    """

    request: ClassifyRequest
    encoder: Encoder
    text_encoder: KnownTexts
    todo: SampleImages
    failed: set[str]
    devices: tuple[str, ...] = ()


def prepare_classify(
    request: ClassifyRequest, encoder: Encoder | tuple[str, str | None] | str | None = None
) -> ClassifyPlan:
    """Loads the model, embeds the texts, and finds the samples left to do.

    ``encoder`` may also be a pair of the name and the pretrained tag or path that ``load_encoder`` takes.

    Raises:
        ConfigError: if the descriptions or the encoder can't be used, classes are one to it, or a run with another
            config has the key
        ModelUnavailableError: if the model can't be loaded
    """
    options = request.options
    if request.ground_truth is not None:
        request.target.check_labels_as_stored(request.ground_truth)
    classes = request.resolved_classes()
    existing = request.existing
    shares = _given_shares(request, classes)
    had = None if existing is None else texts_of_release_0_1(existing)
    names = ClassNames().changed(classes, options.display_names, options.prompt)
    texts = class_texts(classes, options.descriptions, options.description_style, had=had, names=names)
    precision = options.precision
    if existing is not None and precision == "auto":  # on this machine it may be another
        precision = existing.config.precision
    devices = () if options.device is None else check_devices(options.device)
    encoder = given_encoder(encoder, device=devices[0] if devices else None, precision=precision)
    if len(devices) > 1:
        check_several(encoder, devices)
    config = RunConfig(
        classes=classes,
        descriptions_hash=texts.digest,
        methods=request.methods,
        regions=request.regions,
        encoder=encoder.name,
        encoder_fingerprint=encoder_fingerprint(encoder),
        precision=str(encoder.precision),
        resize=str(encoder.resize),
        ground_truth=request.ground_truth,
        logits=options.logits,
        shown_chains=options.shown_chains,
        budget=request.budget,
        shares=None if existing is None or existing.config.shares is None else shares,  # a rescoring adds them
        device_kind=_device_kind(existing, encoder),
    )
    _check_same_config(request, config)
    ids, todo, failed = _left(request)
    counted = None if shares is None else class_counts(shares, request.target.dataset, ids, classes)
    offsets = {} if existing is None else stored_offsets(existing.results)
    plan, shown = request.region_plan, options.shown_chains
    text_encoder = KnownTexts(encoder)
    predictor = Predictor(request.methods, texts, text_encoder, plan, shown_chains=shown, offsets=offsets)
    equal = equal_classes(texts, predictor.class_vectors, text_encoder, model=encoder, name=encoder.name)
    if equal is not None and request.existing is None:
        raise equal
    entries = _text_entries(request, texts, encoder)
    return ClassifyPlan(
        request=request,
        config=config,
        texts=texts,
        tokenizer=encoder.tokenizer,
        encoder_source=None if encoder.source is None else list(encoder.source),
        predictor=predictor,
        sample_ids=ids,
        warnings=[
            *class_warnings(classes, request.label_counts()),
            *method_warnings(request.methods, request.regions),
            *encoder.warnings,
            *([] if equal is None else [str(equal)]),  # of a run that an earlier release has begun
            *entries["text_warnings"],
            *(() if counted is None else counted.warnings),
        ],
        text_entries=entries,
        encoder=encoder,
        text_encoder=text_encoder,
        todo=todo,
        failed=failed,
        devices=devices,
    )


def _left(request: ClassifyRequest) -> tuple[SampleIds, SampleImages, set[str]]:
    """Returns the ids of all samples, those without a prediction with their files, and which of these have failed.

    Failed ones come last, so that a run whose first images all failed gets to the others.
    """
    ids, left, again = SampleIds(), SampleImages(), SampleImages()
    failed: set[str] = set()
    for part in request.target.source_parts():
        own = [id_ for id_, _ in part]
        ids.extend(own)
        if request.existing is None:
            left.extend(part)
            continue
        done = request.finished(own)
        failed_here = request.failed([id_ for id_ in own if id_ not in done])
        failed |= failed_here
        left.extend(one for one in part if one[0] not in done and one[0] not in failed_here)
        again.extend(one for one in part if one[0] in failed_here)
    left.extend(again)
    return ids, left, failed


def _device_kind(existing: RunRecord | None, encoder: Encoder) -> str | None:
    """Returns the kind of device that a run is filed under; one that was begun on an unknown kind, or any, stays so."""
    had = None if existing is None else existing.config.device_kind
    return had if existing is not None and had in (None, SEVERAL_KINDS) else device_kind(encoder)


def _text_entries(request: ClassifyRequest, texts: ClassTexts, encoder: Encoder) -> dict[str, Any]:
    """Returns what the run's record holds of how its texts were made; a run that is continued keeps what it has."""
    if request.existing is not None and "text_warnings" in request.existing.results:
        return {"text_warnings": request.existing.results["text_warnings"]}
    warnings = text_warnings(encoder, texts, described=request.options.descriptions is not None)
    return {"text_warnings": warnings, **({} if request.existing is not None else {"texts": texts.use()})}


def _given_shares(request: ClassifyRequest, classes: Sequence[str]) -> ClassShares | None:
    """Returns the shares of the classes that are asked for, None without."""
    if request.options.shares is None:
        return None
    return check_given_shares(request.options.shares, classes, request.target.dataset, ())


def _check_same_config(request: ClassifyRequest, config: RunConfig) -> None:
    if request.existing is None:
        return
    different = request.existing.config.differences(config)
    if different:
        if different == ["device_kind"]:
            had, now = request.existing.config, config
            made = (
                f"run {request.run_key!r} was made on {had.device_kind} in {had.precision}, which rounds otherwise "
                f"than {now.device_kind} here: go on with it on such a device"
            )
            raise ConfigError(
                f"{made}, pass overwrite=True to replace it, or another run_key to keep both",
                app=f"{made}, start over to replace it, or choose another run key to keep both",
            )
        exists = f"run {request.run_key!r} exists with other settings"
        words = [SETTING_WORDS.get(name, name) for name in different]
        raise ConfigError(
            f"{exists} ({', '.join(different)}); pass overwrite=True to replace it, or another run_key to keep both",
            app=f"{exists} ({', '.join(words)}); start over to replace it, or choose another run key to keep both",
        )


def class_warnings(classes: Sequence[str], counts: Mapping[str, int]) -> list[str]:
    """Returns a warning of labels that the classes leave out, if any; ``counts`` are the samples of each label."""
    warning = left_out_warning(left_out(classes, counts))
    return [] if warning is None else [warning]
