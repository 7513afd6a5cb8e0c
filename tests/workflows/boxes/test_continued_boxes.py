"""Going on after boxes, labels and images have changed: only what is new is encoded, and what people did stays."""

import fiftyone as fo
import pytest

from lgca_plugin.demo.flocks import draw_flocks
from tests.workflows.boxes.test_find_boxes import by_id

pytestmark = pytest.mark.usefixtures("module_store")


def change(dataset, edit):
    sample = dataset.first()
    edit(sample.ground_truth.detections)
    sample.save()


def test_continued__a_moved_box_is_a_new_region_and_a_changed_label_keeps_its_embeddings(flock, find, tmp_path):
    triage = find(flock.to_patches("ground_truth"))
    total = find.counting.encoded
    first, second, third = flock.first().ground_truth.detections[:3]
    triage.decide([first.id], "accepted", label="great egret", by="me")

    change(flock, lambda labels: setattr(labels[1], "label", "grey heron"))
    again = find(flock.to_patches("ground_truth"))
    assert find.counting.encoded == 0
    assert dict(zip(*again.run.dataset.values(["id", "ground_truth.label"]), strict=True))[second.id] == "grey heron"
    assert by_id(flock, "zeroshot_decision")[first.id] == "accepted"

    x, y, width, height = first.bounding_box
    moved = [x + 0.05 * width, y, width, height]
    change(flock, lambda labels: setattr(labels[0], "bounding_box", moved))
    change(flock, lambda labels: labels.pop(2))
    find(flock.to_patches("ground_truth"))
    assert 0 < find.counting.encoded < total / 3
    assert by_id(flock, "bounding_box", "ground_truth_corrected")[first.id] == moved
    assert by_id(flock, "label", "ground_truth_corrected")[first.id] == "great egret"
    assert third.id not in by_id(flock, "label", "ground_truth_corrected")
    assert third.id not in again.run.dataset.values("id")

    (picture,) = draw_flocks(tmp_path / "more", count=1, seed=9)
    labels = [fo.Detection(label=bird.label, bounding_box=list(bird.box)) for bird in picture.birds]
    flock.add_sample(fo.Sample(filepath=picture.path, ground_truth=fo.Detections(detections=labels)))
    last = find(flock.to_patches("ground_truth"))
    assert 0 < find.counting.encoded < total
    assert len(last.run.dataset) == len(by_id(flock, "label")) == last.run.summary()["predicted"]
    last.decide([labels[0].id], "label right")
    assert by_id(flock, "label", "ground_truth_corrected").keys() == by_id(flock, "label").keys()


def test_continued__a_label_that_was_corrected_by_hand_stays(flock, find):
    triage = find(flock.to_patches("ground_truth"))
    first, second = flock.first().ground_truth.detections[:2]
    triage.decide([first.id], "accepted", label="great egret")
    sample = flock.first()
    sample.ground_truth_corrected.detections[1].label = "white stork"
    sample.save()
    triage.decide([first.id], "label right")
    find(flock.to_patches("ground_truth"))
    corrected = by_id(flock, "label", "ground_truth_corrected")
    assert (corrected[first.id], corrected[second.id]) == (first.label, "white stork")


def test_continued__attributes_that_were_lost_come_back_and_a_deleted_copy_is_made_again(flock, find):
    triage = find(flock.to_patches("ground_truth"))
    first = flock.first().ground_truth.detections[0]
    triage.decide([first.id], "accepted", label="great egret")
    flock.delete_sample_fields(["ground_truth.detections.zeroshot_lgca", "ground_truth_corrected"])
    triage = find(flock.to_patches("ground_truth"))
    assert None not in by_id(flock, "zeroshot_lgca").values()
    done = triage.decide([flock.last().ground_truth.detections[0].id], "label right")
    assert done.restored == 1
    assert by_id(flock, "label", "ground_truth_corrected")[first.id] == "great egret"


def test_some_boxes__of_a_view_are_classified_and_the_others_later(flock, find):
    patches = flock.to_patches("ground_truth")
    some = patches.limit(2)
    run = find(some).run
    assert run.summary()["predicted"] == 2
    assert sum(label is not None for label in by_id(flock, "zeroshot_lgca").values()) == 2
    assert find(patches).run.summary()["predicted"] == len(patches)
