"""The samples of each class whose label nobody doubts, and their image vectors.

Nothing is computed for all classes at once. When a card shows a class for the first time, one query finds its samples,
at most :data:`POOL_SIZE` and a random choice of more, and those of the classes of the next cards; the store gives the
vectors of the classes that are shown, and the most recently shown stay in memory. So a card among 100,000 samples reads
512 vectors at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...cache import ResultCache
from ...errors import StoreError
from ...fiftyone_io.boxes.companion import around, around_columns
from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.samples import read_projections
from ...method.labels.typical import median_distance
from ...runs.stored_run import find_stored_run
from ...store.store import Store, store_exists
from ..decisions.decisions import Decision
from ..decisions.queue import Triage
from .suspects import run_state_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...fiftyone_io.thumbnails import Box
    from ...runs.record import RunRecord

POOL_SIZE = 256
"""Maximum number of undoubted samples of a class that are considered."""
MAX_POOLS = 64
"""Maximum number of classes in memory: half a megabyte each at 512 dimensions."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples of a class whose label nobody doubted when the pool was made.

    Attributes:
        ids: their ids, m of them
        vectors: ``[m, d]`` float32 unit vectors of the whole images; None if they are not stored
    """

    ids: tuple[str, ...]
    vectors: NDArray[np.float32] | None

    @cached_property
    def median_distance(self) -> float:
        """Median of 1 - cosine over all pairs, in [0, 2]; nan without a pair."""
        return float("nan") if self.vectors is None else median_distance(self.vectors)


POOLS: ResultCache[Pool] = ResultCache(MAX_POOLS)
LISTED: ResultCache[tuple[str, ...]] = ResultCache(8 * MAX_POOLS)
"""Sample ids of classes: 20 KB each."""


def class_pools(run: RunRecord, labels: Sequence[str], *, ahead: Sequence[str] = ()) -> dict[str, Pool]:
    """Returns class to its undoubted samples, from memory as long as the run is not triaged again.

    Args:
        run: the run
        labels: the classes
        ahead: classes that will be shown soon: where the samples must be searched, theirs are found in the same query
    """
    key = run_state_key(run)
    found: dict[str, tuple[str, ...]] = {}

    def listed(label: str) -> tuple[str, ...]:
        if not found:
            every = list(dict.fromkeys([*labels, *ahead]))
            found.update(dict.fromkeys(every, ()) | _undoubted(run, every))
            for other in found.keys() - {label}:
                LISTED.get((*key, other), partial(found.__getitem__, other))
        return found[label]

    def read(label: str) -> Pool:
        return _pool(run, LISTED.get((*key, label), partial(listed, label)))

    return {label: POOLS.get((*key, label), partial(read, label)) for label in labels}


def still_undoubted(run: RunRecord, label: str, ids: Sequence[str]) -> dict[str, tuple[str, Box | None]]:
    """Returns, by id, file and box of the samples of a pool that are there and whose label is still not doubted."""
    fields, given = Triage.of(run).places, _given(run)
    decided = f"${fields.decision}"
    project = {
        "filepath": 1,
        "label": f"${given}",
        "suggested": f"${fields.suggestion}.label",
        "decision": {"$cond": [{"$gt": [f"{decided}.action", None]}, f"{decided}.label", None]},
    }
    found = read_projections(run.dataset, ids, {**project, **around_columns(run.dataset)})
    return {
        id_: (found[id_]["filepath"], around(run.dataset, found[id_]))
        for id_ in ids
        if id_ in found and found[id_].get("label") == label and not _doubted(found[id_])
    }


def image_vectors(run: RunRecord, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Returns the ``[d]`` unit vectors of the whole images by sample id, of those that are stored."""
    if not store_exists():
        return {}
    try:
        with Store() as store:
            stored = find_stored_run(store, run)
            found = {} if stored is None else store.image_vectors_of(stored, ids)
    except StoreError:  # a review goes on without vectors
        return {}
    return {id_: _unit(vectors[0]) for id_, vectors in found.items()}  # the whole image's are stored first


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def _pool(run: RunRecord, ids: Sequence[str]) -> Pool:
    vectors = image_vectors(run, ids)
    known = tuple(id_ for id_ in ids if id_ in vectors)
    return Pool(known, np.stack([vectors[id_] for id_ in known])) if known else Pool(tuple(ids), None)


def _undoubted(run: RunRecord, labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns class to the ids of samples that all methods give their label, and that are no suspects."""
    fields, given, paths = Triage.of(run).places, _given(run), _answers(run)
    each = [dict.fromkeys((given, *paths), label) for label in labels]
    match = {given: {"$in": list(labels)}, "$or": each, f"{fields.suggestion}.label": None}
    some = {"$topN": {"n": POOL_SIZE, "sortBy": {"_rand": 1}, "output": "$_id"}}
    stages: list[dict[str, Any]] = [{"$match": match}, {"$group": {"_id": f"${given}", "ids": some}}]
    return {group["_id"]: tuple(map(str, group["ids"])) for group in sample_collection(run.dataset).aggregate(stages)}


def _given(run: RunRecord) -> str:
    """Returns the path of the given labels; without any, that of the first method's."""
    ground_truth = Triage.of(run).places.ground_truth
    return _answers(run)[0] if ground_truth is None else label_path(run.dataset, ground_truth)


def _answers(run: RunRecord) -> list[str]:
    """Returns the paths of the labels of the methods that the triage compared."""
    compared = Triage.of(run).report.get("methods") or [method.name for method in run.config.methods]
    return [f"{method_field(run.key, name)}.label" for name in compared]


def _doubted(found: Mapping[str, Any]) -> bool:
    return bool(found.get("suggested")) or found.get("decision") in (Decision.ACCEPTED, Decision.BAD_IMAGE)
