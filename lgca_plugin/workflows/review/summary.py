"""What a review has changed, and how far down the queue wrong labels were found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.label_copy import wait_for_copy
from ...fiftyone_io.label_fields import label_path
from ...method.core.methods import method_title, without_controls
from ..decisions.decisions import Decision
from ..decisions.lost_labels import count_lost_labels, renamed_field
from ..decisions.queue import Triage
from .below import AHEAD, BelowProgress, expected_below, labels_below, progress_below

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...method.labels.expected_errors import Expectation
    from ...runs.record import RunRecord
    from ..decisions.decisions import DecisionFields
    from .suspects import Suspect

BLOCK = 10
"""Number of suspects in a block of the queue."""


@dataclass(frozen=True, kw_only=True)
class MethodAccuracy:
    """How often a method's label is the given one, and the corrected one.

    Attributes:
        method: the method's name
        title: its name for users
        given: share of the samples with a given label, in [0, 1]; None without any
        corrected: share of the samples with a corrected label; None without any, as before the first decision
    """

    method: str
    title: str
    given: float | None
    corrected: float | None


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some consecutive places of the queue.

    Attributes:
        first: the first place, from 1
        last: the last place
        reviewed: number of suspects there with a decision
        found: number of those whose label was changed
    """

    first: int
    last: int
    reviewed: int
    found: int


@dataclass(frozen=True, kw_only=True)
class ReviewSummary:
    """What a review has changed.

    Attributes:
        changes: given class (None without one), accepted class and number of samples, the largest number first
        given_field: field of the given labels, None without
        corrected_field: field of the corrected labels
        lost_labels: number of accepted labels whose field is gone; the next decision makes it again
        renamed_field: field that they are in, if it was renamed; decisions are refused then
        given_samples: number of samples that ``accuracy.given`` is measured on: those with a label and a prediction of
            every method, all of them classes of the run
        corrected_samples: the same for ``accuracy.corrected``
        accuracy: the accuracies of the run's methods without the controls, in the run's order
        blocks: the blocks of ten places of the queue, up to the last one with a decision
        last_find: place of the last suspect whose label was changed; None without
        beyond: how many are expected to be wrong of the ten labels that come after the last suspect: those of the
            lowest quality that are no suspects
        below: the decisions about labels that are no suspects
    """

    changes: tuple[tuple[str | None, str, int], ...]
    given_field: str | None
    corrected_field: str
    lost_labels: int
    renamed_field: str | None
    given_samples: int
    corrected_samples: int
    accuracy: tuple[MethodAccuracy, ...]
    blocks: tuple[Block, ...]
    last_find: int | None
    beyond: Expectation
    below: BelowProgress

    @property
    def changed(self) -> int:
        """Number of samples whose label was changed."""
        return sum(count for _, _, count in self.changes)


def review_summary(run: RunRecord, suspects: Sequence[Suspect]) -> ReviewSummary:
    """Returns the summary of a review, given the suspects in the order of the queue with their decisions."""
    fields = Triage.of(run).places
    there = [field for field in (fields.ground_truth, fields.corrected) if field and run.dataset.has_field(field)]
    accuracies = _accuracies(run, there)
    given, of_given = accuracies.get(fields.ground_truth or "", (0, {}))
    corrected, of_corrected = accuracies.get(fields.corrected, (0, {}))
    names = without_controls(method.name for method in run.config.methods)
    lost = count_lost_labels(run.dataset, fields)
    return ReviewSummary(
        changes=_changes(run, fields),
        given_field=fields.ground_truth,
        corrected_field=fields.corrected,
        lost_labels=lost,
        renamed_field=renamed_field(run.dataset, fields) if lost else None,
        given_samples=given,
        corrected_samples=corrected,
        accuracy=tuple(
            MethodAccuracy(
                method=name,
                title=method_title(name),
                given=of_given.get(name),
                corrected=of_corrected.get(name),
            )
            for name in names
        ),
        blocks=review_blocks(suspects),
        last_find=max((place for place, one in enumerate(suspects, 1) if one.changed), default=None),
        beyond=expected_below(run, suspects, labels_below(run, AHEAD)),
        below=progress_below(run),
    )


def review_blocks(suspects: Sequence[Suspect], size: int = BLOCK) -> tuple[Block, ...]:
    """Returns the blocks of a queue, up to the last one with a decision."""
    blocks = []
    for start in range(0, len(suspects), size):
        part = suspects[start : start + size]
        decided, found = sum(one.decision is not None for one in part), sum(one.changed for one in part)
        blocks.append(Block(first=start + 1, last=start + len(part), reviewed=decided, found=found))
    last = max((at for at, block in enumerate(blocks, 1) if block.reviewed), default=0)
    return tuple(blocks[:last])


def _changes(run: RunRecord, fields: DecisionFields) -> tuple[tuple[str | None, str, int], ...]:
    """Returns the changed labels of all samples, suspects or not."""
    given, corrected = f"${fields.decision}.given", f"${fields.decision}.corrected"
    accepted = {f"{fields.decision}.action": {"$gt": ""}, f"{fields.decision}.label": Decision.ACCEPTED.value}
    stages: list[dict[str, Any]] = [
        {"$match": {**accepted, "$expr": {"$ne": [given, corrected]}}},
        {"$group": {"_id": [given, corrected], "count": {"$sum": 1}}},
    ]
    found = [(*one["_id"], one["count"]) for one in sample_collection(run.dataset).aggregate(stages)]
    return tuple(sorted(found, key=lambda change: (-change[2], str(change[0]), str(change[1]))))


def _accuracies(run: RunRecord, fields: Sequence[str]) -> dict[str, tuple[int, dict[str, float]]]:
    """Returns, by label field, the number of samples with a label there, and method name to accuracy on them.

    They are the samples of an evaluation: every prediction and the label are classes of the run, or the predictions
    were there already. One grouping by the labels reads the samples once.
    """
    for field in fields:
        wait_for_copy(run.dataset, field)
    classes, predictions = set(run.config.classes), _predictions(run)
    labels = [f"${label_path(run.dataset, field)}" for field in fields]
    hits = {  # a field's path can have dots, so its place stands for it
        f"{at}/{name}": {"$sum": {"$cond": [{"$eq": [f"${path}", label]}, 1, 0]}}
        for at, label in enumerate(labels)
        for name, path in predictions.items()
    }
    usable = {"$in": list(classes)} if run.config.voters is None else {"$gt": ""}
    stages: list[dict[str, Any]] = [
        {"$match": dict.fromkeys(predictions.values(), usable)},
        {"$group": {"_id": labels, "n": {"$sum": 1}, **hits}},
    ]
    groups = list(sample_collection(run.dataset).aggregate(stages)) if fields and predictions else []
    found = {}
    for at, field in enumerate(fields):
        own = [group for group in groups if group["_id"][at] in classes]
        total = sum(group["n"] for group in own)
        right = {name: sum(group[f"{at}/{name}"] for group in own) for name in predictions}
        found[field] = total, {name: count / total for name, count in right.items() if total}
    return found


def _predictions(run: RunRecord) -> dict[str, str]:
    """Returns method name to the path of its label, of the methods whose field exists."""
    names = [method.name for method in run.config.methods if run.dataset.has_field(method_field(run.key, method.name))]
    return {name: f"{method_field(run.key, name)}.label" for name in names}
