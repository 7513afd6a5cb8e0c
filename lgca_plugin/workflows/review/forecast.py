"""The expected number of wrong labels, from a run's calibration and the decisions about its suspects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...method.labels.expected_errors import CONFIDENCE, error_probabilities, expected_errors
from ..decisions.decisions import Decision

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ...method.labels.expected_errors import Expectation
    from ...runs.record import RunRecord
    from .suspects import Suspect

_ANSWERED = (Decision.ACCEPTED, Decision.LABEL_RIGHT, Decision.BAD_CROP)


def forecast(
    run: RunRecord, suspects: Sequence[Suspect], upcoming: NDArray[np.floating], *, confidence: float = CONFIDENCE
) -> Expectation:
    """Returns how many of some labels are expected to be wrong, given the decisions about the suspects.

    Decisions that leave the label open, about bad images and by those who can't tell, do not count, nor those about
    labels that are no class of the run.

    Args:
        run: the run
        suspects: all suspects, with the decisions so far
        upcoming: ``[n]`` qualities of the labels in question; nan where unknown
        confidence: of the interval
    """
    answered = [one for one in suspects if one.decision in _ANSWERED and one.quality is not None and not one.outside]
    return expected_errors(
        _probabilities(run, upcoming),
        _probabilities(run, np.array([one.quality for one in answered], dtype=np.float64)),
        np.array([one.changed for one in answered], dtype=bool),
        confidence=confidence,
    )


def _probabilities(run: RunRecord, quality: NDArray[np.floating]) -> NDArray[np.float64]:
    report, classes = run.results.get("triage") or {}, len(run.config.classes)
    fit = report.get("ensemble") or {"temperature": 1.0, "wrong_share": _mean_wrong_share(report)}
    found = error_probabilities(np.nan_to_num(quality), classes=classes, **fit)
    unknown = error_probabilities(np.full(1, 1 / classes), classes=classes, wrong_share=fit["wrong_share"])
    return np.where(np.isnan(quality), unknown, found)  # without a quality, the share of wrong labels


def _mean_wrong_share(report: Mapping[str, Any]) -> float:
    """Returns the mean wrong share of the methods that have judged, for a triage that has none of the ensemble."""
    fits = report.get("calibration") or {}
    judging = report.get("judging") or fits  # others of a fused run are calibrated, too
    shares = [fit.get("wrong_share") or 0.0 for name, fit in fits.items() if name in judging]
    return sum(shares) / len(shares) if shares else 0.0
