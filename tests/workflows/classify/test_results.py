"""What ``lgca.classify`` writes onto the samples and into the run's record."""

import time

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.images import picture, save_turned


def test_classify__writes_labels_and_boxes_for_every_method(birds, classify):
    run = classify(birds, methods=tuple(lgca.METHODS), ground_truth="ground_truth")

    for sample in birds:
        assert sample.zs_error is None
        for method in lgca.METHODS:
            label = sample[f"zs_{method}"]
            assert label.label in CLASSES
            assert 1 / len(CLASSES) <= label.confidence <= 1
            assert 0 <= label.margin <= 2
            assert label.logits is None
        boxes = sample.zs_regions.detections
        assert boxes
        for box in boxes:
            x, y, width, height = box.bounding_box
            assert min(x, y, width, height) >= 0
            assert max(x + width, y + height) <= 1 + 1e-9
            assert box.label in CLASSES
            assert -1 <= box.similarity <= 1
            assert 0 <= box.weight <= 1
        chains = [[box for box in boxes if box.index == index] for index in {box.index for box in boxes}]
        assert len(chains) == 3
        for chain in chains:
            assert [box.step for box in chain] == list(range(len(chain)))
            widths = [box.bounding_box[2] for box in chain]
            assert widths == sorted(widths)
            assert widths[-1] == pytest.approx(widths[0] * 1.5 ** (len(widths) - 1), rel=0.1)
    assert run.summary()["predicted"] == 12


def test_classify__counts_the_encodes_that_the_design_promises(birds, classify):
    small_crops = lgca.RegionConfig(scale_min=0.1, scale_max=0.3)  # so that no two regions grow equal
    summary = classify(birds.limit(3), regions=small_crops).summary()
    assert summary["planned_encodes_per_image"] == 1 + 60 + 17 + 9
    assert summary["encodes"] == 3 * 87
    assert summary["encodes_per_image"] == 87


def test_ground_truth__labels_are_the_classes_to_the_letter(birds, classify):
    labels = ["  blue tit", "redpoll", "", None] * 3
    birds.set_values("ground_truth", [None if label is None else fo.Classification(label=label) for label in labels])
    run = classify(birds, classes=None, ground_truth="ground_truth", descriptions=None)
    assert run.config.classes == ("  blue tit", "redpoll")
    assert "a photo of a blue tit." not in run.descriptions["  blue tit"]
    assert "itap of a blue tit." in run.descriptions["  blue tit"]


def test_classify__a_preset_of_ones_own_gets_its_field(birds, classify):
    eager = lgca.Method(name="eager", regions="chains", image_scale=1.0, step_weights=(0.2, 0.3, 0.5))
    run = classify(birds, methods=("clip", eager))
    assert all(birds.values("zs_eager.label"))
    assert lgca.load_run(birds, "zs").config.methods[1] == eager == run.config.methods[1]


def test_warnings__words_that_the_demo_model_never_saw_are_named(birds, classify, caplog):
    run = classify(birds.limit(2), classes=["zeppelin", "caspian tern"], descriptions=None)
    assert "zeppelin" in run.summary()["warnings"][0]
    assert "zeppelin" in caplog.text
    assert "tern" not in run.summary()["warnings"][0]


def test_progress__is_reported_up_to_the_last_image(birds, classify):
    steps: list[lgca.Progress] = []
    classify(birds, progress=steps.append)
    assert steps[-1].done == steps[-1].total == 12
    assert "12 of 12 images" in steps[-1].label
    assert [step.done for step in steps] == sorted(step.done for step in steps)


@pytest.mark.parametrize("model", ["demo", "ViT-B-32"])
def test_photographs__go_through_classify(dataset, photographs, demo_encoder, random_vit, model):
    dataset.add_samples([fo.Sample(filepath=str(path)) for path in photographs], progress=False)
    encoder = demo_encoder if model == "demo" else random_vit
    regions = lgca.RegionConfig() if model == "demo" else lgca.RegionConfig(crops=3, steps=1)

    started = time.perf_counter()
    run = lgca.classify(dataset, classes=["redpoll", "blue tit", "grey heron"], encoder=encoder, regions=regions)
    seconds = time.perf_counter() - started

    summary = run.summary()
    assert (summary["predicted"], summary["failed"]) == (len(photographs), 0)
    assert summary["encodes_per_image"] <= run.summary()["planned_encodes_per_image"]
    assert 0 < summary["seconds"] <= seconds
    assert all(dataset.values("zeroshot_lgca.label"))


def test_classify__computes_the_metadata_of_its_samples_as_fiftyone_does_and_leaves_what_is_there(
    birds, classify, tmp_path
):
    turned = tmp_path / "turned.jpg"
    save_turned(turned, picture(96, 72), 6)
    birds.add_samples([fo.Sample(filepath=str(turned)), fo.Sample(filepath="/nowhere/missing.png")])
    mine = fo.ImageMetadata(width=1, height=2)
    first = birds.first()
    first.metadata = mine
    first.save()
    classify(birds.limit(4), methods=["clip"])
    assert birds.limit(4).values("metadata")[0] == mine
    assert birds.skip(4).count("metadata") == 0, "of the classified samples alone"
    classify(birds, methods=["clip"], run_key="again")
    for sample in birds.skip(1).limit(len(birds) - 2):
        assert sample.metadata == fo.ImageMetadata.build_for(sample.filepath)
    assert birds.last().metadata is None
