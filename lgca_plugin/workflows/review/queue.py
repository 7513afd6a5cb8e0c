"""``ReviewQueue``: the suspects of a run in the order of review, how far the review is, and what is still expected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ...method.labels.expected_errors import CONFIDENCE, MAX_SAMPLES, Expectation
from ..decisions.decisions import Decision
from .forecast import forecast
from .summary import review_summary
from .suspects import current_suspects, undecided

if TYPE_CHECKING:
    from ...runs.record import RunRecord
    from .summary import ReviewSummary
    from .suspects import Suspect


@dataclass(frozen=True, kw_only=True)
class ReviewProgress:
    """How far the review of a queue is; ``changed`` to ``unsure`` sum to ``reviewed``.

    Attributes:
        total: number of suspects
        reviewed: number of those with a decision
        changed: number for which another class than the given one was accepted
        kept: number whose given label stays
        bad_images: number of images that can't be classified
        unsure: number that the reviewer left for later or for another person
        outside: number of suspects without a decision whose label is no class of the run
    """

    total: int
    reviewed: int
    changed: int
    kept: int
    bad_images: int
    unsure: int
    outside: int = 0

    @property
    def left(self) -> int:
        """Number of suspects without a decision."""
        return self.total - self.reviewed

    def __str__(self) -> str:
        return f"{self.reviewed:,} of {self.total:,} reviewed, {self.changed:,} changed"


class ReviewQueue:
    """The suspects of a run's triage at one moment; :meth:`of` again after a decision.

    Attributes:
        run: the run
        suspects: all suspects with their decisions, the lowest label quality first
    """

    def __init__(self, run: RunRecord, suspects: tuple[Suspect, ...]) -> None:
        self.run = run
        self.suspects = suspects

    @classmethod
    def of(cls, run: RunRecord) -> ReviewQueue:
        """Returns the queue as it is now; after the first call only samples modified since are read.

        Raises:
            ConfigError: if the run has not been triaged
        """
        return cls(run, current_suspects(run))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all suspects, decided ones included, in the order of review."""
        return tuple(one.sample_id for one in self.suspects)

    def first_undecided(self, after: str | None = None) -> str | None:
        """Returns the first suspect without a decision.

        Args:
            after: a suspect; the search begins after it and goes on from the start. Others count as None

        Returns:
            its id; None if all suspects are decided
        """
        start = self._places.get(after, 0) if after is not None else 0
        rotated = (*self.suspects[start:], *self.suspects[:start])
        return next((one.sample_id for one in rotated if one.decision is None), None)

    def first_unsure(self, after: str | None = None) -> str | None:
        """Returns the first suspect that the reviewer could not tell, and of those after one the first; else None."""
        start = self._places.get(after, 0) if after is not None else 0
        return next((one.sample_id for one in self.suspects[start:] if one.decision is Decision.SKIPPED), None)

    def place(self, sample_id: str) -> int | None:
        """Returns a suspect's place in the queue, from 1; None if the sample is no suspect."""
        return self._places.get(sample_id)

    def next_ids(self, sample_id: str, n: int) -> tuple[str, ...]:
        """Returns the ids of the next n suspects without a decision after one, fewer at the end of the queue."""
        return tuple(one.sample_id for one in undecided(self.suspects[self._places.get(sample_id, 0) :])[:n])

    def progress(self) -> ReviewProgress:
        """Counts the decisions about the suspects."""
        counts = Counter(one.decision for one in self.suspects)
        changed = sum(one.changed for one in self.suspects)
        return ReviewProgress(
            total=len(self.suspects),
            reviewed=len(self.suspects) - counts[None],
            changed=changed,
            kept=counts[Decision.ACCEPTED] - changed + counts[Decision.LABEL_RIGHT] + counts[Decision.BAD_CROP],
            bad_images=counts[Decision.BAD_IMAGE],
            unsure=counts[Decision.SKIPPED],
            outside=sum(one.outside and one.decision is None for one in self.suspects),
        )

    def expectation(self, n: int = 10, *, confidence: float = CONFIDENCE) -> Expectation:
        """Returns how many of the next n suspects without a decision are expected to have a wrong label.

        Suspects whose label is no class of the run do not count: nothing is known of how probable it is.

        The decisions so far count: where the first ten suspects turned out to be fine, fewer of the next ten are
        expected to be wrong. See :mod:`lgca_plugin.method.labels.expected_errors`.

        Args:
            n: number of suspects, at most 500
            confidence: of the interval, in (0, 1)
        """
        judged = [one for one in undecided(self.suspects) if not one.outside]
        upcoming = judged[: min(n, MAX_SAMPLES)]
        return forecast(self.run, self.suspects, np.array([_quality(one) for one in upcoming]), confidence=confidence)

    def summary(self) -> ReviewSummary:
        """Returns what the review has changed; it reads all samples, so call it once, when the review ends."""
        return review_summary(self.run, self.suspects)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {id_: place for place, id_ in enumerate(self.ids, 1)}

    def __len__(self) -> int:
        return len(self.suspects)

    def __repr__(self) -> str:
        return f"<ReviewQueue of run {self.run.key!r}: {self.progress()}>"


def _quality(suspect: Suspect) -> float:
    return np.nan if suspect.quality is None else suspect.quality
