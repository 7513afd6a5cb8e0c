"""What a curator may decide about a sample, and how a decision is stored, replaced and taken back.

A sample keeps its decision in the field ``K_decision``: the standing one as attributes of a Classification, and every
event that ever was in the list ``history``. Decision, corrected label and tags of a sample change in one update of the
database, which reads what stands there itself: whoever is killed, or comes second, leaves no half of a decision, and
no event is lost. An event holds

- ``action``: the call that it belongs to; ``undoes``: the action that it takes back, None where it decides something
- ``decision``, ``given``, ``suggested``, ``corrected`` (the label that was accepted), ``by``, ``at``, ``note``
- ``before``: the label that stood in the corrected field; ``wrote``: whether another was put there, and ``after``, its
  id and class; ``base``: what stood there before any accepted label, so that a decision that replaces this one finds it
- ``tagged``: whether the event added the decision's tag; ``untagged``: the former decision's tag, where it was removed
- ``kept``, of an event that undoes: whether the corrected label was left, for somebody has changed it since

After the last undo the field's label is ``"undone"``, for the App would draw None as "null", and its action is None:
``action`` tells whether a decision stands. ``state`` is for the next update: tag, ``after`` and ``base`` of the
standing decision. Both stay undeclared, so that the App does not list them; FiftyOne loads, copies and exports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ...fiftyone_io.database import merge_schema
from ...fiftyone_io.fields import DECISION, SUGGESTION, triage_field

if TYPE_CHECKING:
    from datetime import datetime

    import fiftyone as fo

ATTRIBUTES = ("given", "suggested", "corrected", "by", "at", "note", "action")
"""What a decision says beside its label, on the sample and in each event."""

UNDONE = "undone"
"""The label of a sample whose decisions have all been taken back."""


class Decision(str, Enum):
    """What a curator may decide about a sample, with the texts that the App shows.

    Attributes:
        tag: tag of the samples on which this is decided
        button: text of the button
        explanation: what it means, in a sentence
    """

    tag: str
    button: str
    explanation: str

    def __new__(cls, value: str, *texts: str) -> Decision:
        """Makes a member: its value, tag, button and explanation."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.tag, member.button, member.explanation = texts
        return member

    ACCEPTED = (
        "accepted",
        "lgca:corrected",
        "Accept suggestion",
        "The suggested class, or another that you name, is right; it goes to the field of corrected labels",
    )
    LABEL_RIGHT = ("label right", "lgca:confirmed", "Label is right", "The given label is right and stays")
    BAD_CROP = ("bad crop", "lgca:bad crop", "Bad crop", "A region misled the method; the given label stays")
    BAD_IMAGE = (
        "bad image",
        "lgca:bad image",
        "Bad image",
        "The image can't be classified, or does not belong in the dataset",
    )
    SKIPPED = ("skipped", "lgca:skipped", "Skip", "Left for later, or for another person")

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, kw_only=True)
class AuditStamp:
    """One call of a curator.

    Attributes:
        id: identifies the call in the history of each of its samples
        by: who
        at: when, UTC without a time zone, in milliseconds, as the database keeps it
        note: what the curator has to say
    """

    id: str
    by: str
    at: datetime
    note: str | None


@dataclass(frozen=True, kw_only=True)
class DecisionFields:
    """Where the decisions of a run are kept.

    Attributes:
        run_key: the run's key
        ground_truth: field of the given labels, None without
        corrected: field of the corrected labels
    """

    run_key: str
    ground_truth: str | None
    corrected: str

    @property
    def decision(self) -> str:
        """The field of the decisions."""
        return triage_field(self.run_key, DECISION)

    @property
    def suggestion(self) -> str:
        """The field of the suggestions."""
        return triage_field(self.run_key, SUGGESTION)


def declare_decisions(dataset: fo.Dataset, run_key: str) -> None:
    """Declares the field of a run's decisions; where it is declared already, it is left as it is."""
    import fiftyone as fo

    path = triage_field(run_key, DECISION)
    if f"{path}.action" in dataset.get_field_schema(flat=True):
        return
    kinds = {name: fo.DateTimeField() if name == "at" else fo.StringField() for name in ATTRIBUTES}
    merge_schema(dataset, {path: fo.EmbeddedDocumentField(fo.Classification)})
    merge_schema(dataset, {f"{path}.{name}": kind for name, kind in kinds.items()})
