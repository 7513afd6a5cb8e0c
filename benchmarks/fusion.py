"""Several encoders fused into one answer, against single encoders, their means, learnt weights and probes.

Two further small CLIPs are trained by the package's own training script, and fresh drawings are encoded by each of them
and by the demo's model; then everything is learnt from 50 to 2,000 labels, three draws of them each, and answers the
same test pictures. A line of JSON is one result: its top-1 with each draw of the labels, and how far HADA is ahead of
it, with the interval of the paired difference (:mod:`lgca_plugin.method.comparison.paired`; the counts are means over
the draws, so the interval is that of a single one). Markdown tables follow. ``python -m benchmarks.fusion``; with
``--folder`` models and arrays are kept, and a second run trains and encodes nothing; ``--quick`` takes minutes, and its
numbers mean nothing.

The best single encoder is the best by the test pictures themselves, of all encoders and methods: no choice that a user
can make is better.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.method.comparison.paired import difference_interval, mcnemar_exact

from .fused import baselines, errors, learners
from .fused.models import ENCODERS, source_of
from .fused.pictures import SETS, STRONGEST, encode, labelled_sets, truth_of
from .shared import table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from .fused.baselines import Array, Single
    from .fused.pictures import Integers, PictureSet, Seen

    Right = NDArray[np.bool_]
    Learner = Callable[[Integers, Integers, int], Array]

LABELS = (50, 200, 500, 2000)
SEEDS = (1, 2, 3)
OURS = "HADA"
BEST = "best single encoder"
MEASURES = ("auroc", "precision")
MEAN = "mean of probabilities"


@dataclass(frozen=True, kw_only=True)
class Mix:
    """Encoders that are fused, on a set of pictures."""

    pictures: str
    encoders: tuple[str, ...]

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"{self.pictures}: {' and '.join(self.encoders)}"


MIXES = (
    Mix(pictures="hard", encoders=("resnet", "resnet-wide")),
    Mix(pictures="easy", encoders=("resnet", "resnet-wide")),
    Mix(pictures="varied", encoders=("resnet", "useless")),
)


class Trial:
    """The pictures of a set as some encoders see them, and what answers them.

    Learnt answers are kept in a folder, if there is one; ``changes`` are settings of the fusions.

    Attributes:
        answers: number of labels (0 for what learns nothing) -> name -> for each draw of labels ``[test]`` whether each
            test picture is answered right
    """

    def __init__(
        self, pictures: PictureSet, seen: Sequence[Seen], *, kept: Path | None = None, changes: Mapping[str, Any]
    ) -> None:
        self.answers: dict[int, dict[str, list[Right]]] = {0: {}}
        self._pictures = pictures
        self._seen = seen
        self._kept = kept
        self._changes = changes
        self._truth = truth_of(pictures)
        self._test = np.arange(pictures.pool, pictures.count)
        self._singles = [baselines.single(one) for one in seen]

    def untaught(self) -> None:
        """Answers without labels."""
        for one in self._singles:
            for method, logits in one.logits.items():
                self._note(0, f"{one.name} {method}", logits)
        singles = self.answers[0]
        best = max(singles, key=lambda name: singles[name][0].sum())
        singles[BEST] = list(singles[best])
        self._note(0, MEAN, baselines.mean_probabilities(self._singles))
        self._note(0, f"{OURS}, nothing learnt", learners.untrained(self._seen, self._test))

    def taught(self, number: int, seed: int, only: Sequence[str] | None) -> None:
        """Answers with a number of labels."""
        rows = labelled_sets(self._pictures, [number], seed)[number]
        for name, learn in learners_of(self._singles, self._seen, self._test, self._changes).items():
            if only is None or name in only:
                file = None if self._kept is None else self._kept / f"{number}-{seed}-{name.replace(' ', '-')}.npy"
                if file is None or not file.exists():
                    started = time.perf_counter()
                    logits = learn(self._truth, rows, seed)[-len(self._test) :]
                    sys.stderr.write(f"{number} labels, draw {seed}, {name}: {time.perf_counter() - started:.0f} s\n")
                    if file is not None:
                        np.save(file, logits.astype(np.float32))
                self._note(number, name, logits if file is None else np.load(file))

    def lines(self, mix: Mix) -> list[dict[str, Any]]:
        """Returns the results, JSON-ready."""
        lines = []
        for number, of_name in self.answers.items():
            ours = of_name.get(OURS)
            for name, right in {**(self.answers[0] if ours else {}), **of_name}.items():
                line: dict[str, Any] = {"benchmark": "fusion", "pictures": mix.pictures, "encoders": list(mix.encoders)}
                line |= {"labels": number, "method": name, "top1": [round(float(one.mean()), 4) for one in right]}
                if ours and name != OURS:
                    line["ours_ahead"] = ahead(ours, right)
                lines.append(line)
        return lines

    def label_errors(self, mix: Mix, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Returns how well wrong labels of the pool are found, JSON-ready."""
        truth = self._truth[: min(self._pictures.pool, errors.AMONG)]
        head = {"benchmark": "fusion, wrong labels", "pictures": mix.pictures, "encoders": list(mix.encoders)}
        return errors.lines(self._singles, self._seen, truth, seeds, head, **self._changes)

    def _note(self, number: int, name: str, logits: Any) -> None:
        """Notes what is right by logits of all pictures, or of the test pictures alone, which are the last ones."""
        test = slice(-self._pictures.test, None)
        right = logits[test].argmax(axis=1) == self._truth[test]
        self.answers.setdefault(number, {}).setdefault(name, []).append(right)


def learners_of(
    singles: Sequence[Single], seen: Sequence[Seen], test: Integers, changes: Mapping[str, Any]
) -> dict[str, Learner]:
    """Returns name to a function of all labels, the labelled rows and a seed that returns logits.

    Logits are of all pictures, or of the test pictures alone, which are the last ones.
    """
    decisive = [one.logits[STRONGEST] for one in singles]
    everything = [logits for one in singles for logits in one.logits.values()]
    features = np.hstack([vectors for one in singles for vectors in one.vectors.values()])
    offset = np.sum(decisive, axis=0)
    return {
        "learnt weights of the encoders": lambda truth, rows, _: baselines.learnt_weights(decisive, truth, rows),
        "learnt weights of all methods": lambda truth, rows, _: baselines.learnt_weights(everything, truth, rows),
        "linear probe on all vectors": lambda truth, rows, seed: baselines.probe(
            features, offset, truth, rows, seed=seed
        ),
        **{name: learners.learner(seen, settings, test, **changes) for name, settings in learners.SETTINGS.items()},
    }


def ahead(ours: Sequence[Right], other: Sequence[Right]) -> dict[str, Any]:
    """Compares what is right on the same pictures, with the same draws of labels; one without labels has one draw."""
    pairs = [(one, other[min(draw, len(other) - 1)]) for draw, one in enumerate(ours)]
    only_ours = round(np.mean([(a & ~b).sum() for a, b in pairs]))
    only_other = round(np.mean([(b & ~a).sum() for a, b in pairs]))
    n = len(ours[0])
    low, high = difference_interval(only_ours, only_other, n)
    return {
        "difference": round((only_ours - only_other) / n, 4),
        "interval": [round(low, 4), round(high, 4)],
        "p": float(f"{float(mcnemar_exact(only_ours, only_other)):.2g}"),
        "of_each_draw": [round(float(a.mean() - b.mean()), 4) for a, b in pairs],
    }


def tables(mix: Mix, lines: Sequence[dict[str, Any]]) -> str:
    """Returns the results of a mix as Markdown: top-1, then how far HADA is ahead."""
    numbers = [number for number in dict.fromkeys(line["labels"] for line in lines) if number]
    by_name: dict[str, dict[int, dict[str, Any]]] = {}
    for line in lines:
        by_name.setdefault(line["method"], {})[line["labels"]] = line
    heads = [mix.title, "labels: 0", *map(str, numbers)]
    rows, ahead_rows = [], []
    for name, own in by_name.items():
        at = [0] if 0 in own else numbers
        tops = {number: f"{100 * np.mean(own[number]['top1']):.1f}" for number in at if number in own}
        rows.append([name, *(tops.get(number, "") for number in [0, *numbers])])
        if name != OURS:
            found = [own.get(number, {}).get("ours_ahead") for number in numbers]
            ahead_rows.append([name, *("" if one is None else _difference(one) for one in found)])
    return f"{table(heads, rows)}\n{table([f'{OURS} ahead of', *map(str, numbers)], ahead_rows)}"


def _difference(one: dict[str, Any]) -> str:
    low, high = one["interval"]
    return f"{100 * one['difference']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


def main() -> int:
    """Trains, encodes, learns and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="keeps models and arrays, and uses those that are there")
    parser.add_argument("--pictures", nargs="+", choices=list(SETS), default=list(SETS), help="which sets")
    parser.add_argument("--encoders", nargs="+", choices=list(ENCODERS), help="fused instead of each set's own")
    parser.add_argument("--labels", type=int, nargs="+", default=list(LABELS), help="numbers of labels")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="draws of the labels")
    parser.add_argument("--methods", nargs="+", help="which of those that learn; all without it")
    parser.add_argument("--resume", action="store_true", help="also keeps what was learnt, and learns only the rest")
    parser.add_argument("--label-errors", action="store_true", help="also finds wrong labels among those learnt from")
    parser.add_argument("--quick", action="store_true", help="few pictures and steps; the numbers mean nothing")
    options = parser.parse_args()
    if options.quick:
        options.labels, options.seeds = [50, 100], [1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        for mix in (mix for mix in MIXES if mix.pictures in options.pictures):
            chosen = replace(mix, encoders=tuple(options.encoders or mix.encoders))
            pictures = SETS[mix.pictures]
            if options.quick:
                pictures = replace(pictures, pool=120, test=60)
            of_set = folder / ("quick" if options.quick else "sets") / pictures.name
            seen = [
                encode(pictures, name, source_of(name, folder / "models", quick=options.quick), of_set)
                for name in chosen.encoders
            ]
            kept = of_set / f"learnt-{'-'.join(chosen.encoders)}" if options.resume else None
            if kept is not None:
                kept.mkdir(exist_ok=True)
            trial = Trial(pictures, seen, kept=kept, changes=learners.QUICK if options.quick else {})
            trial.untaught()
            for number in options.labels:
                for seed in options.seeds:
                    trial.taught(number, seed, options.methods)
            lines = trial.lines(chosen)
            for line in lines:
                print(json.dumps(line), flush=True)
            print(f"\n{tables(chosen, lines)}", flush=True)
            if options.label_errors:
                wrong = trial.label_errors(chosen, options.seeds)
                for line in wrong:
                    print(json.dumps(line), flush=True)
                rows = [[line["ranked_by"], *(f"{np.mean(line[name]):.3f}" for name in MEASURES)] for line in wrong]
                print(f"\n{table([f'{chosen.title}, wrong labels ranked by', *MEASURES], rows)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
