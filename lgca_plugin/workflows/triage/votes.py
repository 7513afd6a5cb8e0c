"""Reads predictions that are on the samples already, for a triage that needs no encoder and no stored embeddings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ...fiftyone_io.label_fields import is_text, label_path
from ...fiftyone_io.outages import waits_for_database
from ...fiftyone_io.samples import ImageSamples
from ...method.labels.left_out import plain_name
from ...method.number_text import first_of, samples_text
from .samples import labelled_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .plan import TriageRequest
    from .samples import TriageSamples

LEAST_SPREAD = 1e-6
"""Minimum difference of the largest and the smallest confidence for confidences to say anything."""
MAX_NAMED = 6
"""Maximum number of labels that a sentence names."""


@dataclass(kw_only=True)
class Votes:
    """The predictions of a triage's n samples. Dicts have the name of a voter as key.

    Attributes:
        labels: the classes, then all other labels that are predicted
        answers: ``[n]`` index into ``labels``, -1 where there is no prediction
        confidence: ``[n]`` in [0, 1], nan where there is none; voters without any, or with others, are left out
        margins: ``[n]`` probability of the predicted label minus that of the second one, nan where it is unknown
        kinds: what the labels are judged by: ``"logits"``, ``"confidence"`` or ``"label"``
        warnings: sentences for the user
    """

    labels: tuple[str, ...]
    answers: dict[str, NDArray[np.int64]]
    confidence: dict[str, NDArray[np.float64]]
    margins: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@waits_for_database
def read_votes(request: TriageRequest) -> tuple[TriageSamples, Votes]:
    """Reads the samples with at least one prediction, and the predictions.

    Raises:
        ConfigError: if a field of predictions is gone, or no sample has a prediction
    """
    run, voters = request.run, request.run.config.voters or ()
    target = ImageSamples.whole(run.dataset)
    gone = [voter.field for voter in voters if not target.is_label_field(voter.field)]
    if gone:
        what = f"{', '.join(gone)} of run {run.key!r} is no field of predictions on this dataset any more"
        raise ConfigError(
            f"{what}: name those that are to judge with lgca.triage(..., predictions=[...], run_key={run.key!r})",
            app=f"{what}: choose others in “Find wrong labels”, under the same run key",
        )
    paths = [label_path(run.dataset, voter.field) for voter in voters]
    sure = [voter for voter in voters if not is_text(run.dataset, voter.field)]  # texts have no confidence
    given = [] if request.ground_truth is None else [label_path(run.dataset, request.ground_truth)]
    paths += [f"{voter.field}.confidence" for voter in sure]
    ids, *columns = target.samples.values(["id", *paths, *given])
    classes = run.config.classes
    index = {name: at for at, name in enumerate(classes)}
    plain = {plain_name(name): name for name in classes}
    warnings: list[str] = []
    answers = {}
    for voter, column in zip(voters, columns, strict=False):
        read = _read_as(voter.field, column, index, plain, warnings)
        answers[voter.name] = _indices(column, index, read)
    rows = np.flatnonzero(np.any([column >= 0 for column in answers.values()], axis=0))
    if not len(rows):
        raise ConfigError(f"no sample has a prediction in {', '.join(voter.field for voter in voters)}")
    confidence = {}
    for voter, column in zip(sure, columns[len(voters) :], strict=False):
        values = np.array([np.nan if value is None else value for value in column], dtype=np.float64)[rows]
        values[answers[voter.name][rows] < 0] = np.nan
        if np.isnan(values).all():
            continue
        if np.nanmax(values) - np.nanmin(values) < LEAST_SPREAD:  # the same for all samples, such as 1
            continue
        if ((values < 0) | (values > 1)).any():
            warnings.append(
                f"the confidences of {voter.field} are not between 0 and 1, so its labels alone are taken; logits, or "
                "probabilities, would find more"
            )
            continue
        confidence[voter.name] = values
    own = {name: column[rows] for name, column in answers.items()}
    samples = labelled_samples(
        classes,
        [ids[row] for row in rows.tolist()],
        [columns[-1][row] if given else None for row in rows.tolist()],
        answers=own,
        own_answers=own,
        counts={
            "triaged": len(rows),
            "failed": 0,
            "without a prediction": len(ids) - len(rows),
            "with an edited prediction": 0,
            "total": len(ids),
        },
    )
    return samples, Votes(labels=tuple(index), answers=own, confidence=confidence, warnings=warnings)


def _read_as(
    path: str, column: Sequence[Any], index: dict[str, int], plain: dict[str, str], warnings: list[str]
) -> dict[str, str]:
    """Returns predicted label to the class that it stands for, where they are written alike; adds a sentence."""
    others = Counter(label for label in column if label and label.strip() and label not in index)
    read = {label: plain[plain_name(label)] for label in others if plain_name(label) in plain}
    if read:
        names = first_of([f"{label!r} as {name!r}" for label, name in read.items()], MAX_NAMED)
        warnings.append(f"labels of {path} that differ from a class in spelling alone are read as that class: {names}")
    left = {label: count for label, count in others.items() if label not in read}
    if left:
        named = first_of([repr(label) for label in sorted(left, key=lambda one: -left[one])], MAX_NAMED)
        warnings.append(
            f"{path} answers with {len(left):,} labels that are no class here, on {samples_text(sum(left.values()))} "
            f"({named}): what they mean for the labels is counted, and they never count as right"
            if len(left) > 1
            else f"{path} answers with {named}, which is no class here, on {samples_text(sum(left.values()))}: what it "
            "means for the labels is counted, and it never counts as right"
        )
    return read


def _indices(column: Sequence[Any], index: dict[str, int], read: dict[str, str]) -> NDArray[np.int64]:
    """Returns the place of each label, -1 for None and blank ones; labels that are new get the next places."""
    found = []
    for label in column:
        if not label or not label.strip():
            found.append(-1)
            continue
        found.append(index.setdefault(read.get(label, label), len(index)))
    return np.array(found, dtype=np.int64)
