"""A run's images as they were encoded, from the store, without their files."""

from __future__ import annotations

from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ..engine.batched_replay import RegionBatch, replay_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ..config import RegionPlan
    from ..engine.embeddings import EncodedImage
    from ..store.rows import StoredRun
    from ..store.store import Store

IMAGES_AT_ONCE = 64
"""The quickest of 16 to 256: 11 MB of the default regions, which the next step still finds in a processor's cache."""

BATCHES_AHEAD = 2

Part = TypeVar("Part")
Made = TypeVar("Made")


def replay(
    store: Store, stored: StoredRun, sample_ids: Sequence[str], plan: RegionPlan, *, at_once: int = IMAGES_AT_ONCE
) -> Generator[tuple[list[EncodedImage[str]], list[str]], None, None]:
    """Goes through the expansion steps again on the stored embeddings.

    Args:
        store: the store
        stored: the run's entry in it
        sample_ids: the samples
        plan: which regions are wanted; of the run's own, or fewer
        at_once: how many samples a batch

    Yields:
        batches: the images in the order of their ids, and the ids of those whose embeddings are not all there
    """
    for batch, incomplete in replay_batches(store, stored, sample_ids, plan, at_once=at_once):
        yield [] if batch is None else batch.images(), incomplete


def replay_batches(
    store: Store,
    stored: StoredRun,
    sample_ids: Sequence[str],
    plan: RegionPlan,
    *,
    at_once: int = IMAGES_AT_ONCE,
) -> Generator[tuple[RegionBatch | None, list[str]], None, None]:
    """Goes through the expansion steps again on the stored embeddings, many images at a time.

    The images of a batch have as many regions: those of an adaptive budget come rung by rung.

    Batches are read and checked in a second thread while the caller works on those before them. The caller may write
    to the store in between; if it stops early, the generator has to be closed, as happens when nothing refers to it any
    more, before the store is.

    Args:
        store: the store
        stored: the run's entry in it
        sample_ids: the samples, each once
        plan: which regions are wanted; of the run's own, or fewer
        at_once: how many samples a batch

    Yields:
        for each batch of ``sample_ids`` the images, in their order, or None where there is none; and the ids of those
        whose embeddings are not all there
    """

    def read(part: tuple[Sequence[str], int]) -> tuple[RegionBatch | None, list[str]]:
        ids, level = part
        batch = replay_batch(list(store.known_regions(stored, ids)), plan, level)
        complete = set() if batch is None else set(batch.ids)
        return batch, [id_ for id_ in ids if id_ not in complete]

    parts = [
        (ids[start : start + at_once], level)
        for level, ids in _by_rung(store, stored, sample_ids, plan)
        for start in range(0, len(ids), at_once)
    ]
    yield from _made_ahead(read, parts)


def _by_rung(
    store: Store, stored: StoredRun, sample_ids: Sequence[str], plan: RegionPlan
) -> list[tuple[int, Sequence[str]]]:
    """Sorts samples by the rung of the plan that they have ended on."""
    if not plan.adaptive:
        return [(0, sample_ids)]
    levels = store.levels(stored, sample_ids)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for id_ in sample_ids:
        found[levels.get(id_, 0)].append(id_)
    return sorted(found.items())


def _made_ahead(make: Callable[[Part], Made], parts: Sequence[Part]) -> Generator[Made, None, None]:
    """Makes something of each part, in their order, a little ahead of the caller."""
    if len(parts) < 2:  # a thread is not worth its start
        yield from map(make, parts)
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="lgca-replay")
    try:
        waiting = deque(pool.submit(make, part) for part in parts[:BATCHES_AHEAD])
        for part in parts[BATCHES_AHEAD:]:
            made = waiting.popleft().result()
            waiting.append(pool.submit(make, part))
            yield made
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
