"""Which pictures show none of the classes? Background texts as one more class, against calibrated confidence.

For each seed, birds of all twelve classes are drawn, and three of the classes are not listed. A label is wrong with a
probability of 5%, and those of the unlisted birds are any listed class. Compared are, as scores of showing none of the
classes: 1 - the softmax confidence; 1 - the calibrated confidence of all methods together, which a triage writes; and
the probability of a class "none" that has background texts for descriptions. AUC is the probability that a picture of
an unlisted class has the higher score than one of a listed class; intervals are 95%, bootstrapped over pictures within
seeds.

Run it: ``python scripts/mongod.py FOLDER python -m benchmarks.labels.none_of_these``
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.shared import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Scores = NDArray[np.float64]
    Flags = NDArray[np.bool_]

SEEDS = (71, 72, 73)
PICTURES = 240
UNLISTED = 3
WRONG = 0.05
METHODS = ("clip", "wca", "lgca", "wca_d")
NONE = "none"
BACKGROUND = (
    "a photo of a bird.",
    "a drawing of a lake.",
    "a photo of a beach.",
    "a photo of the sky.",
    "a forest.",
    "a meadow with a flower.",
    "snow.",
    "a photo of a stone.",
)
THRESHOLD = 0.5
BOOTSTRAPPED = 1000


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Pictures of one seed: whether each shows no listed class, and name of a way to its score and answer."""

    unlisted: Flags
    scores: dict[str, Scores]
    none: dict[str, Flags]
    right: dict[str, Flags]


def judge(seed: int, pictures: int) -> Judged:
    """Draws pictures, classifies them with and without background texts, and triages them."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
    from lgca_plugin.demo.dataset import draw_images

    rng = np.random.default_rng(seed)
    out = set(rng.choice(len(CLASSES), UNLISTED, replace=False).tolist())
    classes = [name for at, name in enumerate(CLASSES) if at not in out]
    texts = {name: DESCRIPTIONS[name] for name in classes}
    with tempfile.TemporaryDirectory() as folder:
        drawn = list(draw_images(folder, count=pictures, seed=seed))
        dataset = fo.Dataset()
        labels = [
            str(rng.choice(classes)) if one.truth not in classes or rng.random() < WRONG else one.truth for one in drawn
        ]
        dataset.add_samples(
            [
                fo.Sample(filepath=str(one.path), given=fo.Classification(label=label))
                for one, label in zip(drawn, labels, strict=True)
            ]
        )
        options: dict[str, Any] = {"encoder": "demo", "methods": METHODS, "progress": False}
        lgca.classify(dataset, classes, texts, ground_truth="given", run_key="plain", **options).triage(
            none_below=THRESHOLD, progress=False
        )
        with_none = {**texts, NONE: BACKGROUND}
        lgca.classify(dataset, [*classes, NONE], with_none, run_key="more", logits=True, **options)
        truth = np.array([one.truth for one in drawn])
        unlisted = ~np.isin(truth, classes)
        confidence = _mean(dataset, "plain", "confidence")
        calibrated = np.array(dataset.values("plain_best_answer.confidence"))
        best = np.array(dataset.values("plain_best_answer.likeliest"))
        shares = [_softmax(np.stack(dataset.values(f"more_{name}.logits")))[:, -1] for name in METHODS]
        answers = np.array(dataset.values("plain_lgca.label"))
        others = np.array(dataset.values("more_lgca.label"))
        background = np.mean(shares, axis=0)
        fo.delete_dataset(dataset.name)
    names = ("confidence", "calibrated confidence", "background texts")
    none = dict(zip(names, (confidence < THRESHOLD, calibrated < THRESHOLD, others == NONE), strict=True))
    right = dict(zip(names, (answers == truth, best == truth, others == truth), strict=True))
    scores = dict(zip(names, (1 - confidence, 1 - calibrated, background), strict=True))
    return Judged(unlisted=unlisted, scores=scores, none=none, right=right)


def _mean(dataset: Any, key: str, part: str) -> Scores:
    columns = [dataset.values(f"{key}_{name}.{part}") for name in METHODS]
    return np.nanmean(np.array(columns, dtype=np.float64), axis=0)


def _softmax(logits: Scores) -> Scores:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def auc(scores: Scores, unlisted: Flags) -> float:
    """Returns the probability that an unlisted picture has the higher score; ties count half."""
    a, b = scores[unlisted][:, None], scores[~unlisted][None]
    return float(((a > b) + 0.5 * (a == b)).mean())


def interval(found: Sequence[Judged], name: str) -> str:
    """Returns the mean AUC over the seeds with its interval."""
    rng = np.random.default_rng(0)
    means = []
    for _ in range(BOOTSTRAPPED):
        chosen = [rng.integers(len(one.unlisted), size=len(one.unlisted)) for one in found]
        means.append(
            np.mean([auc(one.scores[name][rows], one.unlisted[rows]) for one, rows in zip(found, chosen, strict=True)])
        )
    low, high = np.quantile(means, [0.025, 0.975])
    mean = np.mean([auc(one.scores[name], one.unlisted) for one in found])
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def main(arguments: list[str] | None = None) -> None:
    """Prints a row for each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--pictures", type=int, default=PICTURES)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as store:
        os.environ.setdefault("LGCA_STORE_DIR", store)
        found = [judge(seed, options.pictures) for seed in options.seeds]
    unlisted = np.concatenate([one.unlisted for one in found])
    before = np.concatenate([one.right["confidence"] for one in found]) & ~unlisted
    rows = []
    for name in found[0].scores:
        none = np.concatenate([one.none[name] for one in found])
        right = np.concatenate([one.right[name] for one in found])
        lost = int((before & (none | ~right)).sum())
        rows.append(
            [
                name,
                interval(found, name),
                f"{int((none & unlisted).sum())} of {int(unlisted.sum())}",
                f"{lost} of {int(before.sum())}",
                f"{((none & unlisted) | (right & ~none & ~unlisted)).mean():.1%}",
            ]
        )
    heads = ["score", "AUC", "unlisted pictures called none", "right answers lost", "right in all, none included"]
    sys.stdout.write(f"{table(heads, rows)}\n")
    sys.stdout.write(f"Right in all without such an answer: {before.mean():.1%}\n")


if __name__ == "__main__":
    main()
