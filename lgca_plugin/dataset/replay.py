"""A run's images as they were encoded, from the store, without their files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..growing import EncodedImage, GrowingImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..config import RegionPlan
    from .store import Store
    from .store_rows import StoredRun

IMAGES_AT_ONCE = 64


def replay(
    store: Store, stored: StoredRun, sample_ids: Sequence[str], plan: RegionPlan
) -> Iterator[tuple[list[EncodedImage[str]], list[str]]]:
    """Goes through the expansion steps again on the stored embeddings.

    Args:
        store: the store
        stored: the run's entry in it
        sample_ids: the samples
        plan: which regions are wanted; of the run's own, or fewer

    Yields:
        batches: the images in the order of their ids, and the ids of those whose embeddings are not all there
    """
    for start in range(0, len(sample_ids), IMAGES_AT_ONCE):
        batch = sample_ids[start : start + IMAGES_AT_ONCE]
        images: list[EncodedImage[str]] = []
        for id_, content_hash, known in store.known_regions(stored, batch):
            image = GrowingImage(content_hash, plan, known=known)
            finished = image.finished(id_) if image.replay() else None
            if isinstance(finished, EncodedImage):
                images.append(finished)
        complete = {image.id for image in images}
        yield images, [id_ for id_ in batch if id_ not in complete]
