"""Runs of two encoders on drawn birds, fused after a few steps of training, and what is read of them."""

from __future__ import annotations

from typing import Any

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.config import FusionConfig
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.encoder.base import Encoder
from lgca_plugin.progress import drive
from lgca_plugin.run import Run
from lgca_plugin.workflows.fuse.fuse import iter_fuse
from lgca_plugin.workflows.fuse.request import FuseOptions, check_fuse
from tests.helpers.worlds.birds import bird_dataset, classify_birds

REGIONS = lgca.RegionConfig(crops=6, steps=1)
FOUR = CLASSES[:4]
QUICK = {"folds": 2, "steps": (0, 2)}
"""A training of a second."""


def two_runs(pictures: list[Any], encoders: tuple[Encoder, Encoder], **options: Any) -> tuple[Run, Run]:
    """Runs ``one`` and ``two`` on a new dataset, whose field ``given`` has four classes, whatever the birds."""
    given = [FOUR[at % len(FOUR)] for at in range(len(pictures))]
    dataset = bird_dataset(pictures, given=given, truth=[picture.truth for picture in pictures])
    first, second = (
        classify_birds(dataset, encoder, **{"run_key": key, "regions": REGIONS, **options})
        for key, encoder in zip(("one", "two"), encoders, strict=True)
    )
    return first, second


def fused(runs: list[Run], ground_truth: str | None = None, **options: Any) -> Run:
    """Fuses runs, quickly if there is something to learn."""
    return Run.of(drive(steps_of(runs, ground_truth, **options), False, unit=""))


def steps_of(
    runs: list[Run], ground_truth: str | None = None, *, images_at_once: int = 64, encoder: Any = None, **options: Any
) -> Any:
    """The steps of a fusion."""
    request = check_fuse(FuseOptions(runs=runs, ground_truth=ground_truth, **{**QUICK, **options}))
    return iter_fuse(request, encoder=encoder, images_at_once=images_at_once)


def fusion_of(run: Run) -> FusionConfig:
    """The fusion of a fused run."""
    assert run.config.fusion is not None
    return run.config.fusion


def answers(dataset: fo.Dataset, key: str, method: str = "hada") -> dict[str, tuple[str, float, float]]:
    """Sample id to label, confidence and margin."""
    paths = ["id", *(f"{key}_{method}.{name}" for name in ("label", "confidence", "margin"))]
    return {id_: tuple(rest) for id_, *rest in zip(*dataset.values(paths), strict=True)}


def texts_of(encoder: Encoder, classes: tuple[str, ...]) -> tuple[list[Any], list[Any]]:
    """The embeddings of the label prompts, and of each class's descriptions, in double precision."""
    labels = encoder.encode_texts([f"a photo of a {name}." for name in classes]).astype(float).tolist()
    return labels, [encoder.encode_texts(DESCRIPTIONS[name]).astype(float).tolist() for name in classes]
