"""Whose probabilities should judge labels? Former ensemble, decisive methods, known shares: on drawings, truth known.

The demo's pictures with four more sets of 240, and four sets of 1,200 that are harder (``label_errors`` describes
them), are classified once; each judge then ranks the labels as a triage does. To count on every picture, labels are
made wrong in 20 rounds, in each on another twentieth of a set, so that each picture has a wrong label once; the labels
that the sets come with are counted as well. ``any class``: a wrong label is any other class, as in the demo.
``one class``: all wrong labels of a round are the same class, which disturbs counts of the labels most.

A ranking is evaluated at W, the number of wrong labels: wrong labels among the W of lowest quality, which is both
precision and recall. Differences are paired, over pictures, with exact bootstrap intervals of 95%. ``python
scripts/mongod.py FOLDER python -m benchmarks.labels.judges`` prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.labels.label_errors import DEMO_SEEDS, found
from benchmarks.shared import Share, table
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.drawings import DECIDABLE, VARIED
from lgca_plugin.method.comparison.paired import compare
from lgca_plugin.method.labels.calibration import fit_temperature
from lgca_plugin.method.labels.class_shares import share_offsets
from lgca_plugin.method.labels.label_errors import find_label_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lgca_plugin.demo.drawings import Composition

    BoolArray = NDArray[np.bool_]
    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

THREE = ("clip", "wca", "lgca")
METHODS = (*THREE, "wca_d", "lgca_d")
FORMER = "clip, wca, lgca"
JUDGES = {
    FORMER: (THREE, False),
    "wca": (("wca",), False),
    "wca_d": (("wca_d",), False),
    "lgca_d": (("lgca_d",), False),
    "clip, wca, lgca, wca_d": ((*THREE, "wca_d"), False),
    "clip, wca, lgca, shares": (THREE, True),
    "wca_d, shares": (("wca_d",), True),
    "lgca_d, shares": (("lgca_d",), True),
    "clip, wca, lgca, wca_d, shares": ((*THREE, "wca_d"), True),
}
"""Title of a judge: its methods, and whether the counts of the labels that it judges move its logits."""
ROUNDS = 20


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The answers to one set of n pictures.

    Attributes:
        given: ``[n]`` class index of the label that the set comes with
        truth: ``[n]`` class index of what was drawn
        logits: method name to ``[n, C]``
    """

    given: IntArray
    truth: IntArray
    logits: dict[str, FloatArray]


def classified(
    folder: Path, seed: int, count: int, composition: Composition, encoder: Any, scale_min: float
) -> Drawing:
    """Draws a set of pictures and classifies it."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.dataset import load_demo_dataset

    name = f"judges-{seed}-{count}"
    dataset = load_demo_dataset(name, folder / name, count=count, seed=seed, overwrite=True, composition=composition)
    regions = lgca.RegionConfig(scale_min=scale_min, scale_max=0.9 if scale_min >= 0.5 else 3 * scale_min)
    try:
        run = lgca.classify(
            dataset,
            classes=CLASSES,
            descriptions=DESCRIPTIONS,
            methods=METHODS,
            regions=regions,
            encoder=encoder,
            shown_chains=0,
            logits=True,
            progress=False,
        )
        assert not run.failures
        index = {name: position for position, name in enumerate(run.config.classes)}
        columns = dataset.values(["ground_truth.label", "truth.label"])
        given, truth = (np.array([index[label] for label in column]) for column in columns)
        logits = {one: np.stack(dataset.values(f"{run.key}_{one}.logits")).astype(np.float32) for one in METHODS}
    finally:
        fo.delete_dataset(name)
    sys.stderr.write(f"{count} pictures of seed {seed}: done\n")
    return Drawing(given=given, truth=truth, logits=logits)


def logits_of(drawing: Drawing, labels: IntArray, method: str, *, shares: bool) -> NDArray[np.float32]:
    """Returns ``[n, C]`` logits of a method, moved by the counts of the labels if ``shares``."""
    logits = drawing.logits[method]
    if not shares:
        return np.array(logits, np.float32)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=np.float64)
    offsets = share_offsets(
        odds / odds.sum(axis=1, keepdims=True), np.bincount(labels, minlength=len(CLASSES)).astype(float)
    )
    return np.asarray(logits + offsets, np.float32)


def ranked(drawing: Drawing, labels: IntArray) -> dict[str, BoolArray]:
    """Returns by judge whether each wrong label is among the W of lowest quality, as a triage ranks."""
    known: dict[tuple[str, bool], FloatArray] = {}

    def quality(method: str, shares: bool) -> FloatArray:
        if (method, shares) not in known:
            logits = logits_of(drawing, labels, method, shares=shares)
            logits /= np.float32(fit_temperature(logits, labels).value)
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            known[method, shares] = odds[np.arange(len(labels)), labels] / odds.sum(axis=1)
        return known[method, shares]

    return {
        title: found(np.mean([quality(name, shares) for name in methods], axis=0, dtype=float), labels != drawing.truth)
        for title, (methods, shares) in JUDGES.items()
    }


def rounds(truth: IntArray, seed: int, *, one_class: bool) -> Iterator[IntArray]:
    """Yields ``[n]`` labels, in each round with another twentieth of them wrong."""
    random = np.random.default_rng(seed)
    count = len(CLASSES)
    for part in np.array_split(random.permutation(len(truth)), ROUNDS):
        labels = truth.copy()
        swallowing = np.full(len(part), random.integers(count))
        others = (truth[part] + random.integers(1, count, len(part))) % count
        labels[part] = np.where(one_class & (swallowing != truth[part]), swallowing, others)
        yield labels


def ranking_table(drawings: list[Drawing], labels: list[list[IntArray]]) -> str:
    """Returns precision, here equal to recall, at the number of wrong labels, and its difference to the first judge.

    ``labels`` are those of each drawing, once or in several rounds.
    """
    of_sets = [
        [ranked(drawing, given) for given in of_drawing] for drawing, of_drawing in zip(drawings, labels, strict=True)
    ]
    hits = {title: [np.concatenate([one[title] for one in of_set]) for of_set in of_sets] for title in JUDGES}
    rows = []
    for title, ours in hits.items():
        means = [float(one.mean()) for one in ours]
        row: list[object] = [title, Share.of(np.concatenate(ours)), f"{min(means):.0%} to {max(means):.0%}"]
        if title != FORMER:
            pair = compare({FORMER: np.concatenate(hits[FORMER]), title: np.concatenate(ours)})[0]
            low, high = (100 * end for end in pair.interval)
            ahead = [100 * float(a.mean() - b.mean()) for a, b in zip(ours, hits[FORMER], strict=True)]
            row += [
                f"{100 * pair.difference:+.1f} ({low:+.1f} to {high:+.1f})",
                f"{min(ahead):+.1f} to {max(ahead):+.1f}",
            ]
        rows.append(row + [""] * (5 - len(row)))
    return table(["judged by", "found", "lowest to highest set", "points ahead of the first", "of each set"], rows)


def suspects_table(drawings: list[Drawing]) -> str:
    """Returns precision and recall of the suspects among the labels of the sets, and of their suggestions."""
    rows = []
    for title, (methods, shares) in JUDGES.items():
        wrong, suspects, right = [], [], []
        for one in drawings:
            logits = {name: partial(logits_of, one, one.given, name, shares=shares) for name in methods}
            errors = find_label_errors(logits, one.given, classes=len(CLASSES))
            wrong.append(one.given != one.truth)
            suspects.append(errors.suspect)
            right.append(errors.suggestion == one.truth)
        is_wrong, suspect, suggested = map(np.concatenate, (wrong, suspects, right))
        shown = [Share.of(is_wrong[suspect]), Share.of(suspect[is_wrong]), Share.of(suggested[suspect & is_wrong])]
        rows.append([title, int(suspect.sum()), *shown])
    return table(["judged by", "suspects", "of these, wrong labels", "wrong labels found", "truth suggested"], rows)


def main() -> int:
    """Draws and classifies the pictures, and prints the tables."""
    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104])
    parser.add_argument("--count", type=int, default=1200, help="pictures in each of the harder sets")
    parser.add_argument("--scale-min", type=float, default=0.5, help="of the crops; below 0.5 they go up to 3 times it")
    parser.add_argument("--folder", type=Path, help="stores pictures and embeddings, which are deleted without it")
    options = parser.parse_args()
    encoder = lgca.load_encoder("demo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        groups = {
            "the demo and 4 more, 240 pictures each": [
                classified(folder, seed, 240, DECIDABLE, encoder, options.scale_min) for seed in DEMO_SEEDS
            ],
            f"harder drawings, {options.count:,} pictures each": [
                classified(folder, seed, options.count, VARIED, encoder, options.scale_min) for seed in options.seeds
            ],
        }
    for title, drawings in groups.items():
        sources: dict[str, list[list[IntArray]]] = {
            "the labels of the sets": [[one.given] for one in drawings],
            "each picture once, any class": [list(rounds(one.truth, 0, one_class=False)) for one in drawings],
            "each picture once, one class": [list(rounds(one.truth, 1, one_class=True)) for one in drawings],
        }
        for source, labels in sources.items():
            sys.stdout.write(f"### {title}: {source}\n\n{ranking_table(drawings, labels)}\n")
        sys.stdout.write(f"### {title}: suspects among the labels of the sets\n\n{suspects_table(drawings)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
