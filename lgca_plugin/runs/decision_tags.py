"""The tags of a run's decisions, which go with the decisions when the run is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.database import bulk_write
from ..fiftyone_io.documents import utc_now
from ..fiftyone_io.fields import DECISION, triage_field

if TYPE_CHECKING:
    import fiftyone as fo


def remove_decision_tags(dataset: fo.Dataset, run_key: str) -> None:
    """Removes the tags that a run's current decisions have added to samples; tags that were there before stay.

    Where another run's current decision on the sample is the same, the tag stays, as that decision's tag from now on.
    """
    from pymongo import UpdateMany

    schema, own = dataset.get_field_schema(flat=True), triage_field(run_key, DECISION)
    if own not in schema:
        return
    others = [path for path in schema if path.endswith(f"_{DECISION}") and path != own and f"{path}.action" in schema]
    tagged: dict[str, Any] = {f"{own}.state.tag": {"$gt": ""}}
    tag, now = f"${own}.state.tag", utc_now()
    updates = []
    for other in others:
        same = {"$eq": [f"${other}.label", f"${own}.label"]}
        handed = {"$set": {f"{other}.state.tag": {"$cond": [same, tag, f"${other}.state.tag"]}}}
        updates.append(UpdateMany({**tagged, f"{other}.action": {"$gt": ""}}, [handed]))
    held = {"$or": [False, *({"$eq": [f"${other}.state.tag", tag]} for other in others)]}
    without = {"$filter": {"input": "$tags", "as": "tag", "cond": {"$ne": ["$$tag", tag]}}}
    change = {"tags": {"$cond": [held, "$tags", without]}, "last_modified_at": now}
    updates.append(UpdateMany(tagged, [{"$set": change}]))
    bulk_write(dataset, updates)
