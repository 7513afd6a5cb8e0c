"""Does the review's forecast hold, such as "of the next ten, about 8 are wrong (4 to 10)"? On drawings, truth known.

The demo's 240 pictures with four more sets, and harder sets (``label_errors`` describes them), are classified once with
the default methods. A review then goes down the queue in blocks of ten, decided by the truth, and each block is
forecast from the decisions above it. This is counted for the labels that the sets come with, and for labels that are
made wrong anew, a given share of them: ``any class`` is any other class, ``one class`` always the same, ``neighbours``
the one class that goes with the right one, which no fit to the labels can see.

A forecast holds if the number found is in its interval, which is stated to be so nine times in ten. ``python
scripts/mongod.py FOLDER python -m benchmarks.labels.forecasts`` prints tables in Markdown.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.labels.judges import Drawing, classified
from benchmarks.labels.label_errors import DEMO_SEEDS, FOUR
from benchmarks.shared import Share, table
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.drawings import DECIDABLE, VARIED
from lgca_plugin.method.labels.expected_errors import error_probabilities, expected_errors
from lgca_plugin.method.labels.label_errors import find_label_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from lgca_plugin.method.labels.expected_errors import Expectation

    IntArray = NDArray[np.integer]

BLOCK, BLOCKS = 10, 4
SHARES = (0.01, 0.03, 0.05, 0.1, 0.2)
KINDS = ("any class", "one class", "neighbours")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The forecast of a block, counted from 0, and the number of wrong labels that were found there."""

    block: int
    forecast: Expectation
    found: int

    @property
    def holds(self) -> bool:
        """Whether the number found is in the interval."""
        return self.forecast.low <= self.found <= self.forecast.high


def review(drawing: Drawing, labels: IntArray) -> list[Outcome]:
    """Returns the forecasts of the first blocks of a review of labels, each decided by the truth."""
    errors = find_label_errors({name: drawing.logits[name].copy for name in FOUR}, labels, classes=len(CLASSES))
    order, fit = np.argsort(errors.quality, kind="stable"), errors.ensemble
    wrong = (labels != drawing.truth)[order]
    p = error_probabilities(
        errors.quality[order], wrong_share=fit.wrong_share, classes=len(CLASSES), temperature=fit.value
    )
    return [
        Outcome(
            block=block,
            forecast=expected_errors(p[at : at + BLOCK], p[:at], wrong[:at]),
            found=int(wrong[at : at + BLOCK].sum()),
        )
        for block, at in enumerate(range(0, BLOCK * BLOCKS, BLOCK))
    ]


def made_wrong(truth: IntArray, kind: str, share: float, random: np.random.Generator) -> IntArray:
    """Returns ``[n]`` labels of which about a share is wrong, in a way of :data:`KINDS`."""
    count = len(CLASSES)
    one = random.integers(count)
    others = {
        "any class": (truth + random.integers(1, count, len(truth))) % count,
        "one class": np.where(truth == one, (truth + 1) % count, one),
        "neighbours": truth ^ 1,
    }
    return np.where(random.random(len(truth)) < share, others[kind], truth)


def own_table(drawings: dict[str, Drawing]) -> str:
    """Returns for each set, with its own labels, what was forecast of each block and what was found there."""
    rows = []
    for title, drawing in drawings.items():
        outcomes = review(drawing, drawing.given)
        cells = [
            f"{one.forecast.expected:.1f} ({one.forecast.low} to {one.forecast.high}): {one.found}" for one in outcomes
        ]
        rows.append([title, *cells])
    return table(["set", *(f"places {at * BLOCK + 1} to {(at + 1) * BLOCK}" for at in range(BLOCKS))], rows)


def coverage_table(drawings: Iterable[Drawing], rounds: int) -> str:
    """Returns how often forecasts hold for labels that are made wrong anew, and how wide they are."""
    drawings, rows = list(drawings), []
    for kind in KINDS:
        outcomes = list(_outcomes(drawings, kind, rounds))
        row: list[object] = [kind, len(outcomes), Share.of(np.array([one.holds for one in outcomes]))]
        for block in range(BLOCKS):
            own = [one for one in outcomes if one.block == block]
            width = np.mean([one.forecast.high - one.forecast.low for one in own])
            ahead = np.mean([one.forecast.expected - one.found for one in own])
            row.append(f"{np.mean([one.holds for one in own]):.0%}, width {width:.1f}, {ahead:+.1f}")
        rows.append(row)
    blocks = [f"block {block + 1}: holds, width, expected less found" for block in range(BLOCKS)]
    return table(["wrong labels are", "forecasts", "holds", *blocks], rows)


def _outcomes(drawings: list[Drawing], kind: str, rounds: int) -> Iterator[Outcome]:
    random = np.random.default_rng(0)
    for drawing in drawings:
        for share in SHARES:
            for _ in range(rounds):
                yield from review(drawing, made_wrong(drawing.truth, kind, share, random))


def main() -> int:
    """Draws and classifies the pictures, and prints the tables."""
    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102], help="of the harder sets")
    parser.add_argument("--count", type=int, default=1200, help="pictures in each of the harder sets")
    parser.add_argument("--rounds", type=int, default=4, help="of labels that are made wrong, for each share and set")
    parser.add_argument("--folder", type=Path, help="stores pictures and embeddings, which are deleted without it")
    parser.add_argument("--model", choices=["demo", "demo-vit"], default="demo", help="the second one is weaker")
    options = parser.parse_args()
    encoder = lgca.load_encoder(options.model)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        demos = {f"demo {seed}": classified(folder, seed, 240, DECIDABLE, encoder, 0.5) for seed in DEMO_SEEDS}
        harder = {
            f"harder {seed}": classified(folder, seed, options.count, VARIED, encoder, 0.5) for seed in options.seeds
        }
    sys.stdout.write(f"### The labels that the sets come with\n\n{own_table({**demos, **harder})}\n")
    for title, drawings in {"The demo and 4 more, 240 pictures each": demos, "Harder drawings": harder}.items():
        sys.stdout.write(f"### {title}\n\n{coverage_table(drawings.values(), options.rounds)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
