"""Suspected label errors: how probable each given label is under several methods, and which labels are likely wrong.

The rule is cleanlab's (Northcutt et al., *Confident Learning*, JAIR 2021, arXiv 1911.00068) on calibrated
probabilities. It requires probabilities from a model that was not trained on the labels; here only one number a method,
its temperature, was fitted to them.

The quality of a label is the probability of the given class, cleanlab's self-confidence. It was chosen before any
result was known: a calibrated probability is the chance that the label is right and can be compared between methods; it
distinguishes labels that a margin between probabilities treats as equally bad; and it is low for images that show none
of the classes, which a curator should see too. The ensemble weighs all methods equally: they share an encoder, and
weights by agreement with the labels would let suspicious labels choose the methods. So its quality is both the mean of
the methods' qualities and the quality under the mean of their probabilities, which is accumulated with one method in
memory at a time.

Predictions of any origin do not share an encoder, and may differ much in what they are worth; there the ensemble is a
pool whose few weights are fitted to all labels together (:mod:`.pooling`).

A method that is learned over several encoders sees all that the others see, weighed by what it is worth, and is the
ensemble alone. It was trained on labels, but each is judged by weights that have not seen it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .calibration import (
    FIT_SAMPLES,
    MAX_WRONG_SHARE,
    MIN_LABELS,
    Calibration,
    Temperature,
    calibrate,
    fit_temperature,
    shuffled,
)
from .pooling import LEAST_LOGARITHM, fit_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating]
    IntArray = NDArray[np.integer]
    BoolArray = NDArray[np.bool_]

TIE = 1e-6
"""A given label whose probability is within this distance of the largest is no suspect; cleanlab's own tolerance."""
_LEAST_PROBABILITY = np.float32(1e-30)  # keeps logarithms finite


@dataclass(frozen=True, kw_only=True)
class ConfidentJoint:
    """Counts of wrong labels over the dataset, by given and suggested class.

    Attributes:
        estimated_errors: cleanlab's calibrated estimate of the number of wrong labels. The confident joint counts, by
            given label and class, the samples whose probability of the class is at least the average of the samples
            given that class; scaled to the number of samples with each given label, the sum off its diagonal is the
            estimate. It includes mistakes of the methods, so it is an upper estimate
        pairs: given class, suggested class and number of suspects, largest number first and then by class; the numbers
            sum to the number of suspects
    """

    estimated_errors: int
    pairs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class LabelErrors:
    """The findings of several methods together about given labels; arrays in the order of the samples.

    Attributes:
        quality: ``[n]`` float64 in [0, 1], the ensemble's probability of the given label; low is suspicious
        by_method: method name to ``[n]``, that method's calibrated probability of the given label; nan where it has not
            answered
        calibrated: method name to ``[n]``, calibrated confidence of the method's own label; likewise
        suspect: ``[n]`` bool, the labels of lowest quality, as many as confident learning counts as wrong
        suggestion: ``[n]`` int64, the ensemble's most probable class; differs from the given one for every suspect
        suggestion_confidence: ``[n]`` float64, the ensemble's probability of the suggestion
        calibration: method name to its calibration
        ensemble: temperature of the ensemble's probabilities, below 1 where several methods that are sure make an
            ensemble that is less so; they are not divided by it
        joint: the summary over classes
        fitted_errors: number of wrong labels by the fitted wrong shares, ``e (C - 1) / C n``, mean of the ensemble; 0
            if nothing was fitted. More accurate than ``joint.estimated_errors`` if all classes have equally many wrong
            labels
        warnings: sentences about limits of the result
        weights: method name to its weight in a pooled ensemble; empty for a mean
        twin: ``[n]`` int64, the near duplicate with another label of a label that the ensemble contradicts, -1 without
            one; None if neighbours were not looked for (:mod:`.neighbours`)
        unlike: ``[n]`` bool, the suspects whose picture is unlike all others; likewise
    """

    quality: NDArray[np.float64]
    by_method: dict[str, NDArray[np.float64]]
    calibrated: dict[str, NDArray[np.float64]]
    suspect: NDArray[np.bool_]
    suggestion: NDArray[np.int64]
    suggestion_confidence: NDArray[np.float64]
    calibration: dict[str, Calibration]
    ensemble: Temperature
    joint: ConfidentJoint
    fitted_errors: int
    warnings: tuple[str, ...]
    weights: dict[str, float] = field(default_factory=dict)
    twin: NDArray[np.int64] | None = None
    unlike: NDArray[np.bool_] | None = None


def find_label_errors(
    logits: Mapping[str, Callable[[], FloatArray]],
    labels: IntArray,
    *,
    classes: int,
    judging: Collection[str] | None = None,
    answered: Mapping[str, BoolArray] | None = None,
    fixed: Collection[str] = (),
    pooled: bool = False,
) -> LabelErrors:
    """Finds suspected label errors with the predictions of several methods.

    Each method is calibrated on its own (:func:`~.calibration.calibrate`). The number of suspects comes from confident
    learning on the mean of the calibrated probabilities: the threshold of a class is its mean probability over the
    samples given it; a sample counts for the class whose threshold its probability reaches, for its most probable class
    if it reaches several; a label counts as wrong if that is not the given class, unless the given class is the most
    probable one or ties with it. A class that no sample is given has no threshold. The suspects are as many labels, of
    the lowest quality: cleanlab's ``low_self_confidence``. On drawings with known truth they held 85% of the wrong
    labels, while the counted samples themselves held 68%: these leave out images on which the methods are unsure.

    Peak memory is about two ``[n, C]`` float32 arrays, for any number of methods.

    Args:
        logits: method name to a function that gives ``[n, C]`` logit_scale * scores, which is overwritten;
            contiguous float32 avoids a copy. Each is called once, after the previous one was used
        labels: ``[n]`` given class indices; the caller leaves out samples without a usable label
        classes: C, at least 1
        judging: names of the methods that the ensemble consists of, at least one; None takes all
        answered: name of a method that has no answer on some samples to ``[n]`` whether it has one; its logits are of
            the others alone, ``[m, C]``. The ensemble of a sample consists of those that have answered, one at least
        fixed: names of methods whose logits are logarithms of probabilities that are right already, and too few to fit
            two numbers to them, such as those of labels alone; they are not calibrated, and say nothing of the number
            of wrong labels
        pooled: the ensemble is not the mean of the probabilities, but a pool in which each method counts by what it is
            worth (:mod:`.pooling`); the functions are called twice

    Returns:
        the findings. With fewer than :data:`~.calibration.MIN_LABELS` labels nothing is calibrated, and there is a
        warning

    Raises:
        ValueError: if there is no method, logits have another shape or hold nan, a label is no class index, or no
            judging method has answered on a sample
    """
    if not logits:
        raise ValueError("logits is empty; at least one method is needed to find label errors")
    judges = [name for name in logits if judging is None or name in judging]
    if not judges:
        raise ValueError(f"judging must name at least one of {', '.join(logits)}, got {judging}")
    labels = np.asarray(labels)
    ensemble = np.zeros((len(labels), classes), dtype=np.float32)
    answers = np.zeros(len(labels), dtype=np.float32)
    by_method, calibrated, calibration = {}, {}, {}
    sampled = shuffled(len(labels))[:FIT_SAMPLES]
    of_sampled: dict[str, FloatArray] = {}
    for name, compute in logits.items():
        there = (answered or {}).get(name)
        rows = slice(None) if there is None else np.flatnonzero(there)
        own = labels[rows]
        values = np.require(compute(), np.float32, ["C_CONTIGUOUS", "WRITEABLE"])
        if values.shape != (len(own), classes):
            raise ValueError(f"logits of {name!r} must have the shape {(len(own), classes)}, got {values.shape}")
        result = calibrate(values, own, fit=name not in fixed)
        by_method[name] = _spread(_of_class(result.probabilities, own), rows, len(labels))
        calibrated[name] = _spread(result.confidence, rows, len(labels))
        calibration[name] = result.calibration
        if name in judges:
            ensemble[rows] += result.probabilities
            answers[rows] += 1
            if pooled:
                of_sampled[name] = _at(result.probabilities, there, sampled)
        del values, result  # before the next method takes as much
    if not answers.all():
        raise ValueError(f"no judging method has answered on {int((answers == 0).sum())} of {len(labels)} samples")
    ensemble /= answers[:, None]
    weights, pooled_share = {}, 0.0
    if pooled and len(judges) > 1 and len(labels) >= MIN_LABELS:
        found, pooled_share = fit_weights([of_sampled[name] for name in judges], labels[sampled])
        weights = dict(zip(judges, found.tolist(), strict=True))
        ensemble = _pool(logits, weights, calibration, answered or {}, ensemble.shape)

    suggestion = ensemble.argmax(axis=1)
    confidence = _of_class(ensemble, suggestion)
    quality = _of_class(ensemble, labels)
    contradicted = confidence - quality > TIE
    off_diagonal, estimated_errors = _confident_learning(ensemble, labels)
    suspect = np.zeros(len(labels), dtype=bool)
    suspect[np.argsort(quality, kind="stable")[: int((off_diagonal & contradicted).sum())]] = True
    suspect &= contradicted
    fitted = [calibration[name].wrong_share for name in judges if name not in fixed]
    wrong_share = sum(fitted) / len(fitted) if fitted else 0.0
    wrong_share = pooled_share if fitted and weights else wrong_share
    return LabelErrors(
        quality=quality,
        by_method=by_method,
        calibrated=calibrated,
        suspect=suspect,
        suggestion=suggestion,
        suggestion_confidence=confidence,
        calibration=calibration,
        ensemble=_ensemble_temperature(ensemble, labels) if fitted else Temperature(value=1.0, wrong_share=0.0, n=0),
        joint=ConfidentJoint(
            estimated_errors=estimated_errors,
            pairs=suspect_pairs(labels, suggestion, suspect),
        ),
        fitted_errors=round(wrong_share * (classes - 1) / classes * len(labels)),
        warnings=tuple(_warnings(labels, classes, calibration, suspects=int(suspect.sum()))),
        weights=weights,
    )


def suspect_pairs(labels: IntArray, suggestion: IntArray, suspect: BoolArray) -> tuple[tuple[int, int, int], ...]:
    """Returns the pairs of :class:`ConfidentJoint`, of ``[n]`` given and suggested class indices."""
    pairs = Counter(zip(labels[suspect].tolist(), suggestion[suspect].tolist(), strict=True))
    return tuple((*pair, count) for pair, count in sorted(pairs.items(), key=lambda item: (-item[1], item[0])))


def _at(probabilities: NDArray[np.float32], there: BoolArray | None, sampled: IntArray) -> FloatArray:
    """Returns ``[s, C]`` logarithms of probabilities of some samples, 0 where a method has not answered."""
    if there is None:
        found: FloatArray = np.log(np.maximum(probabilities[sampled], np.exp(LEAST_LOGARITHM)))
        return found
    place = np.cumsum(there) - 1
    own = there[sampled]
    found = np.zeros((len(sampled), probabilities.shape[1]), dtype=np.float32)
    found[own] = np.log(np.maximum(probabilities[place[sampled[own]]], np.exp(LEAST_LOGARITHM)))
    return found


def _pool(
    logits: Mapping[str, Callable[[], FloatArray]],
    weights: Mapping[str, float],
    calibration: Mapping[str, Calibration],
    answered: Mapping[str, BoolArray],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Returns the ``[n, C]`` probabilities of the pool."""
    pool = np.zeros(shape, dtype=np.float32)
    for name, weight in weights.items():
        there = answered.get(name)
        values = np.asarray(logits[name](), dtype=np.float32)
        values = (values - values.max(axis=1, keepdims=True)) / np.float32(calibration[name].temperature)
        pool[slice(None) if there is None else there] += np.float32(weight) * np.maximum(values, LEAST_LOGARITHM)
    pool -= pool.max(axis=1, keepdims=True)
    np.exp(pool, out=pool)
    pool /= pool.sum(axis=1, keepdims=True)
    return pool


def _of_class(probabilities: NDArray[np.float32], classes: IntArray) -> NDArray[np.float64]:
    """Returns ``[n]`` probabilities of one class each; of the given labels, cleanlab's ``self_confidence``."""
    return probabilities[np.arange(len(classes)), classes].astype(np.float64)


def _ensemble_temperature(probabilities: NDArray[np.float32], labels: IntArray) -> Temperature:
    """Returns the temperature at which the ensemble's probabilities fit the labels best."""
    chosen = shuffled(len(labels))[:FIT_SAMPLES]
    logits = np.log(np.maximum(probabilities[chosen], _LEAST_PROBABILITY))
    return fit_temperature(logits, labels[chosen])


def _spread(values: NDArray[np.float64], rows: slice | IntArray, n: int) -> NDArray[np.float64]:
    if isinstance(rows, slice):
        return values
    found = np.full(n, np.nan)
    found[rows] = values
    return found


def _confident_learning(probabilities: NDArray[np.float32], labels: IntArray) -> tuple[NDArray[np.bool_], int]:
    """Returns ``[n]`` bool, the samples off the diagonal of the confident joint, and the estimated number of errors.

    ``cleanlab.filter.find_label_issues`` and ``cleanlab.count.num_label_issues`` have the same results, but each
    computes the joint again, copies the probabilities, and rejects labels that are all alike.
    """
    from cleanlab.count import compute_confident_joint, estimate_joint

    suspect = np.zeros(len(labels), dtype=bool)
    if not len(labels) or probabilities.shape[1] == 1:
        return suspect, 0
    joint, off_diagonal = compute_confident_joint(
        labels, probabilities, calibrate=False, return_indices_of_off_diagonals=True
    )
    suspect[off_diagonal] = True
    shares: FloatArray = estimate_joint(labels, probabilities, confident_joint=joint)
    return suspect, round((1.0 - float(shares.trace())) * len(labels))


def _warnings(labels: IntArray, classes: int, calibration: Mapping[str, Calibration], *, suspects: int) -> list[str]:
    warnings = []
    if len(labels) < MIN_LABELS:
        warnings.append(
            f"only {len(labels)} samples have a usable label, and calibrating takes {MIN_LABELS}: confidences stay as "
            "the methods give them, and suspected label errors are guesses"
        )
    never_given = classes - len(np.unique(labels))
    if len(labels) and never_given:
        warnings.append(
            f"{never_given} of {classes} classes are given to no sample: "
            "confident learning can't say when a label should have been one of them"
        )
    if suspects > len(labels) / 2:
        warnings.append(
            f"{suspects} of {len(labels)} labels are suspects: "
            "check that the class names mean what the labels mean before trusting any of them"
        )
    for name, fit in calibration.items():
        if fit.wrong_share > 0.99 * MAX_WRONG_SHARE:
            warnings.append(f"{name} contradicts the labels so often that its calibrated confidences can't be trusted")
    return warnings
