"""Does a search among boxes find wrong labels? Counted on pictures of several drawn birds, a tenth of the labels wrong.

For each seed, pictures of three to six birds are drawn, and their boxes searched as a user would:
``lgca.find_wrong_labels(dataset.to_patches("ground_truth"))`` with its defaults and the demo's model. W is the number
of wrong labels; a review goes through the labels from the lowest quality on. The table is Markdown; intervals are
Wilson's, 95%.

Run it: ``python scripts/mongod.py FOLDER python -m benchmarks.labels.boxes``
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared import Share, table

SEEDS = (61, 62, 63, 64, 65)
PICTURES = 60
METHODS = ("clip", "wca", "lgca", "wca_d")


@dataclass(frozen=True, kw_only=True)
class SearchedBoxes:
    """What a search among n boxes has found.

    Attributes:
        boxes: n
        wrong: W, the number of wrong labels
        first: number of wrong labels among the first W of the review
        twice: number of them among its first 2 W
        suspects: number of suspects
        found: number of wrong labels among the suspects
        suggested: number of those whose true class is suggested
        right: method to the number of boxes that it gives their true class
    """

    boxes: int
    wrong: int
    first: int
    twice: int
    suspects: int
    found: int
    suggested: int
    right: dict[str, int]


def search(seed: int, pictures: int = PICTURES) -> SearchedBoxes:
    """Draws pictures, searches their boxes and counts."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.flocks import load_flocks_dataset

    with tempfile.TemporaryDirectory() as folder:
        dataset = load_flocks_dataset(folder, count=pictures, seed=seed)
        triage = lgca.find_wrong_labels(dataset.to_patches("ground_truth"), encoder="demo", progress=False)
        patches = dataset.to_patches("ground_truth").sort_by("ground_truth.zeroshot_label_quality")
        names = ("label", "truth", "zeroshot_suggestion", *(f"zeroshot_{name}" for name in METHODS))
        given, truth, suggestion, *answers = patches.values([f"ground_truth.{name}" for name in names])
        wrong = [label != other for label, other in zip(given, truth, strict=True)]
        suspects = [label is not None for label in suggestion]
        w = sum(wrong)
        counts = SearchedBoxes(
            boxes=len(wrong),
            wrong=w,
            first=sum(wrong[:w]),
            twice=sum(wrong[: 2 * w]),
            suspects=sum(suspects),
            found=sum(a and b for a, b in zip(wrong, suspects, strict=True)),
            suggested=sum(a and b == c for a, b, c in zip(wrong, suggestion, truth, strict=True)),
            right={
                name: sum(a == b for a, b in zip(own, truth, strict=True))
                for name, own in zip(METHODS, answers, strict=True)
            },
        )
        fo.delete_dataset(triage.run.dataset.name)
        fo.delete_dataset(dataset.name)
    return counts


def main(arguments: list[str] | None = None) -> None:
    """Prints a row a seed, one of all together, and the accuracies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--pictures", type=int, default=PICTURES)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as store:
        os.environ.setdefault("LGCA_STORE_DIR", str(Path(store)))
        found = {seed: search(seed, options.pictures) for seed in options.seeds}
    heads = ["seed", "boxes", "wrong labels in the first W", "in the first 2 W", "suspects that are wrong"]
    rows = [[str(seed), *_row(one)] for seed, one in found.items()]
    every = list(found.values())
    total = SearchedBoxes(
        **{name: sum(getattr(one, name) for one in every) for name in ("boxes", "wrong", "first", "twice", "suspects")},
        found=sum(one.found for one in every),
        suggested=sum(one.suggested for one in every),
        right={name: sum(one.right[name] for one in every) for name in METHODS},
    )
    rows.append(["all", *_row(total)])
    sys.stdout.write(f"{table(heads, rows)}\n")
    sys.stdout.write(f"Right suggestion on wrong labels: {Share(total.suggested, total.wrong)}\n")
    for name, right in total.right.items():
        sys.stdout.write(f"Accuracy of {name}: {Share(right, total.boxes)}\n")


def _row(one: SearchedBoxes) -> list[str]:
    shares = Share(one.first, one.wrong), Share(one.twice, one.wrong), Share(one.found, one.suspects)
    return [f"{one.boxes:,}", *map(str, shares)]


if __name__ == "__main__":
    main()
