"""A run's dealings with the store: it recalls what earlier runs have encoded and keeps what this one does.

The store spares work, and evidence and rescoring need it; but a run is worth having without. So a store that fails
costs a warning, not the run.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import StoreError
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.tokens import database_identity
from ...store.limits import GIGABYTE
from ...store.rows import StoredSample
from ...store.store import Store, geometry_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...engine.embeddings import EncodedImage, KnownRegions
    from ...engine.engine import Recall
    from ...prediction.predictor import Prediction
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from .plan import Plan

logger = logging.getLogger(__name__)

TEXTS_AT_ONCE = 1000


class EmbeddingWriter:
    """Keeps a run's embeddings.

    Args:
        plan: the call
        run: its run
        with_regions: whether region embeddings are kept; image vectors are, always
        replaces: token of the run that this one has replaced, if any

    Attributes:
        complete: whether all that was to be kept has been
        warnings: what the user should know: why the store is not used any more, or that it is full
    """

    def __init__(self, plan: Plan, run: RunRecord, *, with_regions: bool, replaces: str | None) -> None:
        self.complete = True
        self.warnings: list[str] = []
        self._plan = plan
        self._with_regions = with_regions
        self._geometry = geometry_of(plan.config.regions)
        self._token = run.token
        self._held = 0
        self._can_recall = getattr(plan.encoder, "fingerprint", None) is not None
        self._entry: tuple[Store, StoredRun] | None = None
        try:
            store = Store()
        except StoreError as error:
            self._give_up(error)
            return
        try:
            self._entry = store, self._open(store, run, replaces)
        except StoreError as error:
            store.close()
            self._give_up(error)

    def _open(self, store: Store, run: RunRecord, replaces: str | None) -> StoredRun:
        plan = self._plan
        opened = store.open_run(
            run.token,
            fingerprint=stored_fingerprint(plan, run),
            encoder_name=plan.encoder.name,
            logit_scale=plan.encoder.logit_scale,
            geometry=self._geometry,
            vector_keys=plan.predictor.vector_keys,
            database=database_identity(),
            dataset=dataset_id(run.dataset),
            run_key=run.key,
            replaces=replaces,
        )
        texts = list(dict.fromkeys(plan.texts.all_texts()))
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = texts[start : start + TEXTS_AT_ONCE]
            store.keep_texts(opened.encoder, dict(zip(batch, plan.encoder.encode_texts(batch), strict=True)))
        return opened

    @property
    def recall(self) -> Recall | None:
        """What the engine asks before it encodes; None where nothing can be known."""
        return self._recall if self._entry is not None and self._can_recall else None

    def _recall(self, content_hash: str) -> KnownRegions | None:
        if self._entry is None:
            return None
        store, run = self._entry
        try:
            return store.recall(run.encoder, content_hash, self._geometry)
        except StoreError as error:
            self._give_up(error)
            return None

    def keep(self, images: Sequence[EncodedImage[str]], predictions: Sequence[Prediction]) -> None:
        """Keeps images and their image vectors; called before the samples are written, so that none lacks them."""
        if self._entry is None or not images:
            return
        store, run = self._entry
        kept = [
            StoredSample(image, prediction.vectors, prediction.finding)
            for image, prediction in zip(images, predictions, strict=True)
        ]
        try:
            fits = store.keep(run, kept, with_regions=self._with_regions, question=self._plan.predictor.question)
        except StoreError as error:
            self._give_up(error)
            return
        if not fits and self.complete:
            self.complete = False
            self.warnings.append(
                f"the store of embeddings has reached its limit of {store.limit_bytes / GIGABYTE:g} GB: not all "
                "embeddings of this run are kept"
            )
            logger.warning(self.warnings[-1])

    def outcome(self) -> dict[str, object]:
        """Tells, for the run's record, what is kept."""
        return {"samples": self._count(), "regions": self._with_regions, "complete": self.complete}

    def _count(self) -> int:
        if self._entry is not None:
            store, run = self._entry
            with suppress(StoreError):
                self._held = store.count(run)
        return self._held

    def release_replaced(self) -> None:
        """Lets go of what a replaced run held, once the new run is through."""
        if self._entry is not None:
            try:
                self._entry[0].release_replaced(self._token)
            except StoreError as error:
                self._give_up(error)

    def close(self) -> None:
        """Closes the store."""
        if self._entry is not None:
            self._entry[0].close()
            self._entry = None

    def _give_up(self, error: StoreError) -> None:
        logger.warning("%s; the run goes on without it, and can't be rescored", error)
        self.warnings.append(str(error))
        self.complete = False
        self._count()
        self.close()


def stored_fingerprint(plan: Plan, run: RunRecord) -> str:
    """Gives what embeddings are filed under: the encoder, its precision, and how crops are resized for it.

    An encoder of the user's own that has no fingerprint can't be told from another version of itself, so its embeddings
    belong to the one run.
    """
    config = plan.config
    own = "" if getattr(plan.encoder, "fingerprint", None) is not None else f"/{run.token}"
    resize = "" if config.resize == "exact" else f"/{config.resize}"
    return f"{config.encoder_fingerprint}/{config.precision}{resize}{own}"
