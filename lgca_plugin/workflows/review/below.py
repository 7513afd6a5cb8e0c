"""The labels that come after the last suspect: those of the lowest quality that are no suspects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bson import ObjectId

from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ..decisions.queue import Triage

if TYPE_CHECKING:
    from ...runs.record import RunRecord


def labels_below(run: RunRecord, n: int, *, after: str | None = None) -> dict[str, float]:
    """Returns the n labels of the lowest quality that are no suspects and not decided.

    Args:
        run: a triaged run
        n: number of labels, at least 1
        after: id of a sample, decided or not: only labels that come after it; None for all of them

    Returns:
        sample id to the quality of its label, in [0, 1], the lowest first; fewer where there are no more

    Raises:
        ConfigError: if the run has not been triaged
    """
    fields, quality = Triage.of(run).places, triage_field(run.key, LABEL_QUALITY)
    others: dict[str, Any] = {
        quality: {"$ne": None},
        f"{fields.suggestion}.label": None,
        f"{fields.decision}.action": None,
    }
    if after is not None:
        others["$or"] = _after(run, quality, ObjectId(after))
    found = sample_collection(run.dataset).find(others, [quality], sort=[(quality, 1), ("_id", 1)], limit=n)
    return {str(document["_id"]): float(document[quality]) for document in found}


def count_below(run: RunRecord) -> int:
    """Returns the number of labels that are no suspects and are decided."""
    fields = Triage.of(run).places
    others = {f"{fields.decision}.action": {"$gt": ""}, f"{fields.suggestion}.label": None}
    return int(sample_collection(run.dataset).count_documents(others))


def _after(run: RunRecord, quality: str, id_: ObjectId) -> list[dict[str, Any]]:
    """Returns the alternatives of a query for what follows a sample in the order of quality and id."""
    stored = sample_collection(run.dataset).find_one({"_id": id_}, [quality]) or {}
    lowest = stored.get(quality)
    if lowest is None:  # it was deleted, or has no quality: nothing stands before it
        return [{quality: {"$ne": None}}]
    return [{quality: {"$gt": lowest}}, {quality: lowest, "_id": {"$gt": id_}}]
