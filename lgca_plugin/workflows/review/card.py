"""``review_card``: what a person sees of one suspect."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ..decisions.decisions import Decision
from ..evidence.sample_record import read_sample_record
from .look_alikes import look_alikes
from .pools import class_pools
from .suspects import current_suspects
from .why import why_suspected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...fiftyone_io.thumbnails import Box
    from ...runs.record import RunRecord
    from ..evidence.sample_record import SampleRecord
    from .suspects import Suspect

AHEAD = 8
"""Number of next suspects whose classes are looked up with those of a card."""


@dataclass(frozen=True, kw_only=True)
class ReviewCard:
    """A sample under review.

    Attributes:
        around: the box that the sample is about; None for the whole picture
        given: the given label; None without one
        suggested: the suggested class; of a sample that is no suspect, the class that most methods see, None where that
            is the given one
        confidence: of the suggestion, in [0, 1]
        quality: quality of the given label, in [0, 1]; low is suspicious
        reason: one sentence for users: what the methods see
        deciding_box: relative ``(x, y, width, height)`` of the region that speaks most clearly for the suggestion, in
            the orientation that a viewer shows; None if it is unknown, or more than a quarter of the picture
        deciding_vote: the class that this region itself is closest to
        decision: the current decision
        corrected: the accepted class
        look_alikes: ids of undecided suspects with the same given and suggested label that look alike, this sample
            first; this one alone if there are no others, empty if it is no suspect
        marked: what the frame around that region marks, for users; empty where it is not drawn
        outside: whether the given label is no class of the run
        nearest: the class with almost the same name as such a label
        twin: the sample with nearly the same picture and another label
    """

    sample_id: str
    filepath: str
    around: Box | None
    given: str | None
    suggested: str | None
    confidence: float | None
    quality: float | None
    reason: str
    deciding_box: Box | None
    deciding_vote: str | None
    decision: Decision | None
    corrected: str | None
    look_alikes: tuple[str, ...]
    marked: str = ""
    outside: bool = False
    nearest: str | None = None
    twin: SampleRecord | None = None


def review_card(run: RunRecord, sample_id: str) -> ReviewCard:
    """Returns the card of a sample as it is now, a suspect or any other.

    Without stored region embeddings the reason comes from the methods' labels alone, and no region is marked.

    Args:
        run: a triaged run
        sample_id: the sample's id

    Raises:
        ConfigError: if the dataset has no such sample, because it was deleted, or the run has not been triaged
    """
    suspects = current_suspects(run)
    sample = read_sample_record(run, sample_id)
    why = why_suspected(run, sample)
    region = why.region
    class_pools(run, _classes([sample]), ahead=_classes(_following(suspects, sample_id)))  # for the examples
    return ReviewCard(
        sample_id=sample_id,
        filepath=sample.filepath,
        around=sample.around,
        given=sample.given,
        suggested=why.suggested,
        confidence=sample.suggested_confidence,
        quality=sample.quality,
        reason=why.reason,
        deciding_box=region.box if region is not None and region.is_part else None,
        deciding_vote=None if region is None else region.vote,
        decision=None if sample.decision is None else Decision(sample.decision),
        corrected=sample.corrected,
        look_alikes=look_alikes(run, suspects, sample_id),
        marked=why.marked,
        outside=why.outside,
        nearest=why.nearest,
        twin=why.twin,
    )


def _following(suspects: Sequence[Suspect], sample_id: str) -> list[Suspect]:
    """Returns the next suspects without a decision."""
    place = next((place for place, one in enumerate(suspects) if one.sample_id == sample_id), len(suspects))
    return list(islice((one for one in suspects[place + 1 :] if one.decision is None), AHEAD))


def _classes(of: Sequence[Suspect | SampleRecord]) -> list[str]:
    return list(dict.fromkeys(label for one in of for label in (one.given, one.suggested) if label))
