"""How a fused run compares with the runs that it was fused from, on the same labels."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import LgcaError
from ...fiftyone_io.fields import method_field
from ...fiftyone_io.label_fields import label_path
from ...fiftyone_io.samples import ImageSamples
from ...method.comparison.evaluation import Evaluation, evaluation_of
from ...method.core.methods import CONTROLS, learned_method, method_title
from ...runs.registry import read_config

if TYPE_CHECKING:
    from ...config import FusedRunConfig, FusionConfig
    from ...runs.record import RunRecord


def compared_with_sources(run: RunRecord, ground_truth: str | None = None) -> Evaluation | None:
    """Returns the accuracies of a fused run and of all methods of its source runs, all on the same samples.

    Of the differences it holds one: that to the best single method. The best of several is favoured by the choice, so
    the fused run has the harder part in the comparison. Source runs that are gone are left out.

    Args:
        run: the fused run
        ground_truth: label field; None takes the one that was learnt from, else the run's

    Returns:
        the comparison; None without a field of labels, or where no sample has all answers and a label among the classes
    """
    fusion = run.config.fusion
    learned = learned_method(run.config.methods)
    if fusion is None or learned is None:
        return None
    fields = [ground_truth] if ground_truth else [fusion.ground_truth, run.config.ground_truth]  # of another dataset
    field = next((name for name in fields if name and run.dataset.has_field(name)), None)
    if field is None:
        return None
    methods = {method_title(learned.name): method_field(run.key, learned.name), **_single_methods(run, fusion)}
    label, classes = label_path(run.dataset, field), list(run.config.classes)
    images = ImageSamples.whole(run.dataset).samples
    paths = [f"{path}.label" for path in methods.values()]
    labelled = images.match({label: {"$in": classes}})
    truth, *answers = labelled.values([label, *paths])
    number = {name: at for at, name in enumerate(classes)}
    columns = [np.array([number.get(name, -1) for name in column]) for column in (truth, *answers)]
    complete = np.all([column >= 0 for column in columns], axis=0)
    if not complete.any() or len(methods) < 2:
        return None
    correct = {title: (column == columns[0])[complete] for title, column in zip(methods, columns[1:], strict=True)}
    fused, *single = correct
    best = max(single, key=lambda title: int(correct[title].sum()))
    options: dict[str, Any] = {
        "run_key": run.key,
        "ground_truth": field,
        "excluded": {"without a label among the classes, or an answer of every run": len(images) - int(complete.sum())},
    }
    keys = dict.fromkeys(correct, "")  # no evaluations of FiftyOne's
    every = evaluation_of(columns[0][complete], correct, keys, **options)
    pair = {title: correct[title] for title in (best, fused)}
    return replace(every, pairs=evaluation_of(columns[0][complete], pair, keys, **options).pairs)


def _single_methods(run: RunRecord, fusion: FusionConfig) -> dict[str, str]:
    """Returns title to field of the methods of the runs that were fused, as far as they are still there.

    Those of the first of them are the fused run's own.
    """
    sources = [(fusion.run_key, run.key, run.config)]
    there = [other for other in fusion.others if _is_there(run, other)]
    sources += [(other.run_key, other.run_key, read_config(run.dataset, other.run_key)) for other in there]
    found = {}
    for name, key, config in sources:
        for method in config.methods:
            field = method_field(key, method.name)
            if method.weighting != "learned" and method.name not in CONTROLS and run.dataset.has_field(field):
                found[f"{method_title(method.name)} of {name}"] = field
    return found


def _is_there(run: RunRecord, other: FusedRunConfig) -> bool:
    """Returns whether the run under a fused run's key has still its encoder and its classes."""
    with suppress(LgcaError):
        now = read_config(run.dataset, other.run_key)
        same_classes = set(now.classes) == set(run.config.classes)
        return same_classes and now.encoder_fingerprint == other.config.encoder_fingerprint
    return False
