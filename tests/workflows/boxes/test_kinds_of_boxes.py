"""Boxes that can't be used, other kinds of labels, grouped datasets, and what is refused."""

from typing import Any

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from tests.workflows.boxes.test_find_boxes import by_id

pytestmark = pytest.mark.usefixtures("module_store")


def test_unusable_boxes__say_why_on_the_label_and_the_others_are_judged(flock, find):
    bad: dict[str, dict[str, Any]] = {
        "the box is marked as a crowd, so it may hold several objects": {"iscrowd": True},
        "the box has no area": {"bounding_box": [0.2, 0.2, 0.0, 0.4]},
        "the box lies outside its image": {"bounding_box": [1.1, 0.2, 0.2, 0.4]},
        "the box is 7 x 176 pixels; a crop needs sides of at least 8": {"bounding_box": [0.2, 0.2, 0.01, 0.4]},
    }
    sample = flock.first()
    n_good = len(by_id(flock, "label"))
    for changes in bad.values():
        box = {"bounding_box": [0.2, 0.2, 0.3, 0.3], **changes}
        sample.ground_truth.detections.append(fo.Detection(label="grey heron", **box))
    sample.ground_truth.detections.append(fo.Detection(bounding_box=[0.2, 0.2, 0.3, 0.3]))
    sample.save()
    triage = find(flock.to_patches("ground_truth"))
    errors = [error for error in by_id(flock, "zeroshot_error").values() if error]
    assert errors == list(bad)
    summary = triage.run.summary()
    assert (summary["predicted"], summary["failed"]) == (n_good, 4)
    assert not flock.first().ground_truth.detections[-1].has_field("zeroshot_lgca")
    classified = lgca.classify(
        flock.to_patches("ground_truth"), classes=["grey heron", "great egret"], methods=["clip"], run_key="all_boxes",
        encoder=find.counting, progress=False,
    )  # fmt: skip
    assert classified.summary()["predicted"] == n_good + 1


@pytest.mark.parametrize("kind", ["polylines", "keypoints"])
def test_polylines_and_keypoints__are_judged_by_the_box_around_their_points(flock, find, kind):
    for sample in flock:
        made = []
        for label in sample.ground_truth.detections:
            x, y, w, h = label.bounding_box
            corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
            if kind == "polylines":
                made.append(fo.Polyline(label=label.label, points=[corners], closed=True))
            else:
                made.append(fo.Keypoint(label=label.label, points=[*corners, (float("nan"), float("nan"))]))
        sample["shapes"] = fo.Polylines(polylines=made) if kind == "polylines" else fo.Keypoints(keypoints=made)
        sample.save()
    boxes = find(flock.to_patches("ground_truth")).run
    triage = find(flock.to_patches("shapes"))
    assert find.counting.encoded <= 4  # corners are a rounding error away from the boxes, whose regions are stored
    assert triage.run.dataset.values("zeroshot_lgca.label") == boxes.dataset.values("zeroshot_lgca.label")
    labels = flock.values(f"shapes.{kind}.zeroshot_lgca", unwind=True)
    assert labels == list(by_id(flock, "zeroshot_lgca").values())
    first = flock.values(f"shapes.{kind}.id", unwind=True)[0]
    triage.decide(first, "accepted", label="great egret")
    assert flock.values(f"shapes_corrected.{kind}.label", unwind=True)[0] == "great egret"


def test_grouped__the_patches_of_a_slice_are_judged(flock, find, dataset):
    dataset.add_group_field("group", default="left")
    samples = []
    for sample in flock:
        group = fo.Group()
        for name in ("left", "right"):
            labels = [
                fo.Detection(label=one.label, bounding_box=one.bounding_box) for one in sample.ground_truth.detections
            ]
            boxes = fo.Detections(detections=labels)
            samples.append(fo.Sample(filepath=sample.filepath, group=group.element(name), ground_truth=boxes))
    dataset.add_samples(samples)
    left = dataset.select_group_slices("left")
    run = lgca.classify(
        left.to_patches("ground_truth"), ground_truth="ground_truth", methods=["clip"], encoder=find.counting,
        progress=False,
    )  # fmt: skip
    assert run.summary()["predicted"] == len(by_id(left, "label"))
    assert None not in by_id(left, "zeroshot_clip").values()
    assert set(by_id(dataset.select_group_slices("right"), "zeroshot_clip").values()) == {None}
    run.delete()


def test_refused__evaluation_patches_frames_and_names_that_are_taken(flock, find, dataset):
    flock.evaluate_detections("ground_truth", gt_field="ground_truth", eval_key="own", progress=False)
    with pytest.raises(lgca.ConfigError, match="evaluation patches can't be classified: pass the patches of one"):
        find(flock.to_evaluation_patches("own"))
    dataset.media_type = "video"
    with pytest.raises(lgca.ConfigError, match="boxes in videos can't be classified in place"):
        find(dataset.to_frames(sample_frames=False))
    flock.add_sample_field("ground_truth.detections.zs_lgca", fo.StringField)
    with pytest.raises(lgca.ConfigError, match="have an attribute 'zs_lgca' already"):
        find(flock.to_patches("ground_truth"), run_key="zs")
    triage = find(flock.to_patches("ground_truth"))
    flock.add_sample_field("ground_truth_corrected", fo.StringField)
    with pytest.raises(lgca.ConfigError, match="has a field 'ground_truth_corrected' of its own"):
        triage.decide(triage.run.dataset.first().id, "accepted", label="grey heron")
