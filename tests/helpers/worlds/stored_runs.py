"""Small runs on drawn birds, and what the default store has of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import fiftyone as fo
import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.config import RegionPlan
from lgca_plugin.demo.classes import CLASSES as ALL_CLASSES
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.engine.region_expansion import RegionExpansion
from lgca_plugin.store.store import Store
from tests.helpers.engine import Counting
from tests.helpers.worlds import store as world

SMALL = lgca.RegionConfig(crops=8, steps=2, scale_min=0.1, scale_max=0.3)
IMAGES = 4
ENCODES = IMAGES * (1 + 8)  # of WCA under SMALL
CLASSES, OTHER_CLASSES = ALL_CLASSES[:5], ALL_CLASSES[3:7]
EXACT = ("label", "bounding_box", "index", "step", "misleading")
LABEL = ("label", "confidence", "margin")
BOX = (*EXACT, "confidence", "similarity", "weight", "contribution")


def add(dataset: fo.Dataset, images: list[Any]) -> None:
    dataset.add_samples([fo.Sample(filepath=str(image.path)) for image in images], progress=False)


def defaults(encoder: Any) -> dict[str, Any]:
    """Returns the arguments of a small classification: WCA, few crops, five classes."""
    return {"classes": CLASSES, "encoder": encoder, "regions": SMALL, "methods": ("wca",), "run_key": "zs"}


@contextmanager
def encodes_of(encoder: Counting) -> Iterator[list[int]]:
    """Counts the encodes of what happens inside."""
    before = encoder.encoded
    count: list[int] = []
    yield count
    count.append(encoder.encoded - before)


def written(samples: Any, key: str = "zs", methods: tuple[str, ...] = ("wca",)) -> dict[str, list[Any]]:
    """Returns all that a run wrote, but for ids."""
    labels = {f"{method}.{name}": samples.values(f"{key}_{method}.{name}") for method in methods for name in LABEL}
    boxes = {f"regions.{name}": samples.values(f"{key}_regions.detections.{name}") for name in BOX}
    return {**labels, **boxes}


def assert_same(found: dict[str, list[Any]], expected: dict[str, list[Any]]) -> None:
    """Checks that labels and boxes are equal, and scores equal to 1e-6."""
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        if name.rpartition(".")[2] in EXACT:
            assert found[name] == values, name
        else:
            for one, other in zip(found[name], values, strict=True):
                assert one == pytest.approx(other, abs=1e-6), name


def stored_vectors(run: Any) -> Any:
    """Returns the stored image vectors of a run, by sample; None if the store has no entry of it."""
    with Store() as store:
        entry = store.run(run.token)
        if entry is None:
            return None
        vectors = world.vectors_of(store, entry)
        assert list(vectors) == store.sample_ids(entry)
        return vectors


def replayable(run: Any) -> set[str]:
    """Returns the samples of a run whose regions are all stored, so that nothing needs encoding."""
    plan = RegionPlan.of(run.config.methods, run.config.regions)
    with Store() as store:
        entry = store.run(run.token)
        assert entry is not None
        found = store.known_regions(entry, store.sample_ids(entry))
        return {id_ for id_, hashed, known in found if RegionExpansion(hashed, plan, known=known).replay() is not None}


def stored_tokens() -> set[str]:
    """Returns the tokens of all stored runs."""
    with Store() as store:
        return set(world.tokens(store))


def ids_of(samples: Any) -> set[str]:
    return set(samples.values("id"))


def changed_demo(change: Callable[[Any], object]) -> OpenClipEncoder:
    """Returns the demo's model, with its name, after a change."""
    model, tokenizer, vocabulary = load_demo()
    model = copy.deepcopy(model)
    with torch.no_grad():
        change(model)
    return OpenClipEncoder(model, tokenizer, name="demo", device="cpu", vocabulary=vocabulary)


def other_weights(model: Any) -> None:
    for parameter in model.visual.parameters():
        parameter.mul_(1.001)


def other_preprocessing(model: Any) -> None:
    model.visual.preprocess_cfg = {**model.visual.preprocess_cfg, "mean": (0.5, 0.4, 0.3)}
