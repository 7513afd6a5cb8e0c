"""A fused run opened: the entries of its encoders in the store, its class vectors and its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...cache import ResultCache
from ...config import RegionPlan
from ...encoder.base import encoder_fingerprint
from ...encoder.own_encoder import as_encoder
from ...errors import ConfigError
from ...fusion.weights import Fusion, digest_of
from ...method.core.methods import learned_method
from ...method.fusion.nodes import EncoderClasses
from ...store.entries import part_token
from ...store.weights_files import weights_files, weights_path
from ..record import RunRecord
from ..stored_run import find_stored_part, stored_run
from ..stored_texts import StoredTexts, changed_texts
from .fused_run import FusedRun, FusedSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ...config import FusionConfig, RegionConfig, RunConfig
    from ...descriptions.class_texts import ClassTexts
    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...store.rows import StoredRun
    from ...store.store import Store

MODELS: ResultCache[tuple[tuple[EncoderClasses, ...], Fusion]] = ResultCache(4)
"""The class vectors and weights of fused runs."""

REPORT = "fusion"
"""Entry of a fused run's record: which runs it fuses, and what it has learnt from how many labels."""

TEXTS = "fused"
"""Entry of a fused run's record: of each of its other runs the texts, and how its encoder is loaded."""


def fusion_of(config: RunConfig) -> FusionConfig | None:
    """Returns the fusion of a run that still has its learned method; None of any other run."""
    return config.fusion if learned_method(config.methods) is not None else None


def open_fused(store: Store, run: RunRecord, encoder: Encoder | Sequence[Encoder] | None = None) -> FusedRun:
    """Returns what answers for a fused run; class vectors and weights are cached.

    Args:
        store: open
        run: a run with a learned method
        encoder: those of its encoders that are loaded, needed for texts that are not stored

    Raises:
        ConfigError: if embeddings or weights are gone
        ModelUnavailableError: if texts are not stored and a model can't be loaded
    """
    stored, records, texts = _opened(store, run, encoder)
    method = learned_method(run.config.methods)
    if method is None:
        raise ConfigError(f"run {run.key!r} has no learned method, so it has no weights")

    def make() -> tuple[tuple[EncoderClasses, ...], Fusion]:
        made = [
            encoder_classes(changed_texts(record, run.config.classes, None), own, method)
            for record, own in zip(records, texts, strict=True)
        ]
        return tuple(made), fusion_for(load_fusion(store, run), run.config.fusion, run.config.classes)

    classes, fusion = MODELS.get((run.token, run.config), make)
    plans = [run.config.region_plan, *other_plans(run.config.regions, run.config.fusion)]
    return FusedRun(store, tuple(map(FusedSource, stored, plans, classes)), fusion)


def fused_texts(store: Store, run: RunRecord, encoder: Encoder | Sequence[Encoder] | None = None) -> list[StoredTexts]:
    """Returns what embeds texts for each encoder of a fused run; raises as :func:`open_fused` does."""
    return _opened(store, run, encoder)[2]


def _opened(
    store: Store, run: RunRecord, encoder: Encoder | Sequence[Encoder] | None
) -> tuple[list[StoredRun], list[RunRecord], list[StoredTexts]]:
    """Returns of each encoder the entry in the store, the record, and what embeds texts."""
    stored = [stored_run(store, run), *(stored_part(store, run, number) for number in range(1, n_sources(run.config)))]
    records = [run, *other_records(run)]
    encoders = assigned_encoders(encoder, [record.config for record in records])
    return stored, records, [StoredTexts(store, *one) for one in zip(stored, records, encoders, strict=True)]


def n_sources(config: RunConfig) -> int:
    """Returns the number of encoders of a run."""
    return 1 if config.fusion is None else 1 + len(config.fusion.others)


def other_records(run: RunRecord) -> list[RunRecord]:
    """Returns the other runs of a fused run as they were when it was made, each with its token in the store."""
    fusion, texts = run.config.fusion, run.results.get(TEXTS) or ()
    others = () if fusion is None else fusion.others
    if len(texts) != len(others):
        raise ConfigError(f"the record of run {run.key!r} is damaged: fuse its runs again")
    return [
        RunRecord(run.dataset, other.run_key, other.config, own, token=part_token(run.token, number))
        for number, (other, own) in enumerate(zip(others, texts, strict=True), 1)
    ]


def stored_part(store: Store, run: RunRecord, number: int) -> StoredRun:
    """Returns the entry of one of the other runs that a run fuses, by its number from 1 on.

    Raises:
        ConfigError: if there is none
    """
    found = find_stored_part(store, run, number)
    if found is None and run.config.fusion is not None:
        other = run.config.fusion.others[number - 1]
        raise ConfigError(
            f"the embeddings by {other.config.encoder!r} of run {run.key!r} are not stored on this machine; "
            f"lgca.classify under run_key={other.run_key!r} with the same settings, overwrite=True and "
            "store_regions=True encodes them again",
            app=f"the embeddings by {other.config.encoder!r} of run {run.key!r} are not stored on this machine: "
            f"classify again under the run key {other.run_key!r} with the same settings, starting over and with all "
            "embeddings stored",
        )
    assert found is not None  # noqa: S101 (a run without a fusion has no such number)
    return found


def other_plans(own: RegionConfig, fusion: FusionConfig | None) -> list[RegionPlan]:
    """Returns which regions of an image are nodes of each other encoder: of no more steps than the run's own has."""
    plans = []
    for other in () if fusion is None else (other.config for other in fusion.others):
        regions = other.regions
        if regions.steps > own.steps:
            regions = replace(regions, steps=own.steps, lgca_crops=regions.n_chains)
        plans.append(RegionPlan.of(other.methods, regions, other.budget))
    return plans


def encoder_classes(texts: ClassTexts, encoder: StoredTexts, method: Method) -> EncoderClasses:
    """Returns what an encoder scores against, of the texts of the run's classes."""
    labels = encoder.encode_texts([texts.label_prompt(name) for name in texts.classes])
    return EncoderClasses(texts.class_vectors(encoder, method), labels, encoder.logit_scale)


def load_fusion(store: Store, run: RunRecord) -> Fusion:
    """Returns all that a fused run has learnt, for the classes that it was learnt for.

    A copied run, as of ``dataset.clone()``, takes the weights of the run that it was copied from, or of any run with
    the same ones, such as what the original was rescored to, and keeps a copy.

    Raises:
        ConfigError: if the weights are gone or damaged
    """
    fusion = run.config.fusion
    if fusion is None:
        raise ConfigError(f"run {run.key!r} is not fused, so it has no weights")
    folder = store.path.parent
    own, first = weights_path(folder, run.token), weights_path(folder, fusion.weights)
    again = "fuse its runs again with lgca.fuse"
    for path in (own, first, *weights_files(folder)):
        content = _read(path)
        if digest_of(content) == fusion.digest:
            loaded = Fusion.from_bytes(content)
            if path != own and run.is_current():
                loaded.save(own)
            return loaded
    damaged = next((path for path in (own, first) if path.exists()), None)
    if damaged is None:
        raise ConfigError(
            f"the weights of run {run.key!r} are not stored on this machine: {again}",
            app=f"the weights of run {run.key!r} are not stored on this machine: fuse its runs again",
        )
    raise ConfigError(
        f"the weights of run {run.key!r} at {damaged} are damaged: {again}",
        app=f"the weights of run {run.key!r} are damaged: fuse its runs again",
    )


def _read(path: Path) -> bytes:
    """Returns the content of a file; nothing if there is none."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def fusion_for(loaded: Fusion, fusion: FusionConfig | None, classes: Sequence[str]) -> Fusion:
    """Returns what was learnt as far as it is about some classes: all of it for those that it was learnt for."""
    if fusion is None or set(classes) != set(fusion.classes):
        return loaded.for_classes(len(classes))
    place = {name: at for at, name in enumerate(fusion.classes)}
    return loaded.in_order([place[name] for name in classes])


def own_encoder(encoder: Encoder | Sequence[Encoder] | None, config: RunConfig) -> Encoder | None:
    """Returns the one of the caller's encoders that a run, fused or not, has its own embeddings by."""
    others = () if config.fusion is None else config.fusion.others
    return assigned_encoders(encoder, [config, *(other.config for other in others)])[0]


def assigned_encoders(
    encoder: Encoder | Sequence[Encoder] | None, configs: Sequence[RunConfig]
) -> list[Encoder | None]:
    """Returns for each config the one of the caller's encoders that it was made with, None without one.

    One that is of none of them is given to the first, whose texts refuse it.
    """
    given = [] if encoder is None else list(encoder) if isinstance(encoder, (list, tuple)) else [encoder]
    found: list[Encoder | None] = [None] * len(configs)
    for one in map(as_encoder, given):
        own = (encoder_fingerprint(one), one.precision)
        places = [at for at, config in enumerate(configs) if own == (config.encoder_fingerprint, config.precision)]
        if places or found[0] is None:
            found[places[0] if places else 0] = one
    return found
