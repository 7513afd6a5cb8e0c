"""Wrong labels of boxes: found, shown on the labels, decided about; the dataset's own labels stay as they are."""

from itertools import chain

import fiftyone as fo
import pytest

import lgca_plugin as lgca

pytestmark = pytest.mark.usefixtures("module_store")


def by_id(dataset, attribute, field="ground_truth"):
    """Label id to an attribute of the label, over all samples."""
    columns = dataset.values([f"{field}.detections.id", f"{field}.detections.{attribute}"])
    ids, values = (chain.from_iterable(one or () for one in column) for column in columns)
    return dict(zip(ids, values, strict=True))


def test_find__nine_of_ten_planted_labels_are_among_the_first_two_times_as_many(searched):
    dataset, triage = searched
    truth, given = by_id(dataset, "truth"), by_id(dataset, "label")
    wrong = {id_ for id_, label in given.items() if label != truth[id_]}
    assert len(wrong) == round(0.1 * len(given)) >= 8
    order = triage.run.dataset.sort_by("zeroshot_label_quality").values("id")
    assert len(wrong & set(order[: 2 * len(wrong)])) >= 0.9 * len(wrong)
    suspects = triage.suspects()
    assert suspects.values("ground_truth.zeroshot_suggestion") == [
        by_id(dataset, "zeroshot_suggestion")[id_] for id_ in suspects.values("id")
    ]
    assert set(suspects.values("id")) <= set(order[: 2 * len(wrong)])


def test_find__what_is_found_is_on_the_labels_and_nothing_else_has_changed(searched):
    dataset, triage = searched
    run = triage.run
    assert run.summary()["predicted"] == len(by_id(dataset, "label"))
    for name in ("clip", "wca", "lgca"):
        ids, labels, confidences = run.dataset.values(["id", f"zeroshot_{name}.label", f"zeroshot_{name}.confidence"])
        assert by_id(dataset, f"zeroshot_{name}") == dict(zip(ids, labels, strict=True))
        assert by_id(dataset, f"zeroshot_{name}_confidence") == dict(zip(ids, confidences, strict=True))
    for name in ("case", "label_quality"):
        assert by_id(dataset, f"zeroshot_{name}") == dict(
            zip(*run.dataset.values(["id", f"zeroshot_{name}"]), strict=True)
        )
    assert set(by_id(dataset, "zeroshot_error").values()) == {None}
    assert lgca.list_runs(dataset) == []
    assert not [name for name in dataset.get_field_schema() if "zeroshot" in name]
    patches = dataset.to_patches("ground_truth")
    assert lgca.list_runs(patches) == ["zeroshot"]
    assert (
        lgca.load_run(patches, "zeroshot").dataset.name == run.dataset.name == f"{dataset.name} boxes of ground_truth"
    )


def test_evidence__of_a_box_is_that_of_its_regions_in_the_picture(searched):
    dataset, triage = searched
    id_ = triage.suspects().values("id")[0]
    evidence = triage.run.evidence(id_)
    x, y, width, height = by_id(dataset, "bounding_box")[id_]
    middle = evidence.boxes[:, :2] + evidence.boxes[:, 2:] / 2
    assert (middle >= (x - 0.1, y - 0.1)).all()
    assert (middle <= (x + width + 0.1, y + height + 0.1)).all()
    strip = triage.run.film_strip(id_)
    assert strip.layout.images


def test_rescore__of_boxes_encodes_nothing_and_reaches_the_labels(searched):
    dataset, triage = searched
    other = triage.run.rescore(temperature=2.0, run_key="warm", progress=False)
    assert by_id(dataset, "warm_lgca") == dict(zip(*other.dataset.values(["id", "warm_lgca.label"]), strict=True))
    other.delete()
    assert not dataset.has_field("ground_truth.detections.warm_lgca")
    assert dataset.has_field("ground_truth.detections.zeroshot_lgca")


def test_decide__corrects_a_copy_of_the_boxes_and_undo_takes_it_back(flock, find):
    before = flock.values("ground_truth")
    triage = find(flock.to_patches("ground_truth"))
    first, second, *_ = ids = [one for own in before for one in (label.id for label in own.detections)]
    assert not flock.has_field("ground_truth_corrected")
    done = triage.decide([first, second], "accepted", label="barn swallow", by="me")
    assert (done.samples, done.corrected_field) == (2, "ground_truth_corrected")
    corrected = by_id(flock, "label", "ground_truth_corrected")
    given = by_id(flock, "label")
    assert corrected == {**given, first: "barn swallow", second: "barn swallow"}
    assert by_id(flock, "bounding_box", "ground_truth_corrected") == by_id(flock, "bounding_box")
    assert not [path for path in flock.get_field_schema(flat=True) if "corrected" in path and "zeroshot" in path]
    assert by_id(flock, "zeroshot_decision")[first] == "accepted"
    assert [own.detections[0].label for own in flock.values("ground_truth")] == [o.detections[0].label for o in before]

    triage.decide(flock.to_patches("ground_truth").select(ids[2]), "label right", by="me")
    assert by_id(flock, "zeroshot_decision")[ids[2]] == "label right"
    triage.undo(sample_ids=[first])
    assert by_id(flock, "label", "ground_truth_corrected") == {**given, second: "barn swallow"}
    assert by_id(flock, "zeroshot_decision")[first] == "undone"
    assert triage.left()["other samples decided"] + triage.left()["suspects"] - triage.left()["undecided"] == 2


def test_delete__leaves_the_given_and_the_corrected_boxes_alone(flock, find):
    schema, patches = set(flock.get_field_schema(flat=True)), flock.to_patches("ground_truth")
    triage = find(patches)
    triage.decide(patches.values("id")[0], "accepted", label="great egret")
    companion = triage.run.dataset.name
    lgca.delete_run(patches, "zeroshot")
    assert not fo.dataset_exists(companion)
    left = {path for path in flock.get_field_schema(flat=True) if not path.startswith("ground_truth_corrected")}
    assert left == schema
    assert "zeroshot" not in str(flock.first().ground_truth)
    assert flock.to_patches("ground_truth_corrected").first().ground_truth_corrected.label == "great egret"
    assert lgca.list_runs(patches) == []
    with pytest.raises(lgca.RunNotFoundError, match=r"boxes of 'ground_truth' have no zero-shot run yet"):
        lgca.load_run(patches, "zeroshot")
