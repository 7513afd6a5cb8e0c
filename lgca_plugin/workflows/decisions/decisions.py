"""What a curator may decide about a sample, and the fields in which decisions are stored.

A sample stores its decisions in the field ``K_decision``: the current one as attributes of a Classification, and every
event in the list ``history``. Decision, corrected label and tags of a sample change in one database update, which reads
the current values itself: a killed process leaves no partial decision, and concurrent curators lose no event.
An event holds

- ``action``: id of the call that wrote it; ``undoes``: the action that it undoes, None if it decides something
- ``decision``, ``given``, ``suggested``, ``corrected`` (the accepted label), ``by``, ``at``, ``note``
- ``before``: the corrected label until then; ``wrote``: whether it was replaced; ``after``: id and class of the new one
- ``base``: the corrected label before any label was accepted, which a later decision restores
- ``tagged``: whether the event added the decision's tag; ``untagged``: the previous decision's tag, if it was removed
- ``kept``, if the event undoes: whether the corrected label was left, because it was changed by someone else since

After the last undo the field's label is ``"undone"``, since the App shows None as "null", and ``action`` is None: a
sample is decided if it has an ``action``. ``state`` holds what the next update needs: tag, ``after`` and ``base`` of
the current decision. ``state`` and ``history`` are not declared, so that the App does not list them; FiftyOne loads,
copies and exports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ...errors import ConfigError, LgcaError
from ...fiftyone_io.database import merge_schema
from ...fiftyone_io.fields import (
    CORRECTED_INFO,
    DECISION,
    SUGGESTION,
    SUSPECT,
    classification_field,
    decision_note,
    triage_field,
)
from ...fiftyone_io.label_fields import is_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import fiftyone as fo

ATTRIBUTES = ("given", "suggested", "corrected", "by", "at", "note", "action")
"""Attributes of a decision beside its label, on the sample and in each event."""

TEXT = "text"
"""Kind of a field of corrected labels that holds texts, as it is noted with the decisions."""

UNDONE = "undone"
"""Label of a decision field whose decisions are all undone."""


class Decision(str, Enum):
    """What a curator may decide about a sample, with the texts that people read.

    The values are those of the database and of code; the words below are understood as well.

    Attributes:
        tag: tag of the samples on which this is decided
        word: what tables, files and sentences say about such a sample
        button: text of the button
        explanation: what it means, in a sentence
    """

    tag: str
    word: str
    button: str
    explanation: str

    def __new__(cls, value: str, *texts: str) -> Decision:
        """Makes a member: its value, tag, word, button and explanation."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.tag, member.word, member.button, member.explanation = texts
        return member

    ACCEPTED = (
        "accepted",
        "lgca:corrected",
        "changed",
        "Change to the suggestion",
        "The suggested class, or another that you name, is right; it goes to the field of corrected labels",
    )
    LABEL_RIGHT = ("label right", "lgca:confirmed", "kept", "Keep the label", "The given label is right and stays")
    BAD_CROP = (
        "bad crop",
        "lgca:bad crop",
        "kept, bad crop",
        "Keep it: bad crop",
        "The given label is right and stays; a crop misled the method",
    )
    BAD_IMAGE = (
        "bad image",
        "lgca:bad image",
        "bad image",
        "Bad image",
        "The image can't be classified, or does not belong in the dataset",
    )
    SKIPPED = ("skipped", "lgca:skipped", "can't tell", "Can't tell", "Left for later, or for another person")

    def __str__(self) -> str:
        return str(self.value)

    @classmethod
    def _missing_(cls, value: object) -> Decision | None:
        return next((member for member in cls if member.word == value), None)


def decision_word(decision: Decision | None, corrected: str | None, given: str | None) -> str:
    """Returns what was decided about a sample as tables and files have it; a label that stays the same was kept.

    Args:
        decision: the decision; None for one that was undone
        corrected: the class that was chosen, None without one
        given: the given label at that time
    """
    if decision is None:
        return UNDONE
    same = decision is Decision.ACCEPTED and corrected is not None and corrected == given
    return (Decision.LABEL_RIGHT if same else decision).word


@dataclass(frozen=True, kw_only=True)
class AuditStamp:
    """Who made a call, and when; stored in the event of each sample of the call.

    Attributes:
        id: the action: identifies the call
        by: name of the curator
        at: UTC without a time zone, in whole milliseconds, as the database stores it
        note: the curator's note
    """

    id: str
    by: str
    at: datetime
    note: str | None


@dataclass(frozen=True, kw_only=True)
class DecisionFields:
    """The fields that hold the decisions of a run.

    Attributes:
        run_key: the run's key
        ground_truth: field of the given labels, None without
        corrected: field of the corrected labels
        given_as_text: whether the field of the given labels holds texts, not Classifications
        corrected_as_text: the same of the corrected ones
    """

    run_key: str
    ground_truth: str | None
    corrected: str
    given_as_text: bool = False
    corrected_as_text: bool = False

    @classmethod
    def on(cls, dataset: fo.Dataset, run_key: str, ground_truth: str | None, corrected: str) -> DecisionFields:
        """Returns the fields on a dataset; a field of corrected labels that is missing will be of the given ones' kind.

        If both are gone, it is the kind that was noted with the decisions.
        """
        given_as_text = ground_truth is not None and is_text(dataset, ground_truth)
        if dataset.get_field(corrected) is not None:
            corrected_as_text = is_text(dataset, corrected)
        elif ground_truth is None:
            note = decision_note(dataset, triage_field(run_key, DECISION))
            corrected_as_text = note.get("corrected_as") == TEXT
        else:
            corrected_as_text = given_as_text
        return cls(
            run_key=run_key,
            ground_truth=ground_truth,
            corrected=corrected,
            given_as_text=given_as_text,
            corrected_as_text=corrected_as_text,
        )

    @property
    def decision(self) -> str:
        """The field of the decisions."""
        return triage_field(self.run_key, DECISION)

    @property
    def suggestion(self) -> str:
        """The field of the suggestions."""
        return triage_field(self.run_key, SUGGESTION)

    @property
    def given(self) -> str:
        """The path of the given label; without a field of labels, the one that the suggestion was made for."""
        if self.ground_truth is None:
            return f"{self.suggestion}.given"
        return self.ground_truth if self.given_as_text else f"{self.ground_truth}.label"

    @property
    def suspect(self) -> str:
        """The field of the texts that the grid shows."""
        return triage_field(self.run_key, SUSPECT)


def declare_decisions(
    dataset: fo.Dataset, fields: DecisionFields, others: Mapping[str, fo.Field] | None = None
) -> None:
    """Declares the field of a run's decisions, if it is missing, and notes on it which fields it goes with.

    By this note the decisions are found again if the run's record is lost or the field is renamed.

    Args:
        dataset: the run's dataset
        fields: the fields of the decisions
        others: further sample fields by path, declared at once: each time FiftyOne writes the dataset's whole record
    """
    import fiftyone as fo

    path, before = fields.decision, decision_note(dataset, fields.decision)
    note = {**before, "decisions_of": fields.run_key, "corrected_field": fields.corrected}
    if fields.ground_truth is not None:  # otherwise what is noted stays: the field may come back
        note["ground_truth"] = fields.ground_truth
    if fields.corrected_as_text:
        note["corrected_as"] = TEXT
    declared = dict(others or {})
    if f"{path}.action" not in dataset.get_field_schema(flat=True):
        parts = {name: fo.DateTimeField() if name == "at" else fo.StringField() for name in ATTRIBUTES}
        declared[path] = classification_field(parts, info={CORRECTED_INFO: note})
    merge_schema(dataset, declared)
    if decision_note(dataset, path) != note:
        field = dataset.get_field(path)
        field.info = {**(field.info or {}), CORRECTED_INFO: note}
        field.save()


def check_fields_are_current(dataset: fo.Dataset, fields: DecisionFields) -> None:
    """Checks that decisions would be written where the earlier ones about the run are.

    Raises:
        LgcaError: if the run was triaged again since, with another field of corrected labels
        ConfigError: if the field of the decisions was renamed
    """
    key, now = fields.run_key, decision_note(dataset, fields.decision).get("corrected_field")
    if now not in (None, fields.corrected):
        what = f"run {key!r} was triaged again since, and corrected labels go to {now!r} now"
        raise LgcaError(f"{what}: take run.last_triage()", app=f"{what}: choose the run again")
    if fields.decision in dataset.get_field_schema():
        return
    names = (name for name in dataset.get_field_schema() if decision_note(dataset, name).get("decisions_of") == key)
    renamed = next(names, None)
    if renamed is not None:
        what = f"the decisions about run {key!r} are in {renamed!r}, which was renamed"
        raise ConfigError(
            f"{what}: rename it back with dataset.rename_sample_field({renamed!r}, {fields.decision!r}), or delete it "
            "to start anew",
            app=f"{what}: rename it back to {fields.decision!r}, or delete it to start anew",
        )
