"""A first search for wrong labels: what it does without being told, and its progress."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.config import DEMO_MARKER, SAVED_DESCRIPTIONS
from lgca_plugin.demo.classes import DESCRIPTIONS
from lgca_plugin.workflows.classify.class_list import default_classes
from lgca_plugin.workflows.find.request import FindOptions, check_find


def test_find__returns_the_triage_of_an_adaptive_run_with_the_wrong_labels_in_its_queue(birds, find, images):
    steps: list[lgca.Progress] = []
    triage = find(birds, progress=steps.append)

    run = triage.run
    assert isinstance(run, lgca.Run)
    assert (run.key, run.config.budget, run.config.ground_truth) == ("zeroshot", "adaptive", "ground_truth")
    assert run.config.classes == tuple(sorted({image.label for image in images}))
    assert run.descriptions == {name: DESCRIPTIONS[name] for name in run.config.classes}, "those saved on the dataset"
    wrong = {str(image.path).rpartition("/")[2] for image in images if image.mislabelled}
    queue = [path.rpartition("/")[2] for path in triage.suspects().values("filepath")]
    worst = birds.sort_by("zeroshot_label_quality").limit(12).values("filepath")
    assert wrong <= {path.rpartition("/")[2] for path in worst}
    assert len(wrong & set(queue)) >= 2  # their number is an estimate
    assert len(queue) < 12
    counted = [step for step in steps if step.total]
    assert {step.total for step in counted} == {60}
    done = [step.done for step in counted]
    assert done == sorted(done)
    assert done[-1] >= 50
    assert "left" in counted[-1].label or "nearly done" in counted[-1].label


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (["species"], "species"),
        (["truth", "label"], "label"),
        (["a", "b", "Ground_Truth"], "Ground_Truth"),
        (["truth", "ground_truth", "label"], "ground_truth"),
        (["predictions", "species"], "species"),
        (["clip_pred", "model_predictions"], None),
        (["predictions"], "predictions"),
        (["predator", "species"], None),
    ],
)
def test_label_field__is_the_only_one_or_the_one_with_a_usual_name(dataset, fields, found):
    labels = {name: fo.Classification(label=label) for name, label in zip(fields, "abc", strict=False)}
    other = {name: fo.Classification(label="x") for name in fields}
    dataset.add_samples([fo.Sample(filepath="1.jpg", **labels), fo.Sample(filepath="2.jpg", **other)])
    if found is None:
        with pytest.raises(lgca.ConfigError, match="several fields hold labels"):
            check_find(FindOptions(samples=dataset))
    else:
        assert check_find(FindOptions(samples=dataset)).ground_truth == found


def test_label_field__is_no_prediction_and_no_corrected_copy(birds, find):
    birds.rename_sample_field("ground_truth", "species")
    triage = find(birds)
    triage.decide(triage.suspects().limit(1), "accepted")
    assert "species_corrected" in birds.get_field_schema()
    request = check_find(FindOptions(samples=birds))
    assert request.ground_truth == "species"


def test_label_field__is_no_corrected_copy_of_a_run_that_was_deleted(birds, find):
    birds.rename_sample_field("ground_truth", "species")
    triage = find(birds)
    triage.decide(triage.suspects().limit(1), "accepted")
    triage.run.delete()
    assert check_find(FindOptions(samples=birds)).ground_truth == "species"


def test_model__is_the_demos_own_on_the_demo_and_the_default_elsewhere(birds):
    assert check_find(FindOptions(samples=birds)).source == ("ViT-B-32-quickgelu", None)
    birds.info[DEMO_MARKER] = {"version": 1}
    birds.save()
    assert check_find(FindOptions(samples=birds)).source == ("demo", None)


def test_classes__are_those_set_on_the_dataset_and_labels_outside_them_are_named(birds):
    birds.default_classes = ["grey heron", "great egret"]
    sample = birds.first()
    sample["ground_truth"].label = "grey herron"
    sample.save()
    request = check_find(FindOptions(samples=birds))
    assert request.classes == ("grey heron", "great egret")
    assert "'grey herron' (1; did you mean 'grey heron'?)" in request.warnings[0]
    birds.classes = {"ground_truth": ["redpoll", "swan"]}
    assert check_find(FindOptions(samples=birds)).classes == ("redpoll", "swan")


def test_classes__that_no_label_names_are_those_of_another_field(birds):
    birds.default_classes = ["cat", "dog"]
    request = check_find(FindOptions(samples=birds))
    assert set(request.classes) == set(birds.distinct("ground_truth.label"))
    assert request.warnings == ()


def test_classes__blanks_around_a_label_make_no_class_of_their_own(birds):
    names = birds.distinct("ground_truth.label")
    sample = birds.first()
    sample["ground_truth"].label += " "
    sample.save()
    request = check_find(FindOptions(samples=birds))
    assert list(request.classes) == names
    assert f"did you mean {sample['ground_truth'].label.strip()!r}?" in request.warnings[0]
    assert list(default_classes(birds, "ground_truth")) == names
    birds.set_values("ground_truth.label", [f"{name.strip()} " for name in birds.values("ground_truth.label")])
    with pytest.raises(
        lgca.ConfigError, match=r"all labels in 'ground_truth' begin or end with blanks, such as '.* ':"
    ):
        check_find(FindOptions(samples=birds))


def test_classes__that_are_one_text_to_the_model_are_refused_and_nothing_is_written(birds, find):
    sample = birds.match(fo.ViewField("ground_truth.label") == "redpoll").first()
    sample["ground_truth"].label = "Redpoll"
    sample.save()
    with pytest.raises(lgca.ConfigError, match="classes 'Redpoll' and 'redpoll' are one text to demo"):
        find(birds)
    assert lgca.list_runs(birds) == []


def test_classes__of_a_view_are_all_labels_of_the_dataset(birds, images):
    request = check_find(FindOptions(samples=birds.limit(2)))
    assert request.classes == tuple(sorted({image.label for image in images}))
    assert len(request.target.samples) == 2


def test_images_without_a_label__are_left_out(birds, find):
    birds.limit(50).clear_sample_field("ground_truth")
    triage = find(birds)
    assert triage.report["counts"]["triaged"] == 10
    assert triage.report["counts"]["without a prediction"] == 50


def test_saved_descriptions_of_other_classes__are_not_used(birds):
    birds.info[SAVED_DESCRIPTIONS] = {"dog": ["a wagging tail"]}
    birds.save()
    assert check_find(FindOptions(samples=birds)).texts.described == {}


def test_run_key__avoids_runs_and_fields_of_others(birds):
    birds.add_sample_field("zeroshot_clip", fo.StringField)
    birds.add_sample_field("zeroshot_2_decision", fo.StringField)
    assert check_find(FindOptions(samples=birds)).run_key == "zeroshot_3"
    with pytest.raises(lgca.ConfigError, match="names start with 'zeroshot'; choose another run key"):
        check_find(FindOptions(samples=birds, run_key="zeroshot"))
