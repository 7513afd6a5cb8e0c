"""Samples without image files: labels of which some are wrong, and predictions of classifiers that do not exist."""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import numpy as np

CLASSES = ("crow", "duck", "gull", "tern", "wren")
COUNT = 240
WRONG = 20


def predicted(dataset: Any, *, seed: int = 0) -> Any:
    """Fills a dataset: ``truth``, ``ground_truth`` with wrong labels, and the predictions ``resnet``."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(CLASSES), size=COUNT)
    given = truth.copy()
    wrong = rng.choice(COUNT, WRONG, replace=False)
    given[wrong] = (truth[wrong] + rng.integers(1, len(CLASSES), WRONG)) % len(CLASSES)
    dataset.add_samples(
        [
            fo.Sample(
                filepath=f"/nowhere/{at}.jpg",
                truth=fo.Classification(label=CLASSES[a]),
                ground_truth=fo.Classification(label=CLASSES[b]),
            )
            for at, (a, b) in enumerate(zip(truth.tolist(), given.tolist(), strict=True))
        ]
    )
    return add_predictions(dataset, "resnet", seed=seed + 1)


def add_predictions(dataset: Any, field: str, *, seed: int, signal: float = 5.0) -> Any:
    """Adds a field of predictions with logits, made from the true classes."""
    rng = np.random.default_rng(seed)
    drawn = dataset.values("truth.label")
    classes = sorted(set(drawn))
    truth = [classes.index(label) for label in drawn]
    logits = signal * np.eye(len(classes))[truth] + rng.gumbel(size=(len(truth), len(classes)))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = [
        fo.Classification(label=classes[row.argmax()], confidence=float(row.max()), logits=own)
        for row, own in zip(p, logits, strict=True)
    ]
    dataset.set_values(field, labels)
    return dataset
