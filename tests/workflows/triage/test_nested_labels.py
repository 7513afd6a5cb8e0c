"""Given labels inside an embedded document, from the classification to the summary of their review."""

from typing import Any

import fiftyone as fo
import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.fiftyone_io.samples import ImageSamples
from lgca_plugin.runs.proposals import given_label_field, label_fields
from lgca_plugin.workflows.find.request import FindOptions, check_find
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.runs import classified

COUNT = 30
NESTED = {"ground_truth": "data.gt", "classes": None, "methods": ("clip", "wca", "lgca")}


@pytest.fixture
def nested(dataset, images):
    """Birds with their labels in ``data.gt``."""
    labels = [fo.Classification(label=image.label, origin="web") for image in images[:COUNT]]
    documents = [fo.DynamicEmbeddedDocument(gt=label) for label in labels]
    paths = [str(image.path) for image in images]
    dataset.add_samples([fo.Sample(filepath=path, data=data) for path, data in zip(paths, documents, strict=False)])
    dataset.add_dynamic_sample_fields()
    return dataset


def test_nested_labels__work_throughout(nested, demo_encoder, options):
    assert label_fields(nested) == ["data.gt"] and given_label_field(nested) == "data.gt"
    given = nested.values("data.gt.label")
    run = classified(nested, demo_encoder, **{**options, **NESTED})
    assert run.config.classes == tuple(sorted(set(given)))
    assert nested.app_config.active_fields.paths[0] == "data.gt"

    triage = run.triage(progress=False)
    assert triage.report["labels"]["compared"] == triage.report["judged"] == COUNT
    queue = ReviewQueue.of(run)
    first = queue.suspects[0]
    assert len(queue) >= 2 and first.given == nested[first.sample_id].data.gt.label != first.suggested
    assert review_card(run, first.sample_id).given == first.given

    triage.decide(first.sample_id, "accepted", by="anna")
    triage.decide(queue.ids[1], "label right", by="anna")
    expected = [
        first.suggested if id_ == first.sample_id else own for id_, own in zip(nested.values("id"), given, strict=True)
    ]
    assert triage.places.corrected == "data_gt_corrected"
    assert nested.values("data_gt_corrected.label") == expected and nested.values("data.gt.label") == given
    assert nested[queue.ids[1]].data_gt_corrected.origin == "web"
    row, _ = triage.decisions()
    assert (row.given, row.corrected) == (first.given, first.suggested)

    wrong = {
        name: run.evaluate(name, methods=["clip"]).methods["clip"].correct for name in ("data.gt", "data_gt_corrected")
    }
    assert wrong["data_gt_corrected"] == wrong["data.gt"] + (nested[first.sample_id].zs_clip.label == first.suggested)
    summary = ReviewQueue.of(run).summary()
    assert summary.changes == ((first.given, first.suggested, 1),)
    assert (summary.given_field, summary.given_samples, summary.corrected_samples) == ("data.gt", COUNT, COUNT)
    assert summary.accuracy[0].given == wrong["data.gt"] / COUNT

    found = check_find(FindOptions(samples=nested, encoder=demo_encoder, run_key="zs"))
    assert found.previous is not None
    assert (found.ground_truth, found.previous.key, found.unlabelled) == ("data.gt", "zs", 0)
    triage.undo()
    run.delete()
    assert not [name for name in nested.get_field_schema() if name.startswith("zs")]


def test_nested_fields__that_hold_not_one_label_a_sample_are_refused(dataset):
    seen = [fo.DynamicEmbeddedDocument(by=fo.Classification(label="x"))]
    data = fo.DynamicEmbeddedDocument(gt=fo.Classification(label="x"), seen=seen)
    dataset.add_sample(fo.Sample(filepath="bird.png", data=data))
    dataset.add_dynamic_sample_fields()
    refused: dict[Any, str] = {
        "data.seen.by": "one label a sample, a Classification or a text; 'data.seen.by' is inside a list",
        "data": "'data' is DynamicEmbeddedDocument",
        "data.gt.label": "'data.gt.label' is a part of the label 'data.gt': name that",
        "data.none": "'data.none' is no field of this dataset; its label fields: data.gt",
        "frames.gt": "'frames.gt' is no field of this dataset",
        "": "'' is no field of this dataset",
        ("data.gt",): "no field of this dataset",
    }
    samples = ImageSamples.of(dataset)
    samples.check_label_field("data.gt")
    for field, sentence in refused.items():
        with pytest.raises(ConfigError, match=sentence):
            samples.check_label_field(field)
