"""Reads the embeddings that earlier runs have stored, and stores those of this run.

Evidence, rescoring and later runs need the stored embeddings; predictions do not. So an error of the store ends storing
with a warning, and the run continues.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import StoreError
from ...fiftyone_io.database import dataset_id
from ...fiftyone_io.tokens import database_id
from ...runs.stored_run import shared_fingerprint
from ...runs.stored_texts import TEXTS_AT_ONCE
from ...store.limits import GIGABYTE, default_limit, fitting_images, region_bytes
from ...store.rows import StoredSample
from ...store.store import Store, geometry_of, store_exists
from .run_entry import RunEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...config import RegionPlan
    from ...engine.embeddings import EncodedImage, KnownRegions
    from ...engine.engine import Recall
    from ...prediction.predictor import Prediction
    from ...runs.record import RunRecord
    from ...store.rows import StoredRun
    from .plan import ClassifyPlan


class EmbeddingWriter(RunEntry):
    """Stores a run's embeddings: image vectors always, region embeddings if ``with_regions``.

    ``replaces`` is the token of the run that this one has replaced, if any.
    """

    def __init__(self, plan: ClassifyPlan, run: RunRecord, *, with_regions: bool, replaces: str | None) -> None:
        self._plan = plan
        self._geometry = geometry_of(plan.config.regions)
        self._can_recall = plan.encoder.fingerprint is not None
        self._columns: list[int] = []
        super().__init__(run.token, lambda store: self._open(store, run, replaces), with_regions=with_regions)

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
        self._columns = _columns(plan.predictor.vector_keys, opened)
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
        samples = [
            StoredSample(image, prediction.vectors[self._columns], prediction.finding)
            for image, prediction in zip(images, predictions, strict=True)
        ]
        self._write(samples, self._plan.predictor.findings_key, with_regions=self._with_regions)


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


def space_warnings(images: int, plan: RegionPlan, dim: int | None) -> list[str]:
    """Returns a sentence if the embeddings of the crops of some images may be more than the store can hold.

    Args:
        images: number of images
        plan: which crops are encoded, at most
        dim: length of an embedding; None where it is not known, which warns of nothing
    """
    fitting = None if dim is None else fitting_images(images, plan.encodes_per_image * region_bytes(dim))
    if fitting is None:
        return []
    warning = (
        f"the store of embeddings may have {default_limit() / GIGABYTE:g} GB, which hold the crops of at least "
        f"{fitting:,} of the {images:,} images: others may get labels alone, and no evidence or other weights later; "
        "set LGCA_STORE_GB to more, or classify without storing embeddings of crops"
    )
    return [warning]


def stored_fingerprint(plan: ClassifyPlan, token: str) -> str:
    """Returns the key of an encoder's embeddings: its fingerprint, its precision, and how crops are resized for it.

    Two versions of an encoder without a fingerprint can't be distinguished, so its embeddings belong to one run only.
    """
    own = "" if plan.encoder.fingerprint is not None else f"/{token}"
    return f"{shared_fingerprint(plan.config)}{own}"
