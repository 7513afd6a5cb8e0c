"""How many wrong labels do a classifier of one's own, LGCA and both together find? Counted on drawings, truth known.

Two classifiers are trained on the labels in question, each picture predicted by one that has not seen it (five folds):
``forest``, a random forest over histograms of colours, which is weak and has nothing to do with CLIP, and ``linear``, a
logistic regression over the demo model's image vectors, like a classifier on a foundation model's features. They judge
by logits, by confidences alone, or by labels alone, as ``lgca.triage`` does; ``seen`` is ``linear`` trained on the very
labels that it judges.

The sets and the wrong labels are those of :mod:`benchmarks.labels.judges`: the demo's pictures with four more sets of
240, and harder sets of 1,200, in 20 rounds in which each picture has a wrong label once. The classifiers are trained
anew in each round. A ranking is evaluated at W, the number of wrong labels: wrong labels among the W of lowest quality.
Differences are paired, over pictures, with exact bootstrap intervals of 95%. ``python scripts/mongod.py FOLDER python
-m benchmarks.labels.voters`` prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.labels.judges import rounds
from benchmarks.labels.label_errors import DEMO_SEEDS, found
from benchmarks.shared import Share, table
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.drawings import DECIDABLE, VARIED
from lgca_plugin.method.comparison.paired import compare
from lgca_plugin.method.labels.label_errors import find_label_errors
from lgca_plugin.method.labels.votes import vote_logits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lgca_plugin.demo.drawings import Composition

    BoolArray = NDArray[np.bool_]
    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]

METHODS = ("clip", "wca", "lgca")
FOLDS = 5
JUDGES: dict[str, tuple[str, ...]] = {
    "LGCA": ("lgca",),
    "CLIP, WCA and LGCA": METHODS,
    "forest": ("forest/logits",),
    "forest, confidences": ("forest/confidence",),
    "forest, labels": ("forest/label",),
    "forest and LGCA": ("forest/logits", "lgca"),
    "forest, confidences, and LGCA": ("forest/confidence", "lgca"),
    "forest, labels, and LGCA": ("forest/label", "lgca"),
    "linear": ("linear/logits",),
    "linear, confidences": ("linear/confidence",),
    "linear, labels": ("linear/label",),
    "linear and LGCA": ("linear/logits", "lgca"),
    "linear, confidences, and LGCA": ("linear/confidence", "lgca"),
    "linear, labels, and LGCA": ("linear/label", "lgca"),
    "linear, forest and LGCA": ("linear/logits", "forest/logits", "lgca"),
    "linear, seen": ("seen/logits",),
    "linear, seen, and LGCA": ("seen/logits", "lgca"),
}
"""Title to voters, each with what it judges by."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """One set of n pictures.

    Attributes:
        truth: ``[n]`` class index of what was drawn
        logits: zero-shot method to ``[n, C]``
        colours: ``[n, d]`` histograms
        vectors: ``[n, e]`` image vectors
    """

    truth: IntArray
    logits: dict[str, FloatArray]
    colours: FloatArray
    vectors: FloatArray


def classified(folder: Path, seed: int, count: int, composition: Composition, encoder: Any) -> Pictures:
    """Draws a set of pictures and classifies it."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.dataset import load_demo_dataset
    from lgca_plugin.workflows.review.pools import image_vectors

    name = f"voters-{seed}-{count}"
    dataset = load_demo_dataset(name, folder / name, count=count, seed=seed, overwrite=True, composition=composition)
    try:
        run = lgca.classify(
            dataset,
            CLASSES,
            DESCRIPTIONS,
            METHODS,
            encoder=encoder,
            budget="adaptive",
            shown_chains=0,
            store_regions=False,
            logits=True,
            progress=False,
        )
        assert not run.failures
        index = {label: position for position, label in enumerate(run.config.classes)}
        ids, paths, labels = dataset.values(["id", "filepath", "truth.label"])
        vectors = image_vectors(run, ids)
        logits = {one: np.stack(dataset.values(f"{run.key}_{one}.logits")).astype(np.float32) for one in METHODS}
        return Pictures(
            truth=np.array([index[label] for label in labels]),
            logits=logits,
            colours=np.stack([colour_histogram(path) for path in paths]),
            vectors=np.stack([vectors[id_] for id_ in ids]),
        )
    finally:
        fo.delete_dataset(name)
        sys.stderr.write(f"{count} pictures of seed {seed}: done\n")


def colour_histogram(path: str) -> FloatArray:
    """Returns ``[250]`` square roots of the shares of colours in a picture."""
    from PIL import Image

    with Image.open(path) as image:
        colours = np.asarray(image.convert("HSV").resize((96, 96))).reshape(-1, 3)
    counts, _ = np.histogramdd(colours, bins=(10, 5, 5), range=((0, 256),) * 3)
    return np.asarray(np.sqrt(counts.ravel() / counts.sum()))


def trained(pictures: Pictures, labels: IntArray) -> dict[str, FloatArray]:
    """Returns classifier to ``[n, C]`` log probabilities, trained on labels."""
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    forest = ExtraTreesClassifier(100, random_state=0)
    linear = LogisticRegression(C=10.0, max_iter=200)
    options: dict[str, Any] = {"cv": folds, "method": "predict_proba"}
    probabilities = {
        "forest": cross_val_predict(forest, pictures.colours, labels, **options),
        "linear": cross_val_predict(linear, pictures.vectors, labels, **options),
        "seen": linear.fit(pictures.vectors, labels).predict_proba(pictures.vectors),
    }
    return {name: np.log(np.maximum(p, 1e-9)) for name, p in probabilities.items()}


def ranked(pictures: Pictures, labels: IntArray) -> tuple[dict[str, BoolArray], dict[str, BoolArray]]:
    """Returns by judge whether each wrong label is among the W of lowest quality, and by voter who is right."""
    own, classes = trained(pictures, labels), len(CLASSES)

    def judge(name: str) -> Callable[[], FloatArray]:
        voter, _, by = name.partition("/")
        logits = own[voter] if by else pictures.logits[voter]
        if by in ("", "logits"):
            return lambda: np.array(logits, np.float32)
        answers = logits.argmax(axis=1)
        sure = np.exp(logits.max(axis=1)) if by == "confidence" else None
        return lambda: vote_logits(answers, labels, sure, classes=classes)

    def quality(names: tuple[str, ...]) -> NDArray[np.float64]:
        fixed = [name for name in names if name.endswith("/label")]
        pooled = names != METHODS  # a run of its own takes the mean
        judges = {name: judge(name) for name in names}
        found_errors = find_label_errors(judges, labels, classes=classes, fixed=fixed, pooled=pooled)
        return found_errors.quality.astype(np.float64)

    hits = {title: found(quality(names), labels != pictures.truth) for title, names in JUDGES.items()}
    right = {name: logits.argmax(axis=1) == pictures.truth for name, logits in (own | pictures.logits).items()}
    return hits, right


def points(hits: dict[str, list[BoolArray]], title: str, base: str) -> str:
    """Returns how many points one judge finds more than another, with the interval."""
    pair = compare({base: np.concatenate(hits[base]), title: np.concatenate(hits[title])})[0]
    low, high = (100 * end for end in pair.interval)
    return f"{100 * pair.difference:+.1f} ({low:+.1f} to {high:+.1f})"


def ranking_table(sets: list[Pictures], *, one_class: bool) -> str:
    """Returns precision, here equal to recall, at the number of wrong labels, and the differences to each part."""
    hits: dict[str, list[BoolArray]] = {title: [] for title in JUDGES}
    right: dict[str, list[BoolArray]] = {}
    for pictures in sets:
        of_set = [ranked(pictures, labels) for labels in rounds(pictures.truth, int(one_class), one_class=one_class)]
        for title, own in hits.items():
            own.append(np.concatenate([one[title] for one, _ in of_set]))
        for name in of_set[0][1]:
            right.setdefault(name, []).append(np.concatenate([one[name] for _, one in of_set]))
        sys.stderr.write(".")
    rows = []
    for title, own in hits.items():
        shares = [float(one.mean()) for one in own]
        alone = title.removesuffix(" and LGCA").removesuffix(",")
        row: list[object] = [title, Share.of(np.concatenate(own)), f"{min(shares):.0%} to {max(shares):.0%}"]
        row.append("" if title == "LGCA" else points(hits, title, "LGCA"))
        row.append(points(hits, title, alone) if alone != title and alone in hits else "")
        rows.append(row)
    accuracy = ", ".join(f"{name} {np.concatenate(own).mean():.1%}" for name, own in right.items())
    heads = ["judged by", "found", "lowest to highest set", "points ahead of LGCA", "of the classifier alone"]
    return f"{table(heads, rows)}\nRight: {accuracy}.\n"


def main() -> int:
    """Draws and classifies the pictures, trains the classifiers, and prints the tables."""
    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="*", default=[101, 102])
    parser.add_argument("--count", type=int, default=1200, help="pictures in each of the harder sets")
    options = parser.parse_args()
    encoder = lgca.load_encoder("demo")
    demo = [(seed, 240, DECIDABLE) for seed in DEMO_SEEDS]
    harder = [(seed, options.count, VARIED) for seed in options.seeds]
    groups = {"the demo and 4 more, 240 pictures each": demo, f"harder, {options.count:,} pictures each": harder}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        for title, group in groups.items():
            sets = [classified(folder, *one, encoder) for one in group]
            for one_class, of in ((False, "any class"), (True, "one class")):
                if sets:
                    sys.stdout.write(f"### {title}: {of}\n\n{ranking_table(sets, one_class=one_class)}\n")
                    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
