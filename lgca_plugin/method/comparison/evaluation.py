"""The result of evaluating a run's methods against labels: numbers, sentences and JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..number_text import interval_text, p_text, points_text, samples_text
from .paired import Comparison, compare, macro_recall, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .paired import BoolArray, IntArray


@dataclass(frozen=True, kw_only=True)
class MethodScore:
    """The scores of one method on labelled samples.

    Attributes:
        eval_key: key of FiftyOne's own evaluation of the method, for ``dataset.load_evaluation_results``
        correct: number of samples whose label it predicts
        accuracy: ``correct / samples``, in [0, 1]
        interval: Wilson's score interval of the accuracy
        macro_recall: mean over the classes that occur of their recall, in [0, 1]: every class counts the same
    """

    eval_key: str
    correct: int
    accuracy: float
    interval: tuple[float, float]
    macro_recall: float


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The scores of a run's methods on the same labelled samples, and tests of the differences between them.

    Printing it gives :meth:`table`.

    Attributes:
        run_key: the run's key
        ground_truth: the label field
        samples: number of samples, the same for all methods
        excluded: reason to the number of samples left out for it; with ``samples`` they sum to the dataset's images
        confidence: of all intervals; differences with ``p_holm < 1 - confidence`` are called real
        methods: method name to its score, in the run's order
        pairs: every method compared with every one before it
    """

    run_key: str
    ground_truth: str
    samples: int
    excluded: Mapping[str, int]
    confidence: float
    methods: Mapping[str, MethodScore]
    pairs: tuple[Comparison, ...]

    def sentence(self, pair: Comparison) -> str:
        """Returns a comparison as a sentence: which method is better, and by how much."""
        low, high = (100 * end for end in pair.interval)
        better = pair.difference > 0
        of_size = (low, high) if better else (-high, -low)
        by = f"by {abs(100 * pair.difference):.1f} points ({of_size[0]:.1f} to {of_size[1]:.1f})"
        word = "better" if better else "worse"
        if self.is_real(pair):
            return f"{pair.a} is {word} than {pair.b} {by}"
        if pair.p < 1 - self.confidence:
            return f"{pair.a} may be {word} than {pair.b} {by}; in {len(self.pairs)} comparisons that can be chance"
        images = "this image" if self.samples == 1 else f"these {self.samples:,} images"
        span = " to ".join(map(points_text, pair.interval))
        return f"{pair.a} and {pair.b}: no difference that {images} can show ({span} points)"

    def plain_sentence(self, pair: Comparison) -> str:
        """Returns a comparison in words for readers without statistics: how much, and whether it may be chance."""
        points = f"{abs(100 * pair.difference):.1f} percentage points"
        if not pair.difference:
            return f"{pair.a} and {pair.b} are right equally often."
        word = "more" if pair.difference > 0 else "less"
        said = f"{pair.a} is right {word} often than {pair.b}, by {points}"
        if not self.is_real(pair):
            return f"{said}; the difference could be chance."
        return f"{said}; unlikely to be chance, 1 in {_one_in(pair.p_holm)}."

    def is_real(self, pair: Comparison) -> bool:
        """Returns whether a difference is significant, corrected for the number of comparisons."""
        return pair.p_holm < 1 - self.confidence

    def table(self) -> str:
        """Returns the evaluation as text: a line a method, a line a pair, and :meth:`basis`."""
        width = max(12, *(len(name) + 1 for name in self.methods))
        lines = [f"{'method':<{width}} {'accuracy':<24} {'macro recall':<14} evaluation"]
        for name, score in self.methods.items():
            accuracy = interval_text(score.accuracy, *score.interval)
            lines.append(f"{name:<{width}} {accuracy:<24} {score.macro_recall:<14.1%} {score.eval_key}")
        if self.pairs:
            lines += ["", f"{'p':<8} {'Holm':<8} difference"]
            lines += [f"{p_text(pair.p):<8} {p_text(pair.p_holm):<8} {self.sentence(pair)}" for pair in self.pairs]
        return "\n".join([*lines, "", self.basis()])

    def basis(self) -> str:
        """Returns a sentence about the samples, intervals and tests behind the numbers."""
        left_out = "".join(f" Left out: {count:,} {why}." for why, count in self.excluded.items())
        tests = " p: exact McNemar test; Holm: corrected for all comparisons." if self.pairs else ""
        return (
            f"{samples_text(self.samples)} with a label in {self.ground_truth}, the "
            f"same for all methods; {self.confidence:.0%} intervals.{tests}{left_out}"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the evaluation as a JSON-ready dict."""
        methods = {name: {**asdict(score), "interval": list(score.interval)} for name, score in self.methods.items()}
        pairs = [{**asdict(pair), "interval": list(pair.interval)} for pair in self.pairs]
        return {**self.__dict__, "excluded": dict(self.excluded), "methods": methods, "pairs": pairs}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Evaluation:
        """Reads the result of :meth:`to_json`."""
        methods = {
            name: MethodScore(**{**score, "interval": tuple(score["interval"])})
            for name, score in document["methods"].items()
        }
        pairs = tuple(Comparison(**{**pair, "interval": tuple(pair["interval"])}) for pair in document["pairs"])
        return cls(**{**document, "methods": methods, "pairs": pairs})

    def __str__(self) -> str:
        return self.table()


def _one_in(p: float) -> str:
    """Returns how many times chance has to be tried for one time, rounded down to two digits: ``"200"``."""
    if p < 1e-6:
        return "more than a million"
    times = int(1 / p)
    unit = 10 ** max(0, len(str(times)) - 2)
    return f"{times // unit * unit:,}"


def evaluation_of(
    truth: IntArray,
    correct: Mapping[str, BoolArray],
    eval_keys: Mapping[str, str],
    *,
    run_key: str,
    ground_truth: str,
    excluded: Mapping[str, int],
    confidence: float = 0.95,
) -> Evaluation:
    """Returns the evaluation of methods on n samples.

    Args:
        truth: ``[n]`` class index of the label
        correct: method name to ``[n]`` whether it predicts the label
        eval_keys: method name to the key of FiftyOne's own evaluation
        run_key: the run's key
        ground_truth: the label field
        excluded: reason to the number of samples left out
        confidence: confidence of the intervals
    """
    n = len(truth)
    methods = {}
    for name, right in correct.items():
        count = int(right.sum())
        methods[name] = MethodScore(
            eval_key=eval_keys[name],
            correct=count,
            accuracy=count / n,
            interval=wilson_interval(count, n, confidence=confidence),
            macro_recall=macro_recall(truth, right),
        )
    return Evaluation(
        run_key=run_key,
        ground_truth=ground_truth,
        samples=n,
        excluded=excluded,
        confidence=confidence,
        methods=methods,
        pairs=compare(correct, confidence=confidence),
    )
