"""The documents that a run writes: as FiftyOne's own label classes would store them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from bson import ObjectId

from lgca_plugin.fiftyone_io.documents import as_utc, classification, detections, write_fields
from lgca_plugin.prediction.displayed_regions import DisplayedRegion
from lgca_plugin.prediction.predictor import MethodPrediction

CLASSES = ("heron", "stork", "crane")


@pytest.fixture
def two(dataset: fo.Dataset, tmp_path: Path) -> fo.Dataset:
    """Two samples, and fields of labels as a run declares them."""
    for name, kind in (("label", fo.Classification), ("boxes", fo.Detections)):
        dataset.add_sample_field(name, fo.EmbeddedDocumentField, embedded_doc_type=kind)
    dataset.add_sample_field("error", fo.StringField)
    dataset.add_samples([fo.Sample(filepath=str(tmp_path / f"{number}.jpg")) for number in range(2)], progress=False)
    return dataset


def raw(dataset: fo.Dataset, id_: str) -> dict[str, Any]:
    """A sample as it is in the database."""
    return dict(dataset._sample_collection.find_one({"_id": ObjectId(id_)}))


def without_ids(document: Any) -> Any:
    """A document without the ids of its parts, which are random."""
    if isinstance(document, dict):
        return {name: without_ids(value) for name, value in document.items() if name not in ("_id", "id")}
    return [without_ids(value) for value in document] if isinstance(document, list) else document


def own_label(made: MethodPrediction, *, logits: bool) -> fo.Classification:
    own = made.logits if logits else None
    return fo.Classification(label=CLASSES[made.label], confidence=made.confidence, margin=made.margin, logits=own)


def region(chain: int, step: int, *, misleading: bool = False) -> DisplayedRegion:
    scores = {"confidence": 0.5, "similarity": 0.25, "weight": 0.03125, "contribution": -0.125}
    return DisplayedRegion(
        chain=chain, step=step, box=(0.1, 0.25, 0.5, 0.625), label=2, misleading=misleading, **scores
    )


REGIONS = [region(4, 0, misleading=True), region(4, 1), region(0, 0)]


def own_boxes(regions: list[DisplayedRegion]) -> fo.Detections:
    names = ("confidence", "step", "similarity", "weight", "contribution", "misleading")
    return fo.Detections(
        detections=[
            fo.Detection(
                label=CLASSES[one.label],
                bounding_box=list(one.box),
                index=one.chain,
                **{name: getattr(one, name) for name in names},
            )
            for one in regions
        ]
    )


SCORES = np.array([0.1, 0.2, 0.3], np.float32)


@pytest.mark.parametrize("logits", [False, True])
@pytest.mark.parametrize("scores", [None, np.array([0.125, 0.5, -0.25]), SCORES, np.linspace(-1, 1, 1000)])
def test_classification__is_what_fiftyone_s_own_label_gives(scores: Any, logits: bool) -> None:
    made = MethodPrediction(1, 0.75, 0.125, scores)
    document = classification(made, CLASSES, logits=logits)
    expected = own_label(made, logits=logits).to_mongo().to_dict()
    assert without_ids(document) == without_ids(expected)
    assert isinstance(document["_id"], ObjectId)
    assert {name: type(value) for name, value in document.items()} == {
        name: type(value) for name, value in expected.items()
    }


@pytest.mark.parametrize("regions", [[], REGIONS])
def test_detections__are_what_fiftyone_s_own_labels_give(regions: list[DisplayedRegion]) -> None:
    document = detections(regions, CLASSES)
    expected = own_boxes(regions).to_mongo().to_dict()
    assert without_ids(document) == without_ids(expected)
    assert len({box["_id"] for box in document["detections"]}) == len(regions)


def test_write__stores_what_saving_a_sample_would_and_reads_back_the_same(two: fo.Dataset) -> None:
    first, second = two
    made = MethodPrediction(1, 0.75, 0.125, SCORES)
    values = {"label": classification(made, CLASSES, logits=True), "boxes": detections(REGIONS, CLASSES)}
    write_fields(two, {first.id: {**values, "error": None}, second.id: {"error": "the file is empty"}})
    third = fo.Sample(filepath=f"{first.filepath}.jpg", label=own_label(made, logits=True), boxes=own_boxes(REGIONS))
    two.add_sample(third)

    written, saved = (raw(two, sample.id) for sample in (first, third))
    assert written.pop("error") is None  # which FiftyOne does not store, and reads the same
    own = ("_id", "_rand", "filepath", "created_at", "last_modified_at")
    assert without_ids({name: value for name, value in written.items() if name not in own}) == without_ids(
        {name: value for name, value in saved.items() if name not in own}
    )
    assert written.keys() == saved.keys()

    two.reload()
    read, other = two[first.id], two[third.id]
    np.testing.assert_array_equal(read.label.logits, other.label.logits)
    assert read.label.logits.dtype == other.label.logits.dtype
    assert (read.label.label, read.label.confidence, read.label.margin) == ("stork", 0.75, 0.125)
    assert [box.index for box in read.boxes.detections] == [4, 4, 0]
    assert [box.misleading for box in read.boxes.detections] == [True, False, False]
    assert two[second.id].error == "the file is empty"
    assert two[second.id].label is None


def test_write__passes_over_samples_that_are_gone_and_makes_none(two: fo.Dataset) -> None:
    first, second = two
    two.delete_samples([second.id])
    write_fields(two, {first.id: {"error": "one"}, second.id: {"error": "two"}, str(ObjectId()): {"error": "three"}})
    assert two.values("error") == ["one"]
    assert two._sample_collection.count_documents({}) == 1
    write_fields(two, {})
    assert two.values("error") == ["one"]


def test_write__moves_last_modified_at_and_reloads_the_samples_that_it_writes(two: fo.Dataset) -> None:
    first, second = two
    before = {id_: raw(two, id_)["last_modified_at"] for id_ in (first.id, second.id)}
    created = raw(two, first.id)["created_at"]
    time.sleep(0.002)  # the database counts milliseconds
    write_fields(two, {first.id: {"error": "one"}})

    after = {id_: raw(two, id_)["last_modified_at"] for id_ in (first.id, second.id)}
    assert before[first.id] < after[first.id] <= datetime.now(timezone.utc).replace(tzinfo=None)
    assert after[second.id] == before[second.id]
    assert raw(two, first.id)["created_at"] == created
    assert first.last_modified_at.replace(tzinfo=None) == after[first.id]
    assert first.error == "one"  # of the sample in memory


def test_times__of_the_database_are_utc_with_a_zone_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
    east = timezone(timedelta(hours=5, minutes=30))
    monkeypatch.setenv("TZ", "Asia/Tokyo")  # of the system, by which a bare time would be taken
    time.tzset()
    try:
        for read in (datetime(2026, 3, 1, 12, 30), datetime(2026, 3, 1, 18, 0, tzinfo=east)):
            assert as_utc(read) == at and as_utc(read).timestamp() == 1772368200
    finally:
        monkeypatch.undo()
        time.tzset()
