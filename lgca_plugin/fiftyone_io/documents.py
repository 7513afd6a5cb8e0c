"""Labels and boxes as MongoDB documents, and writing all fields of a sample in one update.

FiftyOne's label classes take half a millisecond a box, and a sample has about twelve. So the documents are built here
as those classes would store them; a test compares the two.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from ..images.header import image_header
from .database import bulk_write, reload_samples
from .fields import BEFORE_SHARES, REGION_ATTRIBUTES
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

    from ..images.header import ImageHeader
    from ..prediction.displayed_regions import DisplayedRegion
    from ..prediction.predictor import MethodPrediction

Document = dict[str, Any]

UPDATES_PER_CONNECTION = 250
"""Minimum number of updates per connection: MongoDB executes those of a connection on one core."""

CLOCK_SLACK = timedelta(seconds=10)
"""Tolerance when comparing times of modification with the time of a read.

A time is taken before its sample is written, by a clock that may be behind: a sample whose time is less than this
before a read may have been written after it."""


def utc_now() -> datetime:
    """Returns the time as FiftyOne stores it with its own writes: UTC, without a time zone."""
    return datetime.now(timezone.utc).replace(tzinfo=None)


def as_utc(moment: datetime) -> datetime:
    """Returns a time read from the database in UTC: it comes in FiftyOne's ``timezone`` if that is set, else bare."""
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)


def classification(prediction: MethodPrediction, classes: Sequence[str], *, logits: bool) -> Document:
    """Returns a method's prediction as the document of a Classification; with ``logits``, with those of all classes."""
    from bson import Binary, ObjectId

    document: Document = {
        "_id": ObjectId(),
        "_cls": "Classification",
        "tags": [],
        "label": classes[prediction.label],
        "confidence": prediction.confidence,
    }
    if logits and prediction.logits is not None:
        from fiftyone.core.utils import serialize_numpy_array

        document["logits"] = Binary(serialize_numpy_array(prediction.logits))
    document["margin"] = prediction.margin
    if prediction.before is not None:
        document[BEFORE_SHARES] = classes[prediction.before]
    return document


def detections(regions: Sequence[DisplayedRegion], classes: Sequence[str]) -> Document:
    """Returns a sample's regions as the document of Detections; ``index`` is the chain, the label the region's vote."""
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
                **{name: getattr(region, name) for name in REGION_ATTRIBUTES},
            }
            for region in regions
        ],
    }


def image_metadata(path: str) -> Document | None:
    """Returns the metadata of an image file as the document that FiftyOne stores; None if it can't be read."""
    header = image_header(path)
    return None if header is None else metadata_document(header)


def metadata_document(header: ImageHeader) -> Document:
    """Returns what a file's header says as the document that FiftyOne stores."""
    import fiftyone as fo

    return dict(fo.ImageMetadata(**header.to_json()).to_dict())


@waits_for_database
def write_fields(dataset: fo.Dataset, values: Mapping[str, Mapping[str, Any]], *, filled: Sequence[str] = ()) -> None:
    """Writes fields of samples: sample id to field to document or plain value.

    Skips samples that the dataset no longer holds, and those without a value in one of the ``filled`` fields.
    """
    from bson import ObjectId
    from pymongo import UpdateOne

    if not values:
        return
    modified, there = {"last_modified_at": utc_now()}, {field: {"$ne": None} for field in filled}
    updates = [
        UpdateOne({"_id": ObjectId(id_), **there}, {"$set": {**fields, **modified}}) for id_, fields in values.items()
    ]
    half = len(updates) // 2 if len(updates) >= 2 * UPDATES_PER_CONNECTION else 0
    with ThreadPoolExecutor(1) as other:
        first = other.submit(bulk_write, dataset, updates[:half], ()) if half else None
        bulk_write(dataset, updates[half:], ())
        if first is not None:
            first.result()
    reload_samples(dataset, values)
