"""Reads the embeddings that earlier runs have stored, and stores those of this run.

Evidence, rescoring and later runs need the stored embeddings; predictions do not. So an error of the store ends storing
with a warning, and the run continues.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import StoreError
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.tokens import database_id
from ...runs.stored_run import shared_fingerprint
from ...runs.stored_texts import TEXTS_AT_ONCE
from ...store.limits import GIGABYTE
from ...store.rows import StoredSample
from ...store.store import Store, geometry_of, store_exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...engine.embeddings import EncodedImage, KnownRegions
    from ...engine.engine import Recall
    from ...prediction.predictor import Prediction
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from .plan import ClassifyPlan

logger = logging.getLogger(__name__)


class EmbeddingWriter:
    """Stores a run's embeddings: image vectors always, region embeddings if ``with_regions``.

    ``replaces`` is the token of the run that this one has replaced, if any.

    Attributes:
        complete: whether everything that was to be stored has been
        warnings: sentences for the user: why storing has ended, or that the store is full
    """

    def __init__(self, plan: ClassifyPlan, run: RunRecord, *, with_regions: bool, replaces: str | None) -> None:
        self.complete = True
        self.warnings: list[str] = []
        self._plan = plan
        self._with_regions = with_regions
        self._geometry = geometry_of(plan.config.regions)
        self._token = run.token
        self._n_stored = 0
        self._can_recall = plan.encoder.fingerprint is not None
        self._entry: tuple[Store, StoredRun] | None = None
        try:
            store = Store()
        except StoreError as error:
            self._give_up(error)
            return
        try:
            opened = self._open(store, run, replaces)
            self._columns = _columns(plan.predictor.vector_keys, opened)
            self._entry = store, opened
        except StoreError as error:
            store.close()
            self._give_up(error)

    def _open(self, store: Store, run: RunRecord, replaces: str | None) -> StoredRun:
        plan = self._plan
        opened = store.open_run(
            run.token,
            fingerprint=stored_fingerprint(plan, run.token),
            encoder_name=plan.encoder.name,
            logit_scale=plan.encoder.logit_scale,
            geometry=self._geometry,
            vector_keys=plan.predictor.vector_keys,
            database=database_id(),
            dataset=dataset_id(run.dataset),
            run_key=run.key,
            replaces=replaces,
        )
        texts = list(dict.fromkeys(plan.texts.all_texts()))
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = texts[start : start + TEXTS_AT_ONCE]
            embeddings = dict(zip(batch, plan.text_encoder.encode_texts(batch), strict=True))
            store.write_texts(opened.encoder, embeddings, tokenizer=plan.tokenizer)
        return opened

    @property
    def recall(self) -> Recall | None:
        """Looks up stored regions by the hash of an image's content; None where no region of this encoder can be."""
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

    def write(self, images: Sequence[EncodedImage[str]], predictions: Sequence[Prediction]) -> None:
        """Stores images and their vectors; called before the samples are written, so that none lacks embeddings."""
        if self._entry is None or not images:
            return
        store, run = self._entry
        samples = [
            StoredSample(image, prediction.vectors[self._columns], prediction.finding)
            for image, prediction in zip(images, predictions, strict=True)
        ]
        try:
            fits = store.write_samples(
                run, samples, with_regions=self._with_regions, findings_key=self._plan.predictor.findings_key
            )
        except StoreError as error:
            self._give_up(error)
            return
        if not fits and self.complete:
            self.complete = False
            self.warnings.append(
                f"the store of embeddings has reached its limit of {store.limit_bytes / GIGABYTE:g} GB: not all "
                "embeddings of this run are stored"
            )
            logger.warning(self.warnings[-1])

    def outcome(self) -> dict[str, object]:
        """Returns what is stored, for the run's record."""
        return {"samples": self._count(), "regions": self._with_regions, "complete": self.complete}

    def _count(self) -> int:
        if self._entry is not None:
            store, run = self._entry
            with suppress(StoreError):
                self._n_stored = store.count(run)
        return self._n_stored

    def release_replaced(self) -> None:
        """Releases the replaced run's embeddings; called when the new run has finished."""
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
        logger.warning("%s; the run continues without the store, and can't be rescored", error)
        self.warnings.append(str(error))
        self.complete = False
        self._count()
        self.close()


def _columns(keys: Sequence[str], run: StoredRun) -> list[int]:
    """Returns which of the vectors with some keys a run's entry holds: one that was begun earlier may hold fewer."""
    if unknown := set(run.vector_keys).difference(keys):
        raise StoreError(f"another release of this plugin began this run, and has stored {sorted(unknown)[0]!r} of it")
    return [keys.index(key) for key in run.vector_keys]


def has_encoded(plan: ClassifyPlan) -> bool:
    """True if the store holds embeddings of the plan's encoder: what it returns has been checked by an earlier run."""
    if plan.encoder.fingerprint is None or not store_exists():
        return False
    try:
        with Store() as store:
            return store.has_images(stored_fingerprint(plan, ""))
    except StoreError:
        return False


def stored_fingerprint(plan: ClassifyPlan, token: str) -> str:
    """Returns the key of an encoder's embeddings: its fingerprint, its precision, and how crops are resized for it.

    Two versions of an encoder without a fingerprint can't be distinguished, so its embeddings belong to one run only.
    """
    own = "" if plan.encoder.fingerprint is not None else f"/{token}"
    return f"{shared_fingerprint(plan.config)}{own}"
