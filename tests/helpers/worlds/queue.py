"""A run on drawn birds with the record and the fields of a triage, for the tests of decisions."""

import uuid

import fiftyone as fo
from bson import ObjectId

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.fiftyone_io.fields import COMPUTED, DECISION, triage_field
from tests.helpers.runs import classified

GIVEN, SUGGESTED, OTHER = CLASSES[0], CLASSES[1], CLASSES[2]
SUSPECTS = 6


def triaged_birds(images, encoder):
    """Classifies twelve drawings, all labelled alike; the first six are suspects."""
    dataset = fo.Dataset(f"triaged-{uuid.uuid4().hex[:8]}")
    dataset.add_samples(
        [
            fo.Sample(filepath=str(image.path), labels=fo.Classification(label=GIVEN, origin="web"), tags=["mine"])
            for image in images[:12]
        ]
    )
    triaged(classified(dataset, encoder, regions=lgca.RegionConfig(crops=4), store_regions=False), "labels")
    return dataset


def triaged(run, ground_truth):
    dataset, count = run.dataset, len(run.dataset)
    dataset.add_sample_field("zs_suggestion", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    dataset.add_sample_field("zs_suggestion.given", fo.StringField)
    dataset.add_sample_field("zs_suggestion.near_duplicate", fo.StringField)
    dataset.add_sample_field("zs_suggestion.unlike", fo.BooleanField)
    suggestions = [
        fo.Classification(label=SUGGESTED, confidence=0.9 - 0.01 * at, given=GIVEN) if at < SUSPECTS else None
        for at in range(count)
    ]
    dataset.set_values("zs_suggestion", suggestions)
    dataset.set_values("zs_label_quality", [((5 * at) % count) / count for at in range(count)])
    dataset.set_values("zs_misleading", [float(at) if at < 3 else None for at in range(count)])
    dataset.set_values("zs_case", ["nobody right" if at < 4 else "all right" for at in range(count)])
    run.results["triage_fields"] = [triage_field("zs", name) for name in (*COMPUTED, DECISION)]
    run.results["triage"] = {
        "ground_truth": ground_truth,
        "methods": ["clip", "wca", "lgca"],
        "corrected_field": f"{ground_truth or 'zs'}_corrected",
        "cases": {"all right": 8, "nobody right": 4, "all differ": 0},
        "calibration": {"clip": {"temperature": 2.5, "error_before": 0.31, "error_after": 0.02}},
        "suspects": SUSPECTS,
    }
    run.save()


def ids_of(triage):
    """The ids of the samples, the suspects first."""
    return triage.run.dataset.values("id")


def stored(triage, id_):
    """A sample as it is in the database."""
    return dict(triage.run.dataset._sample_collection.find_one({"_id": ObjectId(id_)}))


def corrected(triage, id_):
    """The class in a sample's corrected label; None without one."""
    return (stored(triage, id_).get("labels_corrected") or {}).get("label")
