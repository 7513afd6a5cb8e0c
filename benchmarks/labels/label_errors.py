"""How well does triage find wrong labels? Counted on drawings where the truth is known, 5% of the labels wrong.

The demo's 240 pictures, and four new drawings of 1,200 that were not used for tuning, are classified and triaged; all
numbers come from the fields and the report of ``run.triage``. The new drawings are as varied as those that the model
was trained on, and harder than the demo's: smaller birds, and parts with a colour of another class. A ranking is
evaluated at W, the number of wrong labels: the share of wrong labels among the W labels of lowest quality, which is
both precision and recall. The tables are Markdown; intervals are Wilson's, 95%.

Run it: ``python scripts/mongod.py FOLDER python -m benchmarks.labels.label_errors``. With ``--folder`` the pictures and
embeddings are stored, and a second run encodes nothing.
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

from benchmarks.shared import Share, table
from lgca_plugin.demo.drawings import DECIDABLE, VARIED
from lgca_plugin.method.comparison.paired import compare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lgca_plugin.demo.drawings import Composition

    BoolArray = NDArray[np.bool_]
    FloatArray = NDArray[np.float64]
    Names = NDArray[np.str_]

THREE = ("clip", "wca", "lgca")
FOUR = (*THREE, "wca_d")
ENSEMBLES = {f"ensemble of {', '.join(names)}": names for names in (THREE, FOUR)}
REVIEWED = (0.05, 0.1, 0.2, 0.3)
DEMO_SEEDS = (51, 52, 53, 54, 55)  # that of the demo, and four more
BINS = 15


@dataclass(frozen=True, kw_only=True)
class TriageResult:
    """The triage of a run with n labels, as read from the samples.

    Attributes:
        given: ``[n]`` the labels, some of them wrong
        truth: ``[n]`` what was drawn
        answers: method name to ``[n]`` its label
        confidence: method name to ``[n]`` its confidence
        calibrated: method name to ``[n]`` the same after calibration
        by_method: method name to ``[n]`` quality of the given label
        quality: ``[n]`` the ensemble's
        suggestion: ``[n]`` suggested class, "" if the label is no suspect
        case: ``[n]`` the triage case
        report: report of the triage
        clean: report of a triage of the same predictions against the true labels
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


def triage_of(dataset: Any, methods: Sequence[str], encoder: Any) -> TriageResult:
    """Classifies a dataset, triages it against its labels and against the truth, and reads the results."""
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

    return TriageResult(
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


def found(quality: FloatArray, wrong: BoolArray, reviewed: int | None = None) -> BoolArray:
    """Returns for each of the wrong labels whether it is among the ``reviewed`` of lowest quality.

    Both arrays are ``[n]``; None reviews as many labels as are wrong.
    """
    worst = np.zeros(len(wrong), dtype=bool)
    worst[np.argsort(quality, kind="stable")[: wrong.sum() if reviewed is None else reviewed]] = True
    return np.asarray(worst[wrong])


def calibration_error(confidence: FloatArray, right: BoolArray) -> float:
    """Returns the expected calibration error of a method's labels, with 15 bins of equal width."""
    bins = np.minimum(np.ceil(confidence * BINS).astype(int) - 1, BINS - 1)
    return float(sum(abs((right[bins == i] - confidence[bins == i]).sum()) for i in range(BINS)) / len(confidence))


def spread(values: Sequence[float]) -> str:
    """Returns lowest to highest as percentages."""
    return f"{min(values):.0%} to {max(values):.0%}"


Drawing = dict[tuple[str, ...], TriageResult]
"""Names of methods to the triage of a run with them, for one set of pictures."""


def fresh_title(fresh: Sequence[Drawing]) -> str:
    """Returns the numbers of drawings and of pictures."""
    return f"{len(fresh)} fresh drawings, {sum(len(drawing[THREE].given) for drawing in fresh):,} pictures"


def rankings(drawing: Drawing) -> dict[str, FloatArray]:
    """Returns the label qualities of a drawing by each method and by the ensembles."""
    return {
        **{f"`{name}`": drawing[FOUR].by_method[name] for name in FOUR},
        **{text: drawing[names].quality for text, names in ENSEMBLES.items()},
    }


def ranking_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """Returns precision, here equal to recall, at the number of wrong labels."""
    rows = []
    for text, quality in rankings(demo).items():
        hits = [found(rankings(drawing)[text], drawing[THREE].wrong) for drawing in fresh]
        shares = [float(one.mean()) for one in hits]
        of_demo = Share.of(found(quality, demo[THREE].wrong))
        rows.append([text, of_demo, Share.of(np.concatenate(hits)), spread(shares)])
    chance = [drawing[THREE].wrong.mean() for drawing in (demo, *fresh)]
    rows.append(["chance", f"{chance[0]:.0%}", f"{statistics.mean(chance[1:]):.0%}", ""])
    return table(["ranked by", "the demo", fresh_title(fresh), "lowest to highest of these"], rows)


def demo_table(demos: dict[int, Drawing]) -> str:
    """Returns how many wrong labels are among twice as many of the lowest quality, and among the suspects."""
    rows = []
    for seed, drawing in demos.items():
        one = drawing[FOUR]
        hits = found(one.quality, one.wrong, 2 * one.wrong.sum())
        rows.append([seed, one.wrong.sum(), hits.sum(), one.suspect.sum(), one.suspect[one.wrong].sum()])
    return table(["seed", "wrong labels", "among twice as many of lowest quality", "suspects", "wrong suspects"], rows)


def effort_table(fresh: Sequence[Drawing]) -> str:
    """Returns the share of wrong labels among given percentages of the samples, those of lowest quality."""
    rows = []
    for text in rankings(fresh[0]):
        row: list[object] = [text]
        for share in REVIEWED:
            hits = [found(rankings(one)[text], one[THREE].wrong, round(share * len(one[THREE].wrong))) for one in fresh]
            row.append(f"{np.concatenate(hits).mean():.0%}")
        rows.append(row)
    return table(["ranked by", *(f"worst {share:.0%} reviewed" for share in REVIEWED)], rows)


def paired_table(fresh: Sequence[Drawing]) -> str:
    """Compares the ensemble of four with each method and with three: the wrong labels that only one of them finds."""
    three, ensemble = ENSEMBLES
    hits = {
        text: np.concatenate([found(rankings(drawing)[text], drawing[THREE].wrong) for drawing in fresh])
        for text in rankings(fresh[0])
    }
    rows = []
    for text in (*(f"`{name}`" for name in FOUR), three):
        pair = compare({text: hits[text], ensemble: hits[ensemble]})[0]
        low, high = pair.interval
        rows.append([text, pair.only_a, pair.only_b, f"{low:+.1%} to {high:+.1%}", f"{pair.p:.2g}"])
    return table(["compared with", "only the ensemble finds", "only the other finds", "difference", "p"], rows)


def suspects_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """Returns the shares of wrong labels among suspects, of suspects among wrong labels, and of right suggestions."""
    rows = []
    for title, drawings in (("the demo", [demo]), ("fresh drawings", fresh)):
        for text, names in ENSEMBLES.items():
            results = [drawing[names] for drawing in drawings]
            rows.append([title, f"suspects, {text}", *_hit_and_missed(results, [one.suspect for one in results])])
        results = [drawing[THREE] for drawing in drawings]
        against = [one.case == "all agree against the label" for one in results]
        rows.append([title, "case “all agree against the label”", *_hit_and_missed(results, against)])
    heads = ["", "", "how many", "of these, wrong labels", "of the wrong labels, found", "of these, truth suggested"]
    return table(heads, rows)


def _hit_and_missed(results: Sequence[TriageResult], chosen: Sequence[BoolArray]) -> list[object]:
    wrong = np.concatenate([one.wrong for one in results])
    among = np.concatenate(chosen)
    answers = [np.where(one.suggestion != "", one.suggestion, one.answers["lgca"]) for one in results]
    suggested = np.concatenate([answer == one.truth for answer, one in zip(answers, results, strict=True)])
    return [among.sum(), Share.of(wrong[among]), Share.of(among[wrong]), Share.of(suggested[among & wrong])]


def number_table(drawings: dict[str, Drawing]) -> str:
    """Returns estimated numbers of wrong labels, with the wrong labels and with the true ones."""
    rows = []
    for text, drawing in drawings.items():
        one = drawing[FOUR]
        names = ("fitted_errors", "estimated_errors", "suspects")
        counts = [report[name] for report in (one.report, one.clean) for name in names]
        rows.append([text, int(one.wrong.sum()), *counts])
    heads = ["", "wrong", "fitted", "estimated", "suspects"]
    return table([*heads, *(f"all labels right: {name}" for name in heads[2:])], rows)


def calibration_table(demo: Drawing, fresh: Sequence[Drawing]) -> str:
    """Returns calibration errors by the given labels, as reported, and by the truth."""
    rows = []
    for title, drawings in (("the demo", [demo]), ("fresh drawings", fresh)):
        for name in FOUR:
            results = [drawing[FOUR] for drawing in drawings]
            reported = [one.report["calibration"][name] for one in results]
            right = [one.answers[name] == one.truth for one in results]
            columns = [
                [calibration["temperature"] for calibration in reported],
                [calibration["error_before"] for calibration in reported],
                [calibration["error_after"] for calibration in reported],
                [calibration_error(one.confidence[name], ok) for one, ok in zip(results, right, strict=True)],
                [calibration_error(one.calibrated[name], ok) for one, ok in zip(results, right, strict=True)],
            ]
            accuracy = statistics.mean(float(ok.mean()) for ok in right)
            texts = [_mean(columns[0], "{:.2f}"), *(_mean(column, "{:.1%}") for column in columns[1:])]
            rows.append([title, f"`{name}`", f"{accuracy:.1%}", *texts])
    heads = ["", "method", "right", "temperature", "error before", "error after", "by the truth: before", "after"]
    return table(heads, rows)


def _mean(values: Sequence[float], form: str) -> str:
    """Returns the mean, and lowest to highest of several values."""
    text = form.format(statistics.mean(values))
    return text if len(values) == 1 else f"{text} ({form.format(min(values))} to {form.format(max(values))})"


def draw(folder: Path, seed: int, count: int, encoder: Any, composition: Composition) -> Drawing:
    """Draws, classifies and triages one set of pictures."""
    import fiftyone as fo

    from lgca_plugin.demo.dataset import load_demo_dataset

    name = f"label-errors-{seed}-{count}"
    dataset = load_demo_dataset(name, folder / name, count=count, seed=seed, overwrite=True, composition=composition)
    try:
        drawing: Drawing = {names: triage_of(dataset, names, encoder) for names in (FOUR, THREE)}
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
    parser.add_argument("--folder", type=Path, help="stores pictures and embeddings, which are deleted without it")
    options = parser.parse_args()
    encoder = lgca.load_encoder("demo")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        demos = {seed: draw(folder, seed, 240, encoder, DECIDABLE) for seed in DEMO_SEEDS}
        fresh = {f"drawing {seed}": draw(folder, seed, options.count, encoder, VARIED) for seed in options.seeds}
    demo, drawings = demos[DEMO_SEEDS[0]], list(fresh.values())
    for title, text in {
        "The demo's wrong labels": demo_table(demos),
        "Ranking": ranking_table(demo, drawings),
        f"Effort, {fresh_title(drawings)}": effort_table(drawings),
        f"The ensemble of four against its members and that of three, {fresh_title(drawings)}": paired_table(drawings),
        "Suspects": suspects_table(demo, drawings),
        "How many labels are wrong": number_table({"the demo": demo, **fresh}),
        "Calibration": calibration_table(demo, drawings),
    }.items():
        sys.stdout.write(f"### {title}\n\n{text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
