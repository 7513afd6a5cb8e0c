"""Reads the predictions and labels of a run's samples for a triage, and counts the samples that are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ...fiftyone_io.boxes.each_label import other_labels
from ...fiftyone_io.fields import BEFORE_SHARES, error_field, method_field
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.outages import waits_for_database
from ...fiftyone_io.samples import ImageSamples
from ...method.labels.left_out import LeftOut, left_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ...method.core.methods import Method
    from .plan import TriageRequest

MAX_LISTED = 12
"""Maximum number of labels listed that are no classes of the run."""


@dataclass(frozen=True, kw_only=True)
class TriageSamples:
    """The n samples of a triage: those with a prediction of every method, all of them classes of the run.

    Attributes:
        ids: n sample ids
        answers: method name to ``[n]`` class index of its label
        own_answers: the same from the image alone, without known shares of the classes
        truth: ``[n]`` class index of the given label, -1 where there is none that is a class of the run
        counts: number of image samples that are ``triaged`` (n), ``failed`` in the run, ``without a
            prediction``, ``with an edited prediction`` (a label that is no class of the run); they sum to ``total``
        labels: number of samples by the kind of their label; they sum to n
        outside: labels that are no classes of the run, by count, most frequent first
        left_out: the same, all of them, with the class that each probably means
        others: row to the class indices of the other labels of the same picture, where it has several
        outside_rows: row to label of the samples that have such a label; empty if no label is a class, for then it is
            the field that does not fit the run
    """

    ids: list[str]
    answers: dict[str, NDArray[np.int64]]
    own_answers: dict[str, NDArray[np.int64]]
    truth: NDArray[np.int64]
    counts: dict[str, int]
    labels: dict[str, int]
    outside: dict[str, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    outside_rows: dict[int, str] = field(default_factory=dict)
    others: dict[int, list[int]] = field(default_factory=dict)

    @property
    def is_outside(self) -> NDArray[np.bool_]:
        """``[n]`` whether the given label is no class of the run."""
        found = np.zeros(len(self.ids), dtype=bool)
        found[list(self.outside_rows)] = True
        return found

    def unmoved(self, methods: Sequence[Method]) -> NDArray[np.bool_]:
        """Returns ``[n]`` whether known shares of the classes have left the labels of some methods as they were."""
        same: NDArray[np.bool_] = np.ones(len(self.ids), dtype=bool)
        for method in methods:
            same &= self.answers[method.name] == self.own_answers[method.name]
        return same


@waits_for_database
def read_samples(request: TriageRequest) -> TriageSamples:
    """Reads the samples of a run, a field at a time; raises ConfigError if none has a prediction of every method."""
    run = request.run
    samples = ImageSamples.whole(run.dataset).samples
    methods = [method.name for method in run.config.methods]
    schema = run.dataset.get_field_schema()
    gone = [field for field in (method_field(run.key, name) for name in methods) if field not in schema]
    if gone:
        raise ConfigError(
            f"{', '.join(gone)} of run {run.key!r} was deleted from the dataset: rescore the run with the methods that "
            "you want, then triage it"
        )
    paths = [f"{method_field(run.key, name)}.label" for name in methods]
    given = None if request.ground_truth is None else label_path(run.dataset, request.ground_truth)
    moved = [] if run.config.shares is None else [f"{method_field(run.key, name)}.{BEFORE_SHARES}" for name in methods]
    values = samples.values(["id", error_field(run.key), *paths, *([given] if given else []), *moved])
    ids, errors, *columns = values[: len(values) - len(moved)]
    index = {name: position for position, name in enumerate(run.config.classes)}
    answers = {name: _indices(column, index) for name, column in zip(methods, columns, strict=False)}
    stacked = np.stack(list(answers.values()))
    absent = np.array([[label is None for label in column] for column in columns[: len(methods)]]).any(axis=0)
    failed = np.array([error is not None for error in errors], dtype=bool) & absent
    edited = ~absent & (stacked < 0).any(axis=0)
    before = dict(zip(methods, values[len(values) - len(moved) :], strict=False))
    own = {name: _before(answers[name], _indices(column, index)) for name, column in before.items()}
    rows = np.flatnonzero(~absent & ~edited)
    if not len(rows):
        raise ConfigError(
            f"no sample of run {run.key!r} has predictions of all its methods, {', '.join(methods)}: there is nothing "
            "to triage; classify again, which goes on where the run stopped"
        )
    counts = {
        "triaged": len(rows),
        "failed": int(failed.sum()),
        "without a prediction": int((absent & ~failed).sum()),
        "with an edited prediction": int(edited.sum()),
        "total": len(ids),
    }
    found = labelled_samples(
        run.config.classes,
        [ids[row] for row in rows.tolist()],
        [columns[-1][row] if given else None for row in rows.tolist()],
        answers={name: column[rows] for name, column in answers.items()},
        own_answers={name: column[rows] for name, column in (answers | own).items()},
        counts=counts,
    )
    several = other_labels(run.dataset) if given else {}
    pairs = [(row, several[id_]) for row, id_ in enumerate(found.ids) if id_ in several]
    return replace(found, others={row: [index[name] for name in names if name in index] for row, names in pairs})


def labelled_samples(
    classes: Sequence[str],
    ids: list[str],
    labels: Sequence[Any],
    *,
    answers: dict[str, NDArray[np.int64]],
    own_answers: dict[str, NDArray[np.int64]],
    counts: dict[str, int],
) -> TriageSamples:
    """Returns the samples of a triage with their given labels, None where there is none."""
    truth = _indices(labels, {name: position for position, name in enumerate(classes)})
    given = Counter(label for label in labels if label and label.strip())
    found = tuple(left_out(classes, given))
    names, blank, known = {one.label for one in found}, len(labels) - given.total(), int((truth >= 0).sum())
    return TriageSamples(
        ids=ids,
        answers=answers,
        own_answers=own_answers,
        truth=truth,
        counts=counts,
        labels={
            "compared": known,
            "without a label": blank,
            "with a label that is no class of the run": len(labels) - blank - known,
        },
        outside={one.label: one.samples for one in found[:MAX_LISTED]},
        left_out=found,
        outside_rows={row: label for row, label in enumerate(labels) if label in names} if known else {},
    )


def _before(answers: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the labels before known shares of the classes, where -1 stands for those that are the same."""
    return np.where((answers >= 0) & (before >= 0), before, answers)


def _indices(labels: Sequence[Any], index: dict[str, int]) -> NDArray[np.int64]:
    return np.array([index.get(label, -1) for label in labels], dtype=np.int64)
