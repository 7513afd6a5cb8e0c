"""The suspects as files: a table, and what CVAT and Label Studio import, read back by FiftyOne's own importers."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import fiftyone as fo
import pytest
from fiftyone.utils.labelstudio import import_label_studio_annotation

from lgca_plugin.errors import ConfigError
from lgca_plugin.workflows.decisions.annotation_files import LOCAL_FILES, SuspectFile, common_folder, cvat_text
from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.suspect_rows import SuspectRow

ODD = 'a "<b>" & été\x07'


@pytest.fixture
def decided(triage):
    """A triage whose first suspect is changed to another class, and whose second one keeps its label."""
    first, second = triage.suspects().values("id")[:2]
    other = next(name for name in triage.run.config.classes if name != triage.suspects().first().labels.label)
    triage.decide(first, "accepted", label=other, by="Ann", note="=1+1")
    triage.decide(second, "label right", by="Bob")
    return triage


def odd_row(folder):
    """A row whose texts are markup, of an image that is gone."""
    row: dict[str, Any] = {
        "place": 1,
        "sample_id": "0" * 24,
        "filepath": str(folder / "a & <b>.jpg"),
        "given": ODD,
        "suggested": ODD,
        "confidence": 0.5,
        "label_quality": 0.1,
        "case": None,
        "decision": None,
        "corrected": None,
        "by": None,
        "at": None,
        "note": None,
    }
    return SuspectRow(**row)


@pytest.mark.parametrize(
    ("decision", "label"),
    [
        (None, "suggested"),
        (Decision.ACCEPTED, "corrected"),
        (Decision.LABEL_RIGHT, "given"),
        (Decision.BAD_CROP, "given"),
        (Decision.BAD_IMAGE, "suggested"),
        (Decision.SKIPPED, "suggested"),
    ],
)
def test_label__is_what_was_decided_else_the_suggestion(tmp_path, decision, label):
    row = replace(odd_row(tmp_path), given="given", suggested="suggested", corrected="corrected", decision=decision)
    assert row.label == label


def test_table__has_every_suspect_with_its_decision_in_the_order_of_the_queue(decided, tmp_path):
    with decided.export_suspects(tmp_path / "suspects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    queue = decided.suspects(decided=None)
    assert [row["sample_id"] for row in rows] == queue.values("id")
    assert [row["given"] for row in rows] == queue.values("labels.label")
    assert [row["suggested"] for row in rows] == queue.values(f"{decided.places.suggestion}.label")
    assert [row["place"] for row in rows] == [str(place) for place in range(1, len(rows) + 1)]
    first, second, *others = rows
    assert (first["decision"], first["by"], first["note"]) == ("changed", "Ann", "'=1+1")
    assert first["corrected"] not in ("", first["given"])
    assert (second["decision"], second["corrected"]) == ("kept", "")
    assert others and not any(row["decision"] or row["by"] or row["at"] for row in others)


def test_cvat__each_image_has_the_decided_class_else_the_suggested_one(decided, tmp_path):
    path = decided.export_suspects(tmp_path / "suspects.xml")
    queue = decided.suspects(decided=None)
    root = common_folder([odd_row(Path(name).parent) for name in queue.values("filepath")])
    read = fo.Dataset.from_dir(
        dataset_type=fo.types.CVATImageDataset, data_path=str(root), labels_path=str(path), label_field="read"
    )
    with_size = {Path(name).stem: (width, height) for name, width, height in _sizes(read)}
    found = {
        Path(name).stem: tags[0].label
        for name, tags in zip(*read.values(["filepath", "read_classifications.classifications"]), strict=True)
    }
    read.delete()
    accepted, kept, *others = queue
    assert found[Path(accepted.filepath).stem] == accepted.labels_corrected.label != accepted.labels.label
    assert found[Path(kept.filepath).stem] == kept.labels.label
    for one in others:
        assert found[Path(one.filepath).stem] == one[decided.places.suggestion].label
    assert len(found) == len(queue) and all(width > 8 and height > 8 for width, height in with_size.values())


def _sizes(dataset):
    return zip(*dataset.values(["filepath", "metadata.width", "metadata.height"]), strict=True)


def test_label_studio__suggestions_are_predictions_and_decisions_annotations(decided, tmp_path):
    tasks = json.loads(decided.export_suspects(tmp_path / "suspects.json").read_text(encoding="utf-8"))
    accepted, kept, *others = decided.suspects(decided=None)
    for task, sample in zip(tasks, [accepted, kept, *others], strict=True):
        (prediction,) = task["predictions"]
        suggestion = sample[decided.places.suggestion]
        assert _label(prediction) == suggestion.label and prediction["score"] == suggestion.confidence
        assert task["data"]["given"] == sample.labels.label
        assert task["data"]["image"] == f"{LOCAL_FILES}{Path(sample.filepath).name}"
    assert _label(tasks[0]["annotations"][0]) == accepted.labels_corrected.label
    assert _label(tasks[1]["annotations"][0]) == kept.labels.label
    assert not any(task["annotations"] for task in tasks[2:])
    view = ET.fromstring(decided.suspects_text("label-studio-interface"))
    (choices,), (picture,) = view.findall("Choices"), view.findall("Image")
    names = {choices.get("name"), picture.get("name")}
    assert names == {prediction["result"][0][key] for key in ("from_name", "to_name")}
    assert [choice.get("value") for choice in choices] == list(decided.run.config.classes)


def _label(of):
    return import_label_studio_annotation(of["result"][0])[1].label


def test_names__are_relative_to_a_folder_of_ones_own_and_begin_as_one_likes(decided):
    root = Path(decided.suspects().first().filepath).parent.parent
    (first, *_) = json.loads(decided.suspects_text("label-studio", root=root, prefix="https://images.example/"))
    assert first["data"]["image"].startswith(
        f"https://images.example/{Path(decided.suspects().first().filepath).parent.name}/"
    )


def test_text_that_is_markup_or_no_character_of_xml_is_a_text(tmp_path):
    of = SuspectFile(run_key="zs", rows=[odd_row(tmp_path)], classes=[ODD], root=tmp_path)
    (image,) = ET.fromstring(cvat_text(of)).iter("image")
    assert image.get("name") == "a & <b>.jpg" and image.get("width") is None
    assert [tag.get("label") for tag in image] == ['a "<b>" & été\ufffd']


def test_refused(decided, tmp_path):
    with pytest.raises(ConfigError, match="file_format must be one of 'csv', 'cvat'"):
        decided.export_suspects(tmp_path / "suspects.txt")
    path = decided.export_suspects(tmp_path / "suspects.csv")
    with pytest.raises(ConfigError, match="exists"):
        decided.export_suspects(path)
    assert decided.export_suspects(path, "label-studio", overwrite=True).read_text(encoding="utf-8").startswith("[")
