"""A run's entry in the store of embeddings; that of a copied run is made from what is stored of the same samples.

``dataset.clone()``, and exporting and importing a dataset, copy a run with its fields and keep the samples' ids, but
not what the store has of it: the copy has a token of its own, under which nothing is stored yet.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..encoder.base import device_kind
from ..errors import ConfigError
from ..fiftyone_io.database import dataset_id, sample_collection
from ..fiftyone_io.fields import error_field
from ..fiftyone_io.tokens import database_id
from ..prediction.vector_keys import vector_keys
from ..store.entries import part_token
from ..store.store import geometry_of
from .record import check_current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..config import RunConfig
    from ..encoder.base import Encoder
    from ..store.rows import StoredRun
    from ..store.store import Store
    from .record import RunRecord

logger = logging.getLogger(__name__)

SAMPLES_COMPARED = 200
"""Number of a run's samples by which other runs on them are found."""


def shared_fingerprint(config: RunConfig) -> str:
    """Returns the key of an encoder's embeddings that runs share: all that they depend on beside the images.

    That is its fingerprint, the precision, how crops are resized, and the kind of device if it is not the CPU and its
    half precision or crops are others.
    """
    return _fingerprint(config.encoder_fingerprint, config.precision, config.resize, config.device_kind)


def fingerprint_of(encoder: Encoder) -> str | None:
    """Returns the same key of a loaded encoder; None if its embeddings can't be told from those of other versions."""
    if encoder.fingerprint is None:
        return None
    return _fingerprint(encoder.fingerprint, encoder.precision, encoder.resize, device_kind(encoder))


def _fingerprint(encoder: str, precision: str, resize: str, kind: str | None) -> str:
    crops = "" if resize == "exact" else f"/{resize}"
    return f"{encoder}/{precision}{crops}" + ("" if kind in (None, "cpu") else f"/{kind}")


def check_has_encoder(run: RunRecord) -> None:
    """Checks that a run has encoded images; raises ConfigError for one of predictions that were there already."""
    if run.config.voters is not None:
        what = (
            f"run {run.key!r} is of predictions that were on the samples already "
            f"({', '.join(voter.field for voter in run.config.voters)}): no image was encoded for it, so it has no "
            "regions to score or to show"
        )
        raise ConfigError(
            f"{what}; lgca.find_wrong_labels or lgca.classify make a run that has",
            app=f"{what}; a search with a model makes a run that has",
        )


def stored_run(store: Store, run: RunRecord) -> StoredRun:
    """Returns a run's entry in the store, and marks it as used.

    Raises:
        ConfigError: if there is none
        LgcaError: if the run was deleted, rescored or started again since it was loaded
    """
    check_current(run)
    check_has_encoder(run)
    stored = find_stored_run(store, run)
    if stored is None:
        raise ConfigError(
            f"the embeddings of run {run.key!r} are not stored on this machine; "
            "lgca.classify with the same settings and overwrite=True encodes the images again"
        )
    store.mark_used(stored)
    return stored


def find_stored_run(store: Store, run: RunRecord) -> StoredRun | None:
    """Returns a run's entry in the store; None if the store has no embeddings of its samples.

    Of a copied run it is made from the entries of other runs on the same samples, with the same encoder and crops: it
    references the same embeddings, so it takes no room but for the image vectors. Of a run of earlier releases these
    lack the vectors of methods that weigh regions by class.
    """
    if run.config.voters is not None:
        return None
    stored = store.run(run.token)
    if stored is not None or not run.is_current():
        return stored
    config = run.config
    keys, early = (
        vector_keys(methods, config.region_plan, config.descriptions_hash)
        for methods in (config.methods, [method for method in config.methods if not method.by_class])
    )
    return _copied_entry(store, run, config, run.token, [keys, early])


def find_stored_part(store: Store, run: RunRecord, number: int) -> StoredRun | None:
    """Returns the entry of one of the other runs that a run fuses, by its number from 1 on; None as for the run's own.

    It has no image vectors: those of a fusion depend on the classes.
    """
    token = part_token(run.token, number)
    stored = store.run(token)
    if stored is not None or run.config.fusion is None or not run.is_current():
        return stored
    return _copied_entry(store, run, run.config.fusion.others[number - 1].config, token, [()])


def _copied_entry(
    store: Store, run: RunRecord, config: RunConfig, token: str, keys: Sequence[tuple[str, ...]]
) -> StoredRun | None:
    """Makes an entry of a copied run, with an encoder and crops of a config, from the entries of other runs.

    It has those of some vector keys that another run has, too, the first if none has.
    """
    ids = _some_samples(run)
    sources = store.runs_of_samples(shared_fingerprint(config), geometry_of(config.regions), ids) if ids else []
    if error_field(run.key) not in run.dataset.get_field_schema():  # killed while it was rescored in place
        own = {"run_key": run.key, "dataset": dataset_id(run.dataset)}
        before = {entry["token"] for entry in store.runs() if own.items() <= entry.items()}
        sources = [token for token in sources if token in before]
    found = [source for source in map(store.run, sources) if source is not None and store.has_space_for_copy(source)]
    if not found:
        return None
    best, had = found[0], {source.vector_keys for source in found}
    stored = store.open_run(
        token,
        fingerprint=best.fingerprint,
        encoder_name=config.encoder,
        logit_scale=best.logit_scale,
        geometry=best.geometry,
        vector_keys=next((one for one in keys if one in had), keys[0]),
        database=database_id(),
        dataset=dataset_id(run.dataset),
        run_key=run.key,
    )
    found.reverse()  # the run that has the most samples in common replaces what the others have
    found.sort(key=lambda source: source.vector_keys == stored.vector_keys)  # those with the same vectors come last
    for source in found:
        store.copy_samples(stored, source)
    logger.info("Run %r is a copy: its embeddings are those of the run that it was copied from", run.key)
    return stored


def _some_samples(run: RunRecord) -> list[str]:
    """Returns the ids of some samples of a run's dataset, chosen at random, without reading all."""
    stages = [{"$sample": {"size": SAMPLES_COMPARED}}, {"$project": {"_id": 1}}]
    return [str(found["_id"]) for found in sample_collection(run.dataset).aggregate(stages)]
