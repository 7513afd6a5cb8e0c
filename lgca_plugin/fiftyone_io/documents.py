"""The values of a run's fields as MongoDB documents, and writing them: all fields of a sample in one step.

FiftyOne's label classes cost half a millisecond a box; a sample has twelve. So the documents are built here, as those
classes would store them (a test compares the two), and a sample is written whole or not at all.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .database import bulk_write, reload_samples

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

    from ..prediction.displayed_regions import DisplayedRegion
    from ..prediction.predictor import MethodPrediction

Document = dict[str, Any]

UPDATES_A_CONNECTION = 250
"""MongoDB works off a connection's updates one by one; so many are worth another connection, and so another core."""


CLOCK_SLACK = timedelta(seconds=10)
"""A stamp is made earlier than it is written, by a clock that may be a little behind: what is stamped so shortly before
something was read may not have been there yet."""


def utc_now() -> datetime:
    """Gives the time as FiftyOne stamps its own writes: UTC, without saying so."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def classification(prediction: MethodPrediction, classes: Sequence[str], *, logits: bool) -> Document:
    """Makes the label of one method for one sample.

    Args:
        prediction: what the method says
        classes: the class names, by index
        logits: whether the label carries all class scores

    Returns:
        a Classification with label, confidence and margin
    """
    from bson import Binary, ObjectId

    document: Document = {
        "_id": ObjectId(),
        "_cls": "Classification",
        "tags": [],
        "label": classes[prediction.label],
        "confidence": prediction.confidence,
    }
    if logits and prediction.scores is not None:
        from fiftyone.core.utils import serialize_numpy_array

        document["logits"] = Binary(serialize_numpy_array(prediction.scores))
    document["margin"] = prediction.margin
    return document


def detections(regions: Sequence[DisplayedRegion], classes: Sequence[str]) -> Document:
    """Makes the boxes of one sample: ``index`` is the chain, the label is the region's own vote."""
    from bson import ObjectId

    return {
        "_cls": "Detections",
        "detections": [
            {
                "_id": ObjectId(),
                "_cls": "Detection",
                "attributes": {},
                "tags": [],
                "label": classes[region.label],
                "bounding_box": list(region.box),
                "confidence": region.confidence,
                "index": region.chain,
                "step": region.step,
                "similarity": region.similarity,
                "weight": region.weight,
                "contribution": region.contribution,
                "misleading": region.misleading,
            }
            for region in regions
        ],
    }


def write_fields(dataset: fo.Dataset, values: Mapping[str, Mapping[str, Any]], *, filled: Sequence[str] = ()) -> None:
    """Writes fields of samples; samples that the dataset no longer holds are passed over.

    Args:
        dataset: the dataset
        values: sample id to field to document or plain value
        filled: fields that must have a value; samples without one are passed over
    """
    from bson import ObjectId
    from pymongo import UpdateOne

    if not values:
        return
    modified = {"last_modified_at": utc_now()}
    there = {field: {"$ne": None} for field in filled}
    updates = [
        UpdateOne({"_id": ObjectId(id_), **there}, {"$set": {**fields, **modified}}) for id_, fields in values.items()
    ]
    half = len(updates) // 2 if len(updates) >= 2 * UPDATES_A_CONNECTION else 0
    with ThreadPoolExecutor(1) as other:
        first = other.submit(bulk_write, dataset, updates[:half], ()) if half else None
        bulk_write(dataset, updates[half:], ())
        if first is not None:
            first.result()
    reload_samples(dataset, values)
