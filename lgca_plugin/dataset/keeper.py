"""A run's dealings with the store: it recalls what earlier runs have encoded and keeps what this one does.

The store spares work, and evidence and rescoring need it; but a run is worth having without. So a store that fails
costs a warning, not the run.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..errors import StoreError
from .store import Kept, Store, geometry_of
from .tokens import database_identity, dataset_identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..engine import Recall
    from ..growing import EncodedImage, KnownRegions
    from ..predict import Prediction
    from .plan import Plan
    from .run import Run
    from .store import StoredRun

logger = logging.getLogger(__name__)

TEXTS_AT_ONCE = 1000


class Keeper:
    """Keeps a run's embeddings.

    Args:
        plan: the call
        run: its run
        with_regions: whether region embeddings are kept; image vectors are, always
        replaces: token of the run that this one has replaced, if any

    Attributes:
        kept: samples of this call that are in the store
        complete: whether all that was to be kept has been
        problem: why the store is not used any more, if it is not
    """

    def __init__(self, plan: Plan, run: Run, *, with_regions: bool, replaces: str | None) -> None:
        self.kept = 0
        self.complete = True
        self.problem: str | None = None
        self._plan = plan
        self._with_regions = with_regions
        self._geometry = geometry_of(plan.config.regions)
        self._token = run.token
        self._store: Store | None = None
        try:
            self._store = Store()
            self._run = self._open(self._store, run, replaces)
        except StoreError as error:
            self._give_up(error)

    def _open(self, store: Store, run: Run, replaces: str | None) -> StoredRun:
        plan = self._plan
        self._can_recall = getattr(plan.encoder, "fingerprint", None) is not None
        opened = store.open_run(
            run.token,
            fingerprint=stored_fingerprint(plan, run),
            encoder_name=plan.encoder.name,
            logit_scale=plan.encoder.logit_scale,
            geometry=self._geometry,
            signatures=plan.predictor.signatures,
            database=database_identity(),
            dataset=dataset_identity(run.dataset),
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
        return self._recall if self._store is not None and self._can_recall else None

    def _recall(self, content_hash: str) -> KnownRegions | None:
        store = self._store
        if store is None:
            return None
        try:
            return store.recall(self._run.encoder, content_hash, self._geometry)
        except StoreError as error:
            self._give_up(error)
            return None

    def keep(self, images: Sequence[EncodedImage[str]], predictions: Sequence[Prediction]) -> None:
        """Keeps images and their image vectors; called before the samples are written, so that none lacks them."""
        if self._store is None or not images:
            return
        kept = [Kept(image, prediction.vectors) for image, prediction in zip(images, predictions, strict=True)]
        try:
            fits = self._store.keep(self._run, kept, with_regions=self._with_regions)
        except StoreError as error:
            self._give_up(error)
            return
        if not fits and self.complete:
            self.complete = False
            logger.warning("The store of embeddings has reached its limit: not all embeddings of this run are kept")
        self.kept += len(kept)

    def outcome(self) -> dict[str, object]:
        """Tells, for the run's record, what is kept."""
        return {"samples": self.kept, "regions": self._with_regions, "complete": self.complete}

    def settle(self) -> None:
        """Lets go of what a replaced run held, once the new run is through."""
        if self._store is not None:
            try:
                self._store.settle(self._run, self._token)
            except StoreError as error:
                self._give_up(error)

    def close(self) -> None:
        """Closes the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _give_up(self, error: StoreError) -> None:
        logger.warning("%s; the run goes on without it, and can't be rescored", error)
        self.problem = str(error)
        self.complete = False
        self.close()


def stored_fingerprint(plan: Plan, run: Run) -> str:
    """Gives what embeddings are filed under: the encoder and its precision.

    An encoder of the user's own that has no fingerprint can't be told from another version of itself, so its embeddings
    belong to the one run.
    """
    config = plan.config
    own = "" if getattr(plan.encoder, "fingerprint", None) is not None else f"/{run.token}"
    return f"{config.encoder_fingerprint}/{config.precision}{own}"
