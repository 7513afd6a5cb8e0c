"""Judges labels by predictions that are on the samples already: by their logits, else confidences, else labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError, LgcaError
from ...fiftyone_io.database import sample_collection
from ...fiftyone_io.outages import waits_for_database
from ...method.labels.label_errors import find_label_errors
from ...method.labels.logit_columns import logit_columns
from ...method.labels.votes import vote_logits
from ...method.number_text import first_of, labels_text, samples_text
from ...progress import Progress
from ...runs.registry import list_runs, read_config
from .analysis import TriageAnalysis
from .scores import CACHE_BYTES
from .votes import MAX_NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from numpy.typing import NDArray

    from ...config import Voter
    from ...runs.record import RunRecord
    from .plan import TriageRequest
    from .samples import TriageSamples
    from .votes import Votes

SUSPICIOUS_AGREEMENT = 0.98
"""Share of the labels with which a classifier that has not seen them hardly ever agrees."""
MIN_JUDGED = 50
"""Minimum number of labels for such a share to say anything."""

_LEAST = 1e-9  # probability of a class that a classifier rules out
_RULED_OUT = 20.0  # how far below all others the logit of a class is that a classifier does not have


@dataclass(frozen=True)
class StoredLogits:
    """The logits of one voter's answers.

    Attributes:
        values: ``[m, W]``; None if they are too large for the memory, and read again each time
        columns: ``[C]`` the column of each class, or -1
        read: reads them
    """

    values: NDArray[np.float32] | None
    columns: NDArray[np.int64]
    read: Callable[[], tuple[NDArray[np.float32] | None, NDArray[np.bool_]]] | None

    def of_classes(self) -> NDArray[np.float32]:
        """Returns ``[m, C]`` logits; probabilities become their logarithms.

        Raises:
            LgcaError: if they were deleted since
        """
        values = self.values
        if values is None and self.read is not None:
            values, _ = self.read()
        if values is None:
            raise LgcaError("the logits of a prediction were deleted while labels were judged by them: triage again")
        chosen = values[:, self.columns]
        if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-2):
            chosen = np.log(np.maximum(chosen, _LEAST))
        lacking = self.columns < 0
        if lacking.any():
            chosen[:, lacking] = chosen[:, ~lacking].min(axis=1, keepdims=True) - _RULED_OUT
        return chosen


def judge_votes(
    request: TriageRequest, samples: TriageSamples, votes: Votes, *, cache_bytes: int = CACHE_BYTES
) -> Generator[Progress, None, TriageAnalysis]:
    """Finds the label errors among the samples with a label and a prediction; yields progress.

    Logits of more than ``cache_bytes`` are read again where they are needed.

    Raises:
        ConfigError: if every prediction is the label
    """
    run, n = request.run, len(samples.ids)
    found = TriageAnalysis.empty(n)
    found.with_vectors[:] = found.unedited[:] = True  # nothing is missing, for nothing is stored
    found.warnings += votes.warnings
    voters, classes = run.config.voters or (), len(run.config.classes)
    method_of = {method.name: method for method in run.config.methods}
    known = samples.truth >= 0
    judges: dict[str, Callable[[], NDArray[np.float32]]] = {}
    alike = []
    for voter in voters:
        yield Progress(0, 2 * n, f"Reading the predictions of {voter.field}")
        logits = _read_logits(request, samples, votes, voter, found.warnings, cache_bytes)
        votes.kinds[voter.name] = _kind(votes, voter, logits)
        votes.margins[voter.name] = _margins(votes, voter, logits, classes)
        own = known & (votes.answers[voter.name] >= 0)
        same = int((votes.answers[voter.name][own] == samples.truth[own]).sum())
        if own.any() and same == own.sum():
            alike.append(voter)
        elif own.any():
            judges[voter.name] = _judge(samples, votes, voter, own, classes, logits)
            found.warnings += _on_agreement(request, voter, same, int(own.sum()))
        if own.any() and (lacking := int((known & ~own).sum())):
            found.warnings.append(
                f"{voter.field} has no prediction on {lacking:,} of {labels_text(int(known.sum()))}: "
                + ("these are judged by the others" if len(voters) > 1 else "these are not judged")
            )
    if alike and not judges:
        raise ConfigError(nothing_new([voter.field for voter in alike], request.ground_truth))
    for voter in alike:
        found.warnings.append(
            f"{voter.field} gives every label in {request.ground_truth!r} again and does not judge them: a classifier "
            "that was trained on labels has learnt their mistakes; predictions out of fold would judge"
        )
    found.calibrated = found.judging = tuple(method_of[name] for name in judges)
    answered = {name: votes.answers[name] >= 0 for name in judges}
    found.judged = np.flatnonzero(known & np.any([*answered.values(), np.zeros(n, bool)], axis=0))
    if len(found.judged):
        yield Progress(0, 2 * n, f"Judging {len(found.judged):,} labels")
        labels = samples.truth[found.judged]
        of_judged = {name: there[found.judged] for name, there in answered.items()}
        alone = [name for name in judges if votes.kinds[name] == "label"]
        found.errors = find_label_errors(judges, labels, classes=classes, answered=of_judged, fixed=alone, pooled=True)
        found.warnings += found.errors.warnings
        found.warnings += _never_predicted(request, votes, labels)
    return found


def _kind(votes: Votes, voter: Voter, logits: StoredLogits | None) -> str:
    if logits is not None:
        return "logits"
    return "confidence" if voter.name in votes.confidence else "label"


def _judge(
    samples: TriageSamples,
    votes: Votes,
    voter: Voter,
    own: NDArray[np.bool_],
    classes: int,
    logits: StoredLogits | None,
) -> Callable[[], NDArray[np.float32]]:
    """Returns a function that computes the ``[m, C]`` logits of the ``[n]`` own labels."""
    answers, confidence = votes.answers[voter.name], votes.confidence.get(voter.name)
    if logits is not None:
        rows = own[answers >= 0]
        return lambda: logits.of_classes()[rows]
    sure = None if confidence is None else confidence[own]
    return lambda: vote_logits(answers[own], samples.truth[own], sure, classes=classes)


def _margins(votes: Votes, voter: Voter, logits: StoredLogits | None, classes: int) -> NDArray[np.float64]:
    """Returns ``[n]`` probability of the predicted label minus that of the second one, nan where it is unknown."""
    answers, confidence = votes.answers[voter.name], votes.confidence.get(voter.name)
    margins = np.full(len(answers), np.nan)
    if logits is not None:
        values = logits.of_classes().astype(np.float64)
        p = np.exp(values - values.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        first, second = np.partition(p, -2, axis=1)[:, :-3:-1].T
        margins[answers >= 0] = first - second
    elif confidence is not None:
        margins = confidence - (1 - confidence) / (classes - 1)
    return margins


@waits_for_database
def _stored_logits(
    run: RunRecord, path: str, ids: Sequence[str]
) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_]]:
    """Returns ``[m, W]`` stored logits of m samples, None if none has any, and ``[m]`` which have W finite ones."""
    from fiftyone.core.utils import deserialize_numpy_array

    place = {id_: at for at, id_ in enumerate(ids)}
    values: NDArray[np.float32] | None = None
    filled = np.zeros(len(ids), dtype=bool)
    for document in sample_collection(run.dataset).find({path: {"$ne": None}}, [path]):
        at = place.get(str(document["_id"]))
        if at is None:
            continue
        stored: Any = document
        for name in path.split("."):
            stored = stored[name]
        row = np.asarray(deserialize_numpy_array(stored), dtype=np.float32).ravel()
        if values is None:
            values = np.zeros((len(ids), len(row)), dtype=np.float32)
        if len(row) == values.shape[1] and np.isfinite(row).all():
            values[at], filled[at] = row, True
    return values, filled


def _read_logits(
    request: TriageRequest, samples: TriageSamples, votes: Votes, voter: Voter, warnings: list[str], cache_bytes: int
) -> StoredLogits | None:
    """Returns the logits of all answers of a voter; None without any, or if they can't be used, with a sentence."""
    answered = np.flatnonzero(votes.answers[voter.name] >= 0)
    ids, path = [samples.ids[row] for row in answered.tolist()], f"{voter.field}.logits"
    values, filled = _stored_logits(request.run, path, ids)
    if values is None:
        return None
    instead = "its confidences are taken" if voter.name in votes.confidence else "its labels alone are taken"
    if not filled.all():
        missing = samples_text(int((~filled).sum()))
        warnings.append(f"{voter.field} has no logits, or others, on {missing} with a prediction, so {instead}")
        return None
    columns = _columns(request, votes, voter, values, answered)
    if columns is None:
        warnings.append(
            f"which class each of the {values.shape[1]:,} logits of {voter.field} belongs to can't be seen from its "
            f"labels, so {instead}: dataset.classes[{voter.field!r}] = [...] names the classes in their order"
        )
        return None
    lacking = [name for at, name in enumerate(request.run.config.classes) if columns[at] < 0 and at in samples.truth]
    if lacking:
        warnings.append(
            f"the logits of {voter.field} lack classes that are labels ({first_of(lacking, MAX_NAMED)}), so {instead}"
        )
        return None
    if values.nbytes > cache_bytes:
        return StoredLogits(None, columns, partial(_stored_logits, request.run, path, ids))
    return StoredLogits(values, columns, None)


def _columns(
    request: TriageRequest, votes: Votes, voter: Voter, values: NDArray[np.float32], answered: NDArray[np.int64]
) -> NDArray[np.int64] | None:
    dataset, classes = request.run.dataset, request.run.config.classes
    labels = [votes.labels[at] for at in votes.answers[voter.name][answered].tolist()]
    own = (dataset.classes or {}).get(voter.field)
    lists = [own, *_classes_of_run(request, voter.field), dataset.default_classes, classes, sorted(classes)]
    best = values.argmax(axis=1).tolist()
    return logit_columns(best, labels, values.shape[1], classes, [names for names in lists if names])


def _classes_of_run(request: TriageRequest, path: str) -> list[Sequence[str]]:
    """Returns the classes of the run that has written a field, if a run has."""
    found: list[Sequence[str]] = []
    for key in list_runs(request.run.dataset):
        if path.startswith(f"{key}_"):
            try:
                found.append(read_config(request.run.dataset, key).classes)
            except LgcaError:  # of another release
                continue
    return found


def _on_agreement(request: TriageRequest, voter: Voter, same: int, judged: int) -> list[str]:
    """Returns a sentence if a classifier agrees with nearly all labels."""
    if judged < MIN_JUDGED or same < SUSPICIOUS_AGREEMENT * judged:
        return []
    sentence = (
        f"{voter.field} gives {same:,} of {labels_text(judged)} in {request.ground_truth!r} again: if it was trained "
        "on them, it has learnt their mistakes and hides them; predictions out of fold find more"
    )
    return [sentence]


def nothing_new(fields: Sequence[str], ground_truth: str | None) -> str:
    """Returns that predictions which are all the given label can't judge it, and the remedy."""
    verb = "gives" if len(fields) == 1 else "give"
    return (
        f"{' and '.join(fields)} {verb} every label in {ground_truth!r} again, so nothing can look wrong: a classifier "
        "that was trained on labels has learnt their mistakes; take predictions out of fold, each by a model that has "
        "not seen the sample"
    )


def _never_predicted(request: TriageRequest, votes: Votes, labels: NDArray[np.int64]) -> list[str]:
    """Returns a sentence on classes that are given and that nobody predicts, whose labels all look wrong."""
    predicted = set(np.concatenate([np.unique(answers) for answers in votes.answers.values()]).tolist())
    classes = request.run.config.classes
    never = [at for at in np.unique(labels).tolist() if at not in predicted]
    if not never:
        return []
    count = int(np.isin(labels, never).sum())
    named = first_of([classes[at] for at in never], MAX_NAMED)
    sentence = (
        f"{labels_text(count)} in {request.ground_truth!r} {'is' if count == 1 else 'are'} of classes that are never "
        f"predicted ({named}): they look wrong for that reason alone"
    )
    return [sentence]
