"""The classes where none are passed, and warnings of labels that a list leaves out, as runs have them."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.classify.class_list import own_classes

LIGHT = {"methods": ["clip"], "ground_truth": "ground_truth", "descriptions": None}


def test_classes__are_all_labels_of_the_dataset_whatever_the_view_shows(birds, classify):
    everything = tuple(birds.distinct("ground_truth.label"))
    run = classify(birds.limit(1), classes=None, **LIGHT)
    assert run.config.classes == everything and len(everything) > 2
    assert run.summary()["warnings"] == []
    assert classify(birds, classes=None, **LIGHT).summary()["predicted"] == len(birds)


def test_classes__are_the_names_of_a_label_map_unless_it_may_be_of_masks(birds):
    own = ["grey heron", "barn swallow", "kestrel"]
    birds.default_mask_targets = dict(enumerate(own))
    assert own_classes(birds, "ground_truth") == own
    birds.mask_targets = {"ground_truth": {0: "kestrel", 7: "rook"}}
    assert own_classes(birds, "ground_truth") == ["kestrel", "rook"]
    birds.mask_targets = {}
    birds.add_sample_field("masks", fo.EmbeddedDocumentField, embedded_doc_type=fo.Segmentation)
    assert own_classes(birds, "ground_truth") == []


@pytest.mark.parametrize("where", ["default_classes", "classes"])
def test_classes__are_the_datasets_own_list_where_it_has_one(birds, classify, where):
    own = ["grey heron", "barn swallow", "kestrel"]
    setattr(birds, where, own if where == "default_classes" else {"ground_truth": own, "other": ["x", "y"]})
    run = classify(birds, classes=None, **LIGHT)
    assert run.config.classes == tuple(own)
    (warning,) = [text for text in run.summary()["warnings"] if "leave out" in text]
    counts = birds.count_values("ground_truth.label")
    gone = {label: count for label, count in counts.items() if label not in own}
    assert warning.startswith(f"{sum(gone.values())} samples have labels that the classes leave out")
    assert all(f"'{label}' ({count})" in warning for label, count in sorted(gone.items(), key=lambda i: -i[1])[:3])


def test_classes__of_the_dataset_that_cannot_be_used_are_named(birds, classify):
    birds.default_classes = ["a", "a"]
    with pytest.raises(lgca.ConfigError, match="own list of classes can't be used: class 'a' is given twice"):
        classify(birds, classes=None, **LIGHT)


def test_run__whose_classes_an_earlier_release_read_from_a_view_continues(birds, classify):
    first, second = birds.distinct("ground_truth.label")[:2]
    view = birds.match(fo.ViewField("ground_truth.label").is_in([first, second]))
    run = classify(view, classes=[first, second], **LIGHT)
    again = classify(view, classes=None, **LIGHT)
    assert again.token == run.token and again.config.classes == (first, second)
    assert again.summary()["predicted"] == len(view)
    with pytest.raises(lgca.ConfigError, match=r"other settings \(classes, ") as refused:
        classify(birds, classes=None, **LIGHT)
    assert "overwrite=True" in str(refused.value) and "=" not in refused.value.app


def test_rescore__with_classes_that_leave_out_labels_warns(birds, classify):
    run = classify(birds, classes=None, **LIGHT)
    kept = run.config.classes[:-1]
    (warning,) = run.rescore(kept, run_key="fewer", progress=False).summary()["warnings"]
    assert repr(run.config.classes[-1]) in warning
