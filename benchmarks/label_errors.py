"""How well does triage find wrong labels? Counted on drawings where the truth is known, 5% of the labels wrong.

The demo's own 240 pictures, and four fresh drawings of 1,200 that nothing was tuned on, are classified and triaged, and
all numbers come from the fields and the report that ``run.triage`` writes. A ranking is judged at W, the number of
wrong labels: the share of the W labels with the lowest quality that is wrong, which is also the share of the wrong ones
that is found. The tables are Markdown; intervals are Wilson's, 95%.

Run it: ``python scripts/mongod.py FOLDER python -m benchmarks.label_errors``. With ``--folder`` the pictures and
embeddings are kept, and a second run encodes nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.method.comparison.paired import compare, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    BoolArray = NDArray[np.bool_]
    FloatArray = NDArray[np.float64]
    Names = NDArray[np.str_]

THREE = ("clip", "wca", "lgca")
FOUR = (*THREE, "lgca_d")
ENSEMBLES = {f"ensemble of {', '.join(names)}": names for names in (THREE, FOUR)}
LOOKED_AT = (0.05, 0.1, 0.2, 0.3)
BINS = 15


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the triage of a run says of n labels, as read from the samples.

    Attributes:
        given: ``[n]`` the labels, some of them wrong
        truth: ``[n]`` what was drawn
        answers: method name to ``[n]`` its label
        confidence: method name to ``[n]`` its confidence
        calibrated: method name to ``[n]`` the same after calibration
        by_method: method name to ``[n]`` quality of the given label
        quality: ``[n]`` the ensemble's
        suggestion: ``[n]`` suggested class, "" where the label is no suspect
        case: ``[n]`` the triage case
        report: of the triage
        clean: report of a triage of the same predictions against the truth, where no label is wrong
    """

    given: Names
    truth: Names
    answers: dict[str, Names]
    confidence: dict[str, FloatArray]
    calibrated: dict[str, FloatArray]
    by_method: dict[str, FloatArray]
    quality: FloatArray
    suggestion: Names
    case: Names
    report: dict[str, Any]
    clean: dict[str, Any]

    @property
    def wrong(self) -> BoolArray:
        """``[n]`` whether each label is wrong."""
        return np.asarray(self.given != self.truth)

    @property
    def suspect(self) -> BoolArray:
        """``[n]`` whether each label is a suspect."""
        return np.asarray(self.suggestion != "")


@dataclass(frozen=True)
class Share:
    """``k`` of ``n``."""

    k: int
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = wilson_interval(self.k, self.n)
        return f"{self.k} of {self.n}, {self.k / self.n:.0%} ({low:.0%} to {high:.0%})"

    @classmethod
    def of(cls, holds: BoolArray) -> Share:
        """Counts where something holds."""
        return cls(int(holds.sum()), len(holds))


def can_stop(dataset: Any, methods: Sequence[str], encoder: Any) -> Judged:
    """Classifies a dataset, triages it against its labels and against the truth, and reads what was written."""
    import lgca_plugin as lgca
    from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS

    key = f"of_{len(methods)}"
    run = lgca.classify(
        dataset,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=methods,
        run_key=key,
        encoder=encoder,
        ground_truth="ground_truth",
        shown_chains=0,
        progress=False,
    )
    assert not run.failures
    clean = run.triage("truth", progress=False).report
    report = run.triage(progress=False).report

    def column(field: str, kind: type) -> Any:
        missing = "" if kind is str else np.nan
        return np.array([missing if value is None else value for value in dataset.values(field)], dtype=kind)

    def of_methods(part: str, kind: type) -> dict[str, Any]:
        return {name: column(f"{key}_{name}.{part}", kind) for name in methods}

    return Judged(
        given=column("ground_truth.label", str),
        truth=column("truth.label", str),
        answers=of_methods("label", str),
        confidence=of_methods("confidence", float),
        calibrated=of_methods("calibrated", float),
        by_method=of_methods("label_quality", float),
        quality=column(f"{key}_label_quality", float),
        suggestion=column(f"{key}_suggestion.label", str),
        case=column(f"{key}_case", str),
        report=report,
        clean=clean,
    )


def found(quality: FloatArray, wrong: BoolArray, looked_at: int | None = None) -> BoolArray:
    """Tells for each wrong label whether it is among those with the lowest quality.

    Args:
        quality: ``[n]``
        wrong: ``[n]``
        looked_at: how many are looked at; None takes the number of wrong labels
    """
    worst = np.zeros(len(wrong), dtype=bool)
    worst[np.argsort(quality, kind="stable")[: wrong.sum() if looked_at is None else looked_at]] = True
    return np.asarray(worst[wrong])


def calibration_error(confidence: FloatArray, right: BoolArray) -> float:
    """The expected calibration error of a method's own labels, 15 bins of equal width."""
    bins = np.minimum(np.ceil(confidence * BINS).astype(int) - 1, BINS - 1)
    return float(sum(abs((right[bins == i] - confidence[bins == i]).sum()) for i in range(BINS)) / len(confidence))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Formats a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def spread(values: Sequence[float]) -> str:
    """Lowest to highest, as percentages."""
    return f"{min(values):.0%} to {max(values):.0%}"


Drawing = dict[tuple[str, ...], Judged]
"""The methods of a run to what its triage says, for one set of pictures."""


def fresh_title(fresh: Sequence[Drawing]) -> str:
    """Says how many drawings there are, and of how many pictures."""
    return f"{len(fresh)} fresh drawings, {sum(len(drawing[THREE].given) for drawing in fresh):,} pictures"


def rankings() -> dict[str, Callable[[Drawing], FloatArray]]:
    """What can be ranked by: each method's label quality, and the ensembles'."""
    ranked: dict[str, Callable[[Drawing], FloatArray]] = {
        f"`{name}`": lambda drawing, name=name: drawing[FOUR].by_method[name] for name in FOUR
    }
    ranked |= {text: lambda drawing, names=names: drawing[names].quality for text, names in ENSEMBLES.items()}
    return ranked


def ranking_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """Precision, which here is recall, at the number of wrong labels."""
    rows = []
    for text, quality in rankings().items():
        hits = [found(quality(drawing), drawing[THREE].wrong) for drawing in fresh]
        shares = [float(one.mean()) for one in hits]
        of_demo = Share.of(found(quality(demo), demo[THREE].wrong))
        rows.append([text, of_demo, Share.of(np.concatenate(hits)), spread(shares)])
    chance = [drawing[THREE].wrong.mean() for drawing in (demo, *fresh)]
    rows.append(["chance", f"{chance[0]:.0%}", f"{statistics.mean(chance[1:]):.0%}", ""])
    return table(["ranked by", "the demo", fresh_title(fresh), "lowest to highest of these"], rows)


def effort_table(fresh: Sequence[Drawing]) -> str:
    """The share of the wrong labels that is found by looking at the worst so many percent of the samples."""
    rows = []
    for text, quality in rankings().items():
        row: list[object] = [text]
        for share in LOOKED_AT:
            hits = [found(quality(one), one[THREE].wrong, round(share * len(one[THREE].wrong))) for one in fresh]
            row.append(f"{np.concatenate(hits).mean():.0%}")
        rows.append(row)
    return table(["ranked by", *(f"worst {share:.0%} looked at" for share in LOOKED_AT)], rows)


def paired_table(fresh: Sequence[Drawing]) -> str:
    """The ensemble of three against each method: which wrong labels one finds and the other does not."""
    ensemble = next(iter(ENSEMBLES))
    hits = {
        text: np.concatenate([found(quality(drawing), drawing[THREE].wrong) for drawing in fresh])
        for text, quality in rankings().items()
    }
    rows = []
    for text in (f"`{name}`" for name in FOUR):
        pair = compare({text: hits[text], ensemble: hits[ensemble]})[0]
        low, high = pair.interval
        rows.append([text, pair.only_a, pair.only_b, f"{low:+.1%} to {high:+.1%}", f"{pair.p:.2g}"])
    return table(["compared with", "only the ensemble finds", "only the method finds", "difference", "p"], rows)


def suspects_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """How many suspects are wrong labels, how many wrong labels are suspects, and how many suggestions are right."""
    rows = []
    for title, drawings in (("the demo", [demo]), ("fresh drawings", fresh)):
        for text, names in ENSEMBLES.items():
            judged = [drawing[names] for drawing in drawings]
            rows.append([title, f"suspects, {text}", *_hit_and_missed(judged, [one.suspect for one in judged])])
        judged = [drawing[THREE] for drawing in drawings]
        against = [one.case == "all agree against the label" for one in judged]
        rows.append([title, "case “all agree against the label”", *_hit_and_missed(judged, against)])
    heads = ["", "", "how many", "of these, wrong labels", "of the wrong labels, found", "of these, truth suggested"]
    return table(heads, rows)


def _hit_and_missed(judged: Sequence[Judged], chosen: Sequence[BoolArray]) -> list[object]:
    wrong = np.concatenate([one.wrong for one in judged])
    among = np.concatenate(chosen)
    suggested = np.concatenate(
        [np.where(one.suggestion != "", one.suggestion, one.answers["lgca"]) == one.truth for one in judged]
    )
    return [among.sum(), Share.of(wrong[among]), Share.of(among[wrong]), Share.of(suggested[among & wrong])]


def number_table(drawings: dict[str, Drawing]) -> str:
    """How many labels are said to be wrong, with the wrong ones there and with none."""
    rows = []
    for text, drawing in drawings.items():
        one = drawing[THREE]
        counts = [
            report[name]
            for report in (one.report, one.clean)
            for name in ("fitted_errors", "estimated_errors", "suspects")
        ]
        rows.append([text, int(one.wrong.sum()), *counts])
    heads = ["", "wrong", "fitted", "estimated", "suspects"]
    return table([*heads, *(f"all labels right: {name}" for name in heads[2:])], rows)


def calibration_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """Calibration errors by the given labels, as reported, and by the truth, which a curator does not have."""
    rows = []
    for title, drawings in (("the demo", [demo]), ("fresh drawings", fresh)):
        for name in FOUR:
            judged = [drawing[FOUR] for drawing in drawings]
            reported = [one.report["calibration"][name] for one in judged]
            right = [one.answers[name] == one.truth for one in judged]
            columns = [
                [calibration["temperature"] for calibration in reported],
                [calibration["error_before"] for calibration in reported],
                [calibration["error_after"] for calibration in reported],
                [calibration_error(one.confidence[name], ok) for one, ok in zip(judged, right, strict=True)],
                [calibration_error(one.calibrated[name], ok) for one, ok in zip(judged, right, strict=True)],
            ]
            accuracy = statistics.mean(float(ok.mean()) for ok in right)
            texts = [_mean(columns[0], "{:.2f}"), *(_mean(column, "{:.1%}") for column in columns[1:])]
            rows.append([title, f"`{name}`", f"{accuracy:.1%}", *texts])
    heads = ["", "method", "right", "temperature", "error before", "error after", "by the truth: before", "after"]
    return table(heads, rows)


def _mean(values: Sequence[float], form: str) -> str:
    """Gives the mean, and lowest to highest where there are several."""
    text = form.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"


def draw(folder: Path, seed: int, count: int, encoder: Any) -> Drawing:
    """Draws, classifies and triages one set of pictures."""
    import fiftyone as fo

    from lgca_plugin.demo.dataset import load_demo_dataset

    name = f"label-errors-{seed}-{count}"
    dataset = load_demo_dataset(name, folder / name, count=count, seed=seed, overwrite=True)
    try:
        drawing = {names: can_stop(dataset, names, encoder) for names in (FOUR, THREE)}
    finally:
        fo.delete_dataset(name)
    sys.stderr.write(f"{count} pictures of seed {seed}: done\n")
    return drawing


def main() -> int:
    """Draws the pictures, triages them and prints the tables."""
    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104])
    parser.add_argument("--count", type=int, default=1200, help="pictures in each fresh drawing")
    parser.add_argument("--folder", type=Path, help="where pictures and embeddings are kept; by default they are not")
    options = parser.parse_args()
    encoder = lgca.load_encoder("demo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        demo = draw(folder, 51, 240, encoder)
        fresh = {f"drawing {seed}": draw(folder, seed, options.count, encoder) for seed in options.seeds}
    drawings = list(fresh.values())
    for title, text in {
        "Ranking": ranking_table(demo, drawings),
        f"Effort, {fresh_title(drawings)}": effort_table(drawings),
        f"The ensemble of three against its members and `lgca_d`, {fresh_title(drawings)}": paired_table(drawings),
        "Suspects": suspects_table(demo, drawings),
        "How many labels are wrong": number_table({"the demo": demo, **fresh}),
        "Calibration": calibration_table(demo, drawings),
    }.items():
        sys.stdout.write(f"### {title}\n\n{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
