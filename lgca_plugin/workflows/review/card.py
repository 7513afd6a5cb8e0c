"""``review_card``: what a person sees of one suspect."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ...errors import LgcaError
from ...method.core.methods import learned_method
from ...method.labels.left_out import nearest_class, outside_sentence
from ...runs.record import stored_triage
from ..decisions.decisions import Decision
from ..evidence.sample_record import cached_evidence, read_sample_record
from .look_alikes import look_alikes
from .pools import class_pools
from .reason import DecidingRegion, Kind, deciding_region, reason_sentence, seen_sentence
from .suspects import current_suspects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...fiftyone_io.thumbnails import Box
    from ...runs.record import RunRecord
    from ..evidence.sample_record import SampleRecord
    from .suspects import Suspect

AHEAD = 8
"""Number of next suspects whose classes are looked up with those of a card."""
NOT_SUSPECTED = "Nothing speaks against this label: no other class is seen by more of the methods."
"""The reason of a sample that is no suspect, or is none any more."""
EDITED = "Somebody has changed the given label to the suggested one since the labels were checked."


@dataclass(frozen=True, kw_only=True)
class ReviewCard:
    """A sample under review.

    Attributes:
        given: the given label; None without one
        suggested: the suggested class; of a sample that is no suspect, the class that most methods see, None where that
            is the given one
        confidence: of the suggestion, in [0, 1]
        quality: quality of the given label, in [0, 1]; low is suspicious
        reason: one sentence for users: what the methods see
        deciding_box: relative ``(x, y, width, height)`` of the region that speaks most clearly for the suggestion, in
            the orientation that a viewer shows; None if it is unknown
        deciding_vote: the class that this region itself is closest to
        decision: the current decision
        corrected: the accepted class
        look_alikes: ids of undecided suspects with the same given and suggested label that look alike, this sample
            first; this one alone if there are no others, empty if it is no suspect
        outside: whether the given label is no class of the run
        nearest: the class with almost the same name as such a label
    """

    sample_id: str
    filepath: str
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
    outside: bool = False
    nearest: str | None = None


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
    suggested = sample.suggested if sample.suggested is not None else _seen_instead(run, sample)
    region, outside = _deciding_region(run, sample, suggested), _is_outside(run, sample)
    class_pools(run, _classes([sample]), ahead=_classes(_following(suspects, sample_id)))  # for the examples
    return ReviewCard(
        sample_id=sample_id,
        filepath=sample.filepath,
        given=sample.given,
        suggested=suggested,
        confidence=sample.suggested_confidence,
        quality=sample.quality,
        reason=_reason(run, sample, suggested, region),
        deciding_box=None if region is None else region.box,
        deciding_vote=None if region is None else region.vote,
        decision=None if sample.decision is None else Decision(sample.decision),
        corrected=sample.corrected,
        look_alikes=look_alikes(run, suspects, sample_id),
        outside=outside,
        nearest=nearest_class(sample.given, run.config.classes) if outside and sample.given else None,
    )


def _following(suspects: Sequence[Suspect], sample_id: str) -> list[Suspect]:
    """Returns the next suspects without a decision."""
    place = next((place for place, one in enumerate(suspects) if one.sample_id == sample_id), len(suspects))
    return list(islice((one for one in suspects[place + 1 :] if one.decision is None), AHEAD))


def _classes(of: Sequence[Suspect | SampleRecord]) -> list[str]:
    return list(dict.fromkeys(label for one in of for label in (one.given, one.suggested) if label))


def _seen_instead(run: RunRecord, sample: SampleRecord) -> str | None:
    """Returns what most methods see in a sample that is no suspect; None if that is its label, or it has none."""
    seen = Counter(_labels(run, sample).values())
    if sample.given is None or not seen or seen[sample.given] == max(seen.values()):
        return None
    return seen.most_common(1)[0][0]


def _is_outside(run: RunRecord, sample: SampleRecord) -> bool:
    return sample.given is not None and bool(sample.given.strip()) and sample.given not in run.config.classes


def _reason(run: RunRecord, sample: SampleRecord, suggested: str | None, region: DecidingRegion | None) -> str:
    labels, confidence = _labels(run, sample), sample.suggested_confidence
    if sample.given is not None and _is_outside(run, sample):
        return f"{outside_sentence(sample.given, run.config.classes)} {seen_sentence(labels)}".strip()
    if suggested is None:
        return NOT_SUSPECTED
    if suggested == sample.given:
        return EDITED
    return reason_sentence(labels, sample.given, suggested, confidence=confidence, region=region)


def _deciding_region(run: RunRecord, sample: SampleRecord, suggested: str | None) -> DecidingRegion | None:
    if suggested is None or sample.given is None:
        return None
    try:
        return deciding_region(cached_evidence(run, sample), suggested, sample.given)
    except LgcaError:  # its region embeddings are not stored, or can't be read
        return None


def _labels(run: RunRecord, sample: SampleRecord) -> dict[Kind, str]:
    """Returns what the compared methods and a learned one have predicted, by what they look at."""
    learned = learned_method(run.config.methods)
    kinds: dict[str, Kind] = {
        method.name: "learned" if method is learned else method.regions for method in run.config.methods
    }
    compared = list(stored_triage(run.results).get("methods") or kinds)
    if learned is not None and learned.name not in compared:
        compared.append(learned.name)
    return {
        kinds[name]: sample.predictions[name].label for name in compared if name in kinds and name in sample.predictions
    }
