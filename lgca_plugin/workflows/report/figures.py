"""The numbers of a report as bars: how often the methods agree, and how often each is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...method.number_text import capitalized, interval_text, percent_text, samples_text
from ..overview.overview import overview
from ..overview.selections import pattern_words

if TYPE_CHECKING:
    from ...runs.record import RunRecord
    from ..overview.overview import Overview


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar with its text; ``share``, ``low`` and ``high``, the ends of its interval, are in [0, 1]."""

    label: str
    text: str
    share: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """How often the methods are right, measured against one label field.

    Attributes:
        field: the label field
        bars: a bar a method
        sentences: which methods differ, a sentence a pair, and which may not
        basis: on which samples this rests, a sentence
    """

    field: str
    bars: tuple[Bar, ...]
    sentences: tuple[str, ...]
    basis: str


def agreement_bars(of: Overview) -> tuple[Bar, ...]:
    """Returns how often the compared methods agree: a bar for each way in which they can; none of a single method."""
    total = sum(of.pattern_counts)
    if len(of.compared) < 2 or not total:
        return ()
    return tuple(
        Bar(
            label=pattern_words(of.compared, at),
            text=f"{samples_text(count)}, {percent_text(count / total)}",
            share=count / total,
        )
        for at, count in enumerate(of.pattern_counts)
    )


def accuracies(run: RunRecord, of: Overview, corrected: str | None) -> tuple[Accuracy, ...]:
    """Returns the accuracies against the given labels, and against the corrected ones where there are any."""
    found = [of]
    if corrected is not None and run.dataset.has_field(corrected):
        found.append(overview(run, ground_truth=corrected))
    return tuple(made for one in found if (made := _accuracy(one)) is not None)


def _accuracy(of: Overview) -> Accuracy | None:
    evaluation = of.evaluation
    if evaluation is None:
        return None
    bars = tuple(
        Bar(
            label=title,
            text=interval_text(score.accuracy, *score.interval),
            share=score.accuracy,
            low=score.interval[0],
            high=score.interval[1],
        )
        for title, score in evaluation.methods.items()
    )
    real = [pair for pair in evaluation.pairs if evaluation.is_real(pair)]
    sentences = [capitalized(evaluation.plain_sentence(pair)) for pair in real]
    if len(real) < len(evaluation.pairs):
        others = "All other differences" if real else "All differences"
        sentences.append(f"{others} between two methods could be chance.")
    return Accuracy(field=evaluation.ground_truth, bars=bars, sentences=tuple(sentences), basis=evaluation.basis())
