"""Datasets of drawn birds and runs on them: what the tests in the App and those of the evidence panel open."""

import uuid
from typing import Any

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.config import DEMO_MARKER
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.runs import add_images

SMALL = lgca.RegionConfig(crops=20, lgca_crops=6, scale_min=0.1, scale_max=0.3)
"""Small crops, under which WCA and LGCA disagree often."""

METHODS = ("clip", "wca", "lgca", "lgca_d")


def bird_dataset(pictures, *, persistent=False, **labels):
    """A dataset of drawings, with a field of labels for each keyword: a class or None for each picture.

    Tests in the App need a persistent one: its server is another process.
    """
    dataset = fo.Dataset(f"birds-{uuid.uuid4().hex[:8]}", persistent=persistent)
    samples = [fo.Sample(filepath=str(picture.path)) for picture in pictures]
    for name, column in labels.items():
        for sample, label in zip(samples, column, strict=True):
            sample[name] = None if label is None else fo.Classification(label=label)
    dataset.add_samples(samples)
    return dataset


def classify_birds(dataset, encoder, **options):
    """Classifies drawn birds, with run key ``birds`` if no other is given."""
    settings: dict[str, Any] = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "birds"}
    settings["methods"] = ("clip", "wca", "lgca")
    return lgca.classify(dataset, encoder=encoder, progress=False, **(settings | options))


def like_the_demo(dataset, images):
    """Adds drawings to a dataset that counts as the demo, the first with a wrong label; returns it."""
    add_images(dataset, images)
    dataset.set_values("ground_truth", dataset.values("truth"))
    first = dataset.first()
    first["ground_truth"].label = next(name for name in CLASSES if name != first["truth"].label)
    first.save()
    dataset.info = {DEMO_MARKER: {}, "lgca_descriptions": DESCRIPTIONS}
    dataset.default_classes = list(CLASSES)
    dataset.save()
    return dataset


def draw_misleading(folder):
    """Eighteen drawings; with small crops, WCA is misled on some of them."""
    return draw_images(folder, count=48, seed=3)[:18]


def small_crops_run(pictures, encoder, **options):
    """A run ``zs`` with small crops on drawings that are all labelled alike, and on a file that fails."""
    dataset = bird_dataset(pictures, labels=[CLASSES[0]] * len(pictures))
    dataset.add_sample(fo.Sample(filepath="/nowhere/missing.png"))
    settings = {"methods": METHODS, "regions": SMALL, "run_key": "zs", "ground_truth": "labels"}
    return classify_birds(dataset, encoder, **(settings | options))


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
