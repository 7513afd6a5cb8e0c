"""A run's encoded images, from the store instead of their files."""

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
"""The quickest of 16 to 256: 11 MB of the default regions, which fit into a processor's cache."""

BATCHES_AHEAD = 2

Part = TypeVar("Part")
Made = TypeVar("Made")


def replay(
    store: Store, stored: StoredRun, sample_ids: Sequence[str], plan: RegionPlan, *, at_once: int = IMAGES_AT_ONCE
) -> Generator[tuple[list[EncodedImage[str]], list[str]], None, None]:
    """Yields the images of each of :func:`replay_batches`, and the ids of samples with incomplete embeddings."""
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
    """Repeats the expansion steps of a run, or fewer, on its stored embeddings, ``at_once`` images at a time.

    Yields for each batch the images, in the order of their ids, None without any, and the ids of samples whose
    embeddings are incomplete. The images of a batch have equally many regions: those of an adaptive budget come in the
    order of their levels.

    Batches are read in a second thread while the caller works on those before them, and may write to the store. A
    generator that is not exhausted must be closed before the store.
    """

    def read(part: tuple[Sequence[str], int]) -> tuple[RegionBatch | None, list[str]]:
        ids, level = part
        batch = replay_batch(list(store.known_regions(stored, ids)), plan, level)
        complete = set() if batch is None else set(batch.ids)
        return batch, [id_ for id_ in ids if id_ not in complete]

    parts = [
        (ids[start : start + at_once], level)
        for level, ids in _by_level(store, stored, sample_ids, plan)
        for start in range(0, len(ids), at_once)
    ]
    yield from map_ahead(read, parts)


def _by_level(
    store: Store, stored: StoredRun, sample_ids: Sequence[str], plan: RegionPlan
) -> list[tuple[int, Sequence[str]]]:
    """Groups samples by the budget level at which they stopped."""
    if not plan.adaptive:
        return [(0, sample_ids)]
    levels = store.levels(stored, sample_ids)
    found: defaultdict[int, list[str]] = defaultdict(list)
    for id_ in sample_ids:
        found[levels.get(id_, 0)].append(id_)
    return sorted(found.items())


def map_ahead(make: Callable[[Part], Made], parts: Sequence[Part]) -> Generator[Made, None, None]:
    """Yields ``make`` of each part, in their order, computed a little ahead of the caller."""
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
