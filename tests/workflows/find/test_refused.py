"""Datasets on which there is nothing to find, and arguments that do not fit: said in a sentence, nothing written."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca


def refused(samples, sentence, **options):
    with pytest.raises(lgca.LgcaError, match=sentence):
        lgca.find_wrong_labels(samples, encoder=options.pop("encoder", "demo"), progress=False, **options)


def test_empty_dataset(dataset):
    refused(dataset, "there are no samples to classify")


def test_no_label_field(dataset):
    dataset.add_sample(fo.Sample(filepath="a.jpg"))
    refused(dataset, "there are no labels to check: this dataset has no field with one class label for each image")
    dataset.add_sample(fo.Sample(filepath="b.jpg", boxes=fo.Detections()))
    refused(
        dataset, "the labels of this dataset are on boxes, in boxes: pass those of one field, as dataset.to_patches"
    )


def test_several_fields(dataset):
    dataset.add_sample(fo.Sample(filepath="a.jpg", one=fo.Classification(label="x"), two=fo.Classification(label="y")))
    refused(dataset, "several fields hold labels: one, two; choose the one to check")


def test_a_field_without_labels(dataset):
    dataset.add_sample(fo.Sample(filepath="a.jpg", label=fo.Classification()))
    refused(dataset, "no image has a label in 'label', so there is nothing to check")


def test_one_class(dataset):
    dataset.add_samples([fo.Sample(filepath=f"{n}.jpg", label=fo.Classification(label="heron")) for n in range(3)])
    refused(dataset, "all 3 labels in 'label' are 'heron': name at least one other class")
    dataset.default_classes = ["heron"]
    refused(dataset, "all 3 labels in 'label' are 'heron'")


def test_one_label(dataset):
    dataset.add_sample(fo.Sample(filepath="a.jpg", label=fo.Classification(label="heron")))
    refused(dataset, "the only label in 'label' is 'heron': name at least one other class")


def test_classes_that_no_label_names(birds):
    refused(birds, "no label in 'ground_truth' is one of the 2 classes, so none can be checked", classes=["cat", "dog"])
    refused(birds, "did you mean 'grey heron'", classes=["GREY HERON", "dog"])
    assert not birds.list_runs()


def test_a_view_that_leaves_out_the_labels(birds):
    refused(birds.select_fields("tags"), "the view leaves out the field 'ground_truth'", ground_truth="ground_truth")


def test_videos(dataset):
    dataset.add_sample(fo.Sample(filepath="a.mp4", label=fo.Classification(label="x")))
    refused(dataset, "only images can be classified")


def test_images_that_can_not_be_read(dataset):
    labels = ("grey heron", "great egret")
    dataset.add_samples([fo.Sample(filepath=f"/no/{name}.jpg", label=fo.Classification(label=name)) for name in labels])
    refused(dataset, "none of the 2 images could be classified, for example: ")


def test_methods_of_one_kind(birds):
    refused(birds, "has no method that looks at crops", methods=["clip"])
    assert not birds.list_runs()


def test_model_that_is_not_here(birds):
    """There is no internet in the tests."""
    refused(birds, "the weights of ViT-B-32-quickgelu .* connect to the internet once", encoder="ViT-B-32-quickgelu")
    assert not birds.list_runs()


def test_run_with_other_settings(birds, find):
    find(birds, run_key="mine")
    refused(birds, r"run 'mine' was made with other settings \(budget\)", run_key="mine", budget="full", encoder=None)
    refused(birds, r"other settings \(model, crops\)", run_key="mine", encoder="ViT-B-32", regions=lgca.RegionConfig())
