"""The report of a triage, as JSON: its arguments, findings, and the samples that were left out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from itertools import combinations
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from ...method.labels.triage_cases import WITH_LABEL, WITHOUT_LABEL, changes
from ...method.labels.vote_cases import WITH_LABEL as VOTES_WITH_LABEL
from ...method.labels.vote_cases import WITHOUT_LABEL as VOTES_WITHOUT_LABEL
from ...version import __version__
from .plan import NONE_BELOW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...method.labels.triage_cases import Case
    from .analysis import TriageAnalysis
    from .plan import TriageRequest
    from .samples import TriageSamples
    from .votes import Votes

MAX_PAIRS = 20
"""Maximum number of pairs of given and suggested label."""


def triage_report(
    request: TriageRequest,
    samples: TriageSamples,
    cases: Sequence[Case],
    found: TriageAnalysis,
    *,
    seconds: float,
    votes: Votes | None = None,
) -> dict[str, Any]:
    """Returns the report of a triage.

    Returns:
        a JSON-ready dict with ``ground_truth``, ``methods`` (the three that were compared), ``judging`` (those that
        judged the labels), ``corrected_field``, ``counts`` (of all image samples), ``labels``
        (of those triaged), ``outside`` (labels that are no class of the run, and how many samples have each),
        ``near`` (such a label, and the class with almost the same name), ``embeddings`` (of those triaged),
        ``cases``, ``changes`` (how many of one method's labels another repaired, and broke), ``misleading`` (size of a
        misleading-crop case to number of samples; ``unproven``, how many of these sizes are upper bounds),
        ``stability`` (quantiles), ``judged`` (number of judged labels); if any, ``suspects``, and
        ``outside_suspects``, those of them whose label is no class of the run; if any are judged, ``calibration``,
        ``ensemble`` (the temperature and wrong share that forecasts use), ``fitted_errors`` and ``estimated_errors``
        (estimated number of wrong labels, by calibration and by cleanlab's confident joint) and ``pairs``
        (given, suggested, how many); if image vectors are stored, the number of suspects with
        ``near_duplicates`` of another label, and of those ``unlike`` all other images; of a run with known
        shares of the classes, ``shares``: the ``field`` in which they were counted, and method to number of
        labels that they have ``changed``; of predictions of other origin, ``predictions``: name to its
        ``field``, what it is judged ``by`` (``"logits"``, ``"confidence"`` or ``"label"``), the number of
        ``samples`` that have it, of those with a usable label (``labelled``) how many have it as their label
        (``agree``), and, where several judge, its ``weight``;
        ``warnings``, ``seconds``, ``at`` and
        ``version``
    """
    classes, errors = request.run.config.classes, found.errors
    counted, sizes = Counter(cases), Counter(found.case_size[~np.isnan(found.case_size)].tolist())
    labelled, total = int((samples.truth >= 0).sum()), len(cases)
    with_label = labelled + len(samples.outside_rows)
    of_labels, of_none = (WITH_LABEL, WITHOUT_LABEL) if votes is None else (VOTES_WITH_LABEL, VOTES_WITHOUT_LABEL)
    listed = [*(of_labels if labelled else ()), *(of_none if with_label < total else ())]
    known = samples.truth >= 0
    names = [method.name for method in request.compared]
    report: dict[str, Any] = {
        "ground_truth": request.ground_truth,
        "methods": names,
        "judging": [method.name for method in found.judging],
        "corrected_field": request.corrected_field,
        "counts": samples.counts,
        "labels": samples.labels,
        "outside": list(map(list, samples.outside.items())),  # a label need not be a valid key in MongoDB
        "near": [[one.label, one.near] for one in samples.left_out if one.near is not None][:MAX_PAIRS],
        "embeddings": {
            "with image vectors": int(found.with_vectors.sum()),
            "with region embeddings": int(found.with_regions.sum()),
            "edited since the run": int((found.with_vectors & ~found.unedited).sum()),
        },
        "cases": {case.value: counted[case] for case in listed},
        "changes": {
            f"{a} to {b}": list(changes(samples.answers[a][known], samples.answers[b][known], samples.truth[known]))
            for a, b in combinations(names, 2)
            if labelled
        },
        "misleading": {str(int(size)): sizes[size] for size in sorted(sizes)},
        "unproven": found.unproven,
        "stability": _quantiles(found),
        "judged": len(found.judged),
        "warnings": [*request.warnings, *found.warnings],
        "seconds": seconds,
        "at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "version": __version__,
    }
    if votes is not None:
        report["predictions"] = _of_votes(request, samples, votes, {} if errors is None else errors.weights)
    if request.run.config.shares is not None:
        field = request.run.config.shares.field
        moved = {name: samples.answers[name] != own for name, own in samples.own_answers.items()}
        report["shares"] = {"field": field, "changed": {name: int(where.sum()) for name, where in moved.items()}}
        if field is not None and field == request.ground_truth:
            images = int(np.any(list(moved.values()), axis=0).sum())
            report["warnings"].append(
                f"how often each class occurs was counted in {field!r}, whose labels are judged: without that, methods "
                f"would give other labels on {images:,} of {total:,} images, each of which says which"
            )
    if errors is not None or found.outside:
        judged = 0 if errors is None else int(errors.suspect.sum())
        report |= {"suspects": judged + len(found.outside), "outside_suspects": len(found.outside)}
    if errors is not None and errors.twin is not None and errors.unlike is not None:
        report["near_duplicates"] = int((errors.suspect & (errors.twin >= 0)).sum())
        report["unlike"] = int(errors.unlike.sum())
    if errors is not None and request.none_below:
        none = int((errors.suggestion_confidence < request.none_below).sum())
        report[NONE_BELOW] = {"below": request.none_below, "samples": none}
    if errors is not None:
        report["calibration"] = {name: _finite(made.to_json()) for name, made in errors.calibration.items()}
        report["ensemble"] = {"temperature": errors.ensemble.value, "wrong_share": errors.ensemble.wrong_share}
        report["estimated_errors"] = errors.joint.estimated_errors
        report["fitted_errors"] = errors.fitted_errors
        report["pairs"] = [[classes[a], classes[b], count] for a, b, count in errors.joint.pairs[:MAX_PAIRS]]
    return report


def _of_votes(
    request: TriageRequest, samples: TriageSamples, votes: Votes, weights: Mapping[str, float]
) -> dict[str, dict[str, Any]]:
    found = {}
    for voter in request.run.config.voters or ():
        answers = votes.answers[voter.name]
        labelled = (answers >= 0) & (samples.truth >= 0)
        found[voter.name] = {
            "field": voter.field,
            "by": votes.kinds[voter.name],
            "samples": int((answers >= 0).sum()),
            "labelled": int(labelled.sum()),
            "agree": int((answers == samples.truth)[labelled].sum()),
            **({"weight": weights[voter.name]} if voter.name in weights else {}),
        }
    return found


def _finite(numbers: dict[str, Any]) -> dict[str, Any]:
    """Returns the numbers with None for nan, which JSON lacks."""
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in numbers.items()}


def _quantiles(found: TriageAnalysis) -> dict[str, float]:
    known = found.stability[~np.isnan(found.stability)]
    if not len(known):
        return {}
    at = {"lowest": 0.0, "10%": 0.1, "median": 0.5}
    return {**{name: float(np.quantile(known, q)) for name, q in at.items()}, "mean": float(known.mean())}
