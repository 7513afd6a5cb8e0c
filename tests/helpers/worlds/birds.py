"""Runs on drawn birds with small crops, under which WCA and LGCA disagree often: what the evidence panel opens."""

import uuid
from typing import Any

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images

SMALL = lgca.RegionConfig(crops=20, lgca_crops=6, scale_min=0.1, scale_max=0.3)
METHODS = ("clip", "wca", "lgca", "lgca_d")


def draw(folder):
    """Eighteen drawings; on some of them, crops mislead WCA."""
    return draw_images(folder, count=48, seed=3)[:18]


def unclassified(images, *, labels=None, persistent=False, failing="/nowhere/missing.png"):
    """A dataset of the drawings, and of a file that fails; all labelled alike, or as given."""
    dataset = fo.Dataset(f"evidence-{uuid.uuid4().hex[:8]}", persistent=persistent)
    labels = labels or [CLASSES[0]] * len(images)
    dataset.add_samples(
        [
            fo.Sample(filepath=str(image.path), labels=fo.Classification(label=label))
            for image, label in zip(images, labels, strict=True)
        ]
    )
    dataset.add_sample(fo.Sample(filepath=failing, labels=fo.Classification(label=CLASSES[0])))
    return dataset


def classified(dataset, encoder, **options):
    """Classifies a dataset as run ``zs``, unless told otherwise."""
    settings: dict[str, Any] = {"methods": METHODS, "regions": SMALL, "run_key": "zs", "ground_truth": "labels"}
    settings |= {"classes": CLASSES, "descriptions": DESCRIPTIONS, "encoder": encoder, "progress": False}
    return lgca.classify(dataset, **(settings | options))


def misled(run):
    """The evidence on a sample on which few crops mislead WCA, and the ids of the others."""
    found = [run.evidence(id_) for id_ in run.dataset.exists(f"{run.key}_wca").values("id")]
    case = next(one for one in found if one.case is not None and one.misleading.sum() > 1)
    return case, [one.sample_id for one in found if one is not case]


def state_of(session, name):
    """The value of a drop-down list, wherever it is in a panel's state."""

    def find(part):
        if isinstance(part, dict):
            if name in part and not isinstance(part[name], dict):
                return part[name]
            return next((value for value in map(find, part.values()) if value is not None), None)
        return None

    return find(session.state.get("page", {}))
