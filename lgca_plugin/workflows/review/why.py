"""Why a label is suspected: the suggested class, one sentence, and the region that decides."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigError, LgcaError
from ...method.core.methods import learned_method, without_controls
from ...method.labels.left_out import nearest_class, outside_sentence
from ...runs.record import stored_triage
from ..evidence.sample_record import cached_evidence, read_sample_record
from .reason import DecidingRegion, deciding_region, marked_sentence, reason_sentence, seen_sentence
from .voter_reason import voters_sentence

if TYPE_CHECKING:
    from ...runs.record import RunRecord
    from ..evidence.sample_record import SampleRecord
    from .voter_reason import Said

NOT_SUSPECTED = "Nothing speaks against this label: no other class is seen by more of the methods."
"""The reason of a sample that is no suspect, or is none any more."""
UNLIKE = "It is unlike every other picture, so it may show none of the classes."
NONE_LIKELY = "No class is likely enough for an answer, so it may show none of them."
EDITED = "Somebody has changed the given label to the suggested one since the labels were checked."


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why a label is suspected.

    Attributes:
        suggested: the suggested class; of a sample that is no suspect, the class that most methods see, None where that
            is the given one
        reason: one sentence for users: what the methods see
        region: the region that speaks most clearly for the suggestion; None if it is unknown
        marked: what the frame on the picture marks, for users; empty where the region is no part of the picture
        outside: whether the given label is no class of the run
        nearest: the class with almost the same name as such a label
        twin: the sample with nearly the same picture and another label
    """

    suggested: str | None
    reason: str
    region: DecidingRegion | None
    marked: str
    outside: bool
    nearest: str | None
    twin: SampleRecord | None


def why_suspected(run: RunRecord, sample: SampleRecord) -> Why:
    """Returns why a sample's label is suspected, or why it is not.

    Without stored region embeddings the reason comes from the methods' labels alone, and no region is marked.
    """
    suggested = sample.suggested if sample.suggested is not None else _seen_instead(run, sample)
    region, outside = _deciding_region(run, sample, suggested), _is_outside(run, sample)
    twin = _twin(run, sample)
    return Why(
        suggested=suggested,
        reason=_reason(run, sample, suggested, twin),
        twin=twin,
        region=region,
        marked=marked_sentence(region, suggested, sample.given),
        outside=outside,
        nearest=nearest_class(sample.given, run.config.classes) if outside and sample.given else None,
    )


def _seen_instead(run: RunRecord, sample: SampleRecord) -> str | None:
    """Returns what most methods see in a sample that is no suspect; None if that is its label, or it has none."""
    said = _said(run, sample)
    methods, together = _seen(run, sample)
    every = [*methods, *([] if together is None else [together])]
    labels = every if said is None else [label for label, _ in said.values()]
    seen = Counter(label for label in labels if said is None or label in run.config.classes)
    if sample.given is None or not seen or seen[sample.given] == max(seen.values()):
        return None
    return seen.most_common(1)[0][0]


def _is_outside(run: RunRecord, sample: SampleRecord) -> bool:
    return sample.given is not None and bool(sample.given.strip()) and sample.given not in run.config.classes


def _twin(run: RunRecord, sample: SampleRecord) -> SampleRecord | None:
    """Returns the sample with nearly the same picture whose label is another one now; None without one."""
    if sample.near_duplicate is None:
        return None
    try:
        twin = read_sample_record(run, sample.near_duplicate)
    except ConfigError:  # it was deleted
        return None
    return None if twin.label in (None, sample.given) else twin


def _reason(run: RunRecord, sample: SampleRecord, suggested: str | None, twin: SampleRecord | None) -> str:
    (seen, together), said = _seen(run, sample), _said(run, sample)
    every = [*seen, *([] if together is None else [together])]
    if sample.given is not None and _is_outside(run, sample):
        words = seen_sentence(every) if said is None else voters_sentence(said)
        return f"{outside_sentence(sample.given, run.config.classes)} {words}".strip()
    if suggested is None:
        return NOT_SUSPECTED
    if suggested == sample.given:
        return EDITED
    if said is not None:
        return voters_sentence(said, suggested, sample.given)
    sentences = [
        "" if twin is None else f"Nearly the same picture is labelled “{twin.label}”: usually one of the two is wrong.",
        seen_sentence(every)
        if twin is not None and suggested == twin.label and suggested not in every
        else reason_sentence(seen, sample.given, suggested, together=together, confidence=sample.suggested_confidence),
        NONE_LIKELY if sample.none_of_these else UNLIKE if sample.unlike else "",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _deciding_region(run: RunRecord, sample: SampleRecord, suggested: str | None) -> DecidingRegion | None:
    if suggested is None or sample.given is None:
        return None
    try:
        return deciding_region(cached_evidence(run, sample), suggested, sample.given)
    except LgcaError:  # its region embeddings are not stored, or can't be read
        return None


def _said(run: RunRecord, sample: SampleRecord) -> dict[str, Said] | None:
    """Returns what predictions say that were there already, by field; None for a run with methods of its own."""
    if run.config.voters is None:
        return None
    found = ((voter.field, sample.predictions.get(voter.name)) for voter in run.config.voters)
    return {field: (own.label, own.calibrated) for field, own in found if own is not None}


def _seen(run: RunRecord, sample: SampleRecord) -> tuple[list[str], str | None]:
    """Returns what the methods that compare and judge labels see, and what a fused run sees with all its models."""
    learned, triage = learned_method(run.config.methods), stored_triage(run.results)
    compared = triage.get("methods") or without_controls(one.name for one in run.config.methods)
    asked = {*compared, *(triage.get("judging") or ())}
    answers = {method: sample.predictions.get(method.name) for method in run.config.methods}
    labels = [own.label for one, own in answers.items() if own is not None and one.name in asked and one is not learned]
    together = None if learned is None else answers[learned]
    return labels, None if together is None else together.label
