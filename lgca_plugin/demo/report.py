"""The demo's table: accuracy of each method, and agreement of the methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..config import RegionPlan
from ..fiftyone_io.fields import method_field
from ..method.core.methods import CONTROLS

if TYPE_CHECKING:
    from ..run import Run

_CONFIDENCE_LEVEL = 0.95
_COMPARED = ("clip", "wca", "lgca")


@dataclass(frozen=True)
class Accuracy:
    """Share of samples on which a method is right.

    Attributes:
        correct: samples whose predicted label is the true one
        total: samples with a prediction
        low: lower end of the 95% Wilson interval, in [0, 1]
        high: upper end
    """

    correct: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """``correct / total``, in [0, 1]."""
        return self.correct / self.total

    @classmethod
    def of(cls, predicted: list[str], truth: list[str]) -> Accuracy:
        """Compares predictions with the truth, sample by sample."""
        from scipy.stats import binomtest  # a dependency of FiftyOne

        correct = sum(a == b for a, b in zip(predicted, truth, strict=True))
        interval = binomtest(correct, len(truth)).proportion_ci(_CONFIDENCE_LEVEL, method="wilson")
        return cls(correct, len(truth), float(interval.low), float(interval.high))


def accuracy_table(run: Run, truth_field: str) -> str:
    """Formats accuracy, agreement with LGCA and cost of every method of a run as text.

    Args:
        run: a finished run that includes LGCA
        truth_field: Classification field with the true classes

    Returns:
        the table, several lines
    """
    methods = {method.name: method for method in run.config.methods}
    paths = [f"{method_field(run.key, name)}.label" for name in methods]
    truth, *columns = run.dataset.exists(paths[0]).values([f"{truth_field}.label", *paths])
    predicted = dict(zip(methods, columns, strict=True))

    lines = [f"{'method':<13} {'accuracy':>8}  {'95% interval':<15} {'same as LGCA':>12}  {'encodes per image':>17}"]
    for name, method in methods.items():
        accuracy = Accuracy.of(predicted[name], truth)
        same = _share_equal(predicted[name], predicted["lgca"])
        cost = RegionPlan.of((method,), run.config.regions).encodes_per_image
        title = f"{name} *" if name in CONTROLS else name
        interval = f"{accuracy.low:.1%} to {accuracy.high:.1%}"
        lines.append(f"{title:<13} {accuracy.share:>8.1%}  {interval:<15} {same:>12.1%}  {cost:>17}")
    lines.append("* control: uses only what the other methods have encoded")
    return "\n".join([*lines, "", *_totals(run, predicted)])


def _totals(run: Run, predicted: dict[str, list[str]]) -> list[str]:
    summary = run.summary()
    compared = [name for name in _COMPARED if name in predicted]
    together = zip(*(predicted[name] for name in compared), strict=True)
    agreement = sum(len(set(labels)) == 1 for labels in together) / len(predicted["lgca"])
    encodes = (
        f"{summary['encodes_per_image']:.1f} encodes per image for all methods together, "
        f"of at most {summary['planned_encodes_per_image']}: regions that have grown equal are encoded once."
        if summary["images_encoded"]
        else f"No image was encoded: the embeddings of all {summary['images_recalled']} were in the store."
    )
    names = ", ".join(name.upper() for name in compared)
    return [
        f"{names} agree on {agreement:.1%} of the images.",
        f"{summary['predicted']} images predicted, {summary['failed']} failed, {summary['skipped']} skipped.",
        encodes,
        f"{summary['images_per_second']:.1f} images per second on {summary['device']}.",
    ]


def _share_equal(first: list[str], second: list[str]) -> float:
    return sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
