"""The text that the grid shows on a suspect and on a sample that somebody has decided about.

It is computed in the database, from the sample's suggestion and decision as they are when it is written:
"grey heron → great egret?" on a suspect, "grey heron → great egret" once the label is changed, nothing once it is kept.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.database import bulk_write
from ...fiftyone_io.documents import utc_now
from .decisions import Decision

if TYPE_CHECKING:
    import fiftyone as fo

    from .decisions import DecisionFields

ARROW = " → "
BAD_IMAGE = "bad image"
UNSETTLED = "can't tell"


def pill_stages(dataset: fo.Dataset, fields: DecisionFields) -> list[dict[str, Any]]:
    """Returns the stages that write a sample's text after its decision; none if an earlier release triaged the run."""
    return [_stage(fields)] if fields.suspect in dataset.get_field_schema() else []


def write_pills(dataset: fo.Dataset, fields: DecisionFields) -> None:
    """Writes the texts of all samples that have a suggestion or a decision, in one update."""
    from pymongo import UpdateMany

    marked = [{f"{fields.suggestion}.label": {"$gt": ""}}, {f"{fields.decision}.action": {"$gt": ""}}]
    stages = [_stage(fields), {"$set": {"last_modified_at": utc_now()}}]
    bulk_write(dataset, [UpdateMany({"$or": marked}, stages)])


def _stage(fields: DecisionFields) -> dict[str, Any]:
    suggestion, decision = f"${fields.suggestion}", f"${fields.decision}"
    decided = {"$gt": [f"{decision}.action", None]}
    same = {"$eq": [f"{decision}.given", f"{decision}.corrected"]}
    changed = {"$cond": [same, None, _change(f"{decision}.given", f"{decision}.corrected")]}
    texts = {Decision.ACCEPTED: changed, Decision.BAD_IMAGE: BAD_IMAGE, Decision.SKIPPED: UNSETTLED}
    branches = [{"case": {"$eq": [f"{decision}.label", choice.value]}, "then": text} for choice, text in texts.items()]
    suspected = {"$gt": [f"{suggestion}.label", None]}
    text = {
        "$cond": [
            decided,
            {"$switch": {"branches": branches, "default": None}},
            {"$cond": [suspected, _change(f"{suggestion}.given", f"{suggestion}.label", "?"), None]},
        ]
    }
    label = {
        "_id": {"$ifNull": [f"${fields.suspect}._id", _new_id()]},
        "_cls": "Classification",
        "tags": {"$ifNull": [f"${fields.suspect}.tags", []]},
        "label": "$$text",
    }
    shown = {"$cond": [{"$eq": ["$$text", None]}, None, label]}
    return {"$set": {fields.suspect: {"$let": {"vars": {"text": text}, "in": shown}}}}


def _change(given: str, new: str, end: str = "") -> dict[str, Any]:
    """Returns the text "given → new"; without a given label, the new one alone."""
    return {"$concat": [{"$cond": [{"$gt": [given, ""]}, {"$concat": [given, ARROW]}, ""]}, new, end]}


def _new_id() -> dict[str, Any]:
    """Returns a new id for each sample: 8 random hexadecimal digits, and 16 of the sample's id."""
    own = {"$substrBytes": [{"$toString": "$_id"}, 8, 16]}
    return {"$toObjectId": {"$concat": [uuid.uuid4().hex[:8], own]}}
