"""The labels that come after the last suspect: those of the lowest quality that are no suspects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import ObjectId

from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.fields import LABEL_QUALITY, triage_field
from ..decisions.decisions import Decision
from ..decisions.queue import Triage
from .forecast import forecast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...method.labels.expected_errors import Expectation
    from ...runs.record import RunRecord
    from .suspects import Suspect


AHEAD = 10
"""Number of labels of which it is said how many are expected to be wrong."""


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


@dataclass(frozen=True, kw_only=True)
class BelowProgress:
    """The decisions about labels that are no suspects.

    Attributes:
        reviewed: number of them
        changed: number of those for which another class than the given one was accepted
    """

    reviewed: int
    changed: int

    def __str__(self) -> str:
        return f"{self.reviewed:,} reviewed, {self.changed:,} changed"


def progress_below(run: RunRecord) -> BelowProgress:
    """Counts the decisions about labels that are no suspects."""
    fields = Triage.of(run).places
    decided = {f"{fields.decision}.action": {"$gt": ""}, f"{fields.suggestion}.label": None}
    other = {"$ne": [f"${fields.decision}.given", f"${fields.decision}.corrected"]}
    accepted = {"$eq": [f"${fields.decision}.label", Decision.ACCEPTED.value]}
    changed = {"$sum": {"$cond": [{"$and": [accepted, other]}, 1, 0]}}
    stages = [{"$match": decided}, {"$group": {"_id": None, "reviewed": {"$sum": 1}, "changed": changed}}]
    found: dict[str, Any] = next(iter(sample_collection(run.dataset).aggregate(stages)), {})
    return BelowProgress(reviewed=found.get("reviewed", 0), changed=found.get("changed", 0))


def expected_below(run: RunRecord, suspects: Sequence[Suspect], labels: Mapping[str, float]) -> Expectation:
    """Returns how many of the first ten labels that come after the last suspect are expected to be wrong.

    Args:
        run: a triaged run
        suspects: all suspects with their decisions
        labels: at least ten labels, as :func:`labels_below` returns them, if there are so many
    """
    return forecast(run, suspects, np.array([*labels.values()][:AHEAD], dtype=np.float64))


def _after(run: RunRecord, quality: str, id_: ObjectId) -> list[dict[str, Any]]:
    """Returns the alternatives of a query for what follows a sample in the order of quality and id."""
    stored = sample_collection(run.dataset).find_one({"_id": id_}, [quality]) or {}
    lowest = stored.get(quality)
    if lowest is None:  # it was deleted, or has no quality: nothing stands before it
        return [{quality: {"$ne": None}}]
    return [{quality: {"$gt": lowest}}, {quality: lowest, "_id": {"$gt": id_}}]
