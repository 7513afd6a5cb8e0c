"""The library's fusions as the benchmark learns them: in memory, from arrays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.fusion.answers import answer
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.training import fit
from lgca_plugin.fusion.weights import Fusion, FusionWeights
from lgca_plugin.method.fusion.nodes import EncoderClasses, EncoderNodes
from lgca_plugin.progress import drive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .baselines import Array
    from .pictures import Integers, Seen

SETTINGS = {
    "attention without graph": FusionSettings(graph=False),
    "HADA as published": FusionSettings(anchored=False),
    "HADA": FusionSettings(),
    "HADA without fused part": FusionSettings(fused_part=False),
}
AT_ONCE = 128
QUICK = {"steps": (0, 25), "folds": 2}
"""Settings of a trial of the benchmark itself."""


def nodes_of(seen: Sequence[Seen], rows: Integers) -> tuple[EncoderNodes, ...]:
    """Returns each encoder's nodes of some pictures."""
    return tuple(EncoderNodes(np.asarray(one.vectors[rows]), one.step[rows], one.chain[rows]) for one in seen)


def classes_of(seen: Sequence[Seen]) -> tuple[EncoderClasses, ...]:
    """Returns what each encoder scores nodes against."""
    return tuple(EncoderClasses(one.classes["lgca"], one.classes["clip"], one.logit_scale) for one in seen)


def learn(seen: Sequence[Seen], truth: Integers, rows: Integers, settings: FusionSettings) -> Fusion:
    """Fits a fusion to some pictures, whose sample ids are their rows.

    Args:
        seen: what each encoder sees
        truth: ``[n]`` labels of all pictures
        rows: the labelled ones
        settings: of the fusion

    Returns:
        the fusion
    """

    def read(ids: Sequence[str]) -> Iterator[tuple[list[str], tuple[EncoderNodes, ...]]]:
        for start in range(0, len(ids), AT_ONCE):
            some = list(ids[start : start + AT_ONCE])
            yield some, nodes_of(seen, np.array(some, np.int64))

    steps = fit(read, {str(row): int(truth[row]) for row in rows}, classes_of(seen), settings)
    return drive(steps, False, unit="steps")


def untrained(seen: Sequence[Seen], rows: Integers) -> Array:
    """Returns ``[b, C]`` logits of some pictures before anything is learnt."""
    classes = classes_of(seen)
    dims, count = [own.vectors.shape[1] for own in classes], len(classes[0].vectors)
    return logits_of(Fusion(final=FusionWeights.untrained(dims, count)), seen, rows)


def logits_of(fusion: Fusion, seen: Sequence[Seen], rows: Integers) -> Array:
    """Returns ``[b, C]`` logits of some pictures, each by the weights that were not trained on it."""
    classes = classes_of(seen)
    fold_of = np.array([fusion.fold_of.get(str(row), -1) for row in rows])
    found = np.empty((len(rows), len(classes[0].vectors)))
    for fold in np.unique(fold_of):
        weights = fusion.final if fold < 0 else fusion.by_fold[fold]
        own = np.flatnonzero(fold_of == fold)
        for start in range(0, len(own), AT_ONCE):
            some = own[start : start + AT_ONCE]
            found[some] = answer(weights, nodes_of(seen, rows[some]), classes).logits
    return found


def learner(
    seen: Sequence[Seen], settings: FusionSettings, test: Integers, **changes: Any
) -> Callable[[Integers, Integers, int], Array]:
    """Returns a function of all labels, the labelled rows and a seed that returns the logits of the test pictures.

    ``changes`` are settings that replace those given.
    """

    def run(truth: Integers, rows: Integers, seed: int) -> Array:
        return logits_of(learn(seen, truth, rows, replace(settings, seed=seed, **changes)), seen, test)

    return run
