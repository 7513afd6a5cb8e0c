"""Wrong labels among those that a fusion is trained on: how well its answers, out of fold, find them.

A tenth of 1,000 of the pool's labels are made wrong, each to another class at random. Every sample is answered by the
weights of the fold that had not seen it; a label's quality is what a triage makes of these answers
(:func:`lgca_plugin.method.labels.label_errors.find_label_errors`), from the same labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.method.labels.label_errors import find_label_errors

from .baselines import mean_probabilities
from .learners import SETTINGS, learn, logits_of
from .pictures import STRONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lgca_plugin.fusion.settings import Loss

    from .baselines import Array, Single
    from .pictures import Integers, Seen

    Flags = NDArray[np.bool_]

WRONG = 0.1
"""Share of the labels that are made wrong."""
AMONG = 1000
"""Number of labels."""
LOSSES: tuple[Loss, ...] = ("cross_entropy", "generalized")


def planted(truth: Integers, classes: int, seed: int) -> Integers:
    """Returns ``[n]`` labels, a tenth of them wrong."""
    rng = np.random.default_rng((seed, 10))
    given = truth.copy()
    chosen = rng.choice(len(truth), round(WRONG * len(truth)), replace=False)
    given[chosen] = (truth[chosen] + rng.integers(1, classes, len(chosen))) % classes
    return given


def auroc(quality: Array, wrong: Flags) -> float:
    """Returns the probability that a wrong label has a lower quality than a right one."""
    from scipy.stats import rankdata

    ranks = rankdata(-quality)
    n, m = int(wrong.sum()), int((~wrong).sum())
    return float((ranks[wrong].sum() - n * (n + 1) / 2) / (n * m))


def precision(quality: Array, wrong: Flags) -> float:
    """Returns the share of wrong labels among as many of the lowest quality as are wrong."""
    worst = np.argsort(quality, kind="stable")[: wrong.sum()]
    return float(wrong[worst].mean())


def qualities(
    singles: Sequence[Single], seen: Sequence[Seen], given: Integers, seed: int, **changes: Any
) -> dict[str, Array]:
    """Returns the quality of each label by several triages.

    Args:
        singles: of each encoder, all pictures
        seen: of each encoder, all pictures
        given: ``[n]`` the labels of the first n pictures
        seed: of the fusion
        changes: other settings of the fusion

    Returns:
        name to ``[n]``
    """
    n = len(given)
    own = [{method: logits[:n] for method, logits in one.logits.items()} for one in singles]
    found: dict[str, Array] = {}
    for one, logits in zip(singles, own, strict=True):
        found[f"{one.name}, triage of its methods"] = _quality(logits, given)
        found[f"{one.name} {STRONGEST}"] = _quality({STRONGEST: logits[STRONGEST]}, given)
    found["mean of probabilities"] = _quality({"mean": mean_probabilities(singles)[:n]}, given)
    for loss in LOSSES:
        settings = replace(SETTINGS["HADA"], loss=loss, seed=seed, **changes)
        fused = logits_of(learn(seen, given, np.arange(n), settings), seen, np.arange(n))
        name = "HADA" if loss == LOSSES[0] else f"HADA, {loss} loss"
        found[name] = _quality({"hada": fused}, given)
        found[f"{name}, with the first run's methods"] = _quality({**own[0], "hada": fused}, given)
    return found


def _quality(logits: Mapping[str, Array], given: Integers) -> Array:
    copies = {name: np.ascontiguousarray(own, np.float32) for name, own in logits.items()}
    suppliers = {name: (lambda own=own: own) for name, own in copies.items()}
    return find_label_errors(suppliers, given, classes=next(iter(copies.values())).shape[1]).quality


def lines(
    singles: Sequence[Single],
    seen: Sequence[Seen],
    truth: Integers,
    seeds: Sequence[int],
    head: Mapping[str, Any],
    **changes: Any,
) -> list[dict[str, Any]]:
    """Returns a result for each way to rank labels, JSON-ready: one value a seed.

    Args:
        singles: of each encoder
        seen: of each encoder
        truth: ``[n]`` classes of the first n pictures
        seeds: of the wrong labels and of the fusions
        head: put before each line
        changes: other settings of the fusion
    """
    measured: dict[str, dict[str, list[float]]] = {}
    classes = singles[0].logits["clip"].shape[1]
    for seed in seeds:
        given = planted(truth, classes, seed)
        wrong = given != truth
        for name, quality in qualities(singles, seen, given, seed, **changes).items():
            own = measured.setdefault(name, {"auroc": [], "precision": []})
            own["auroc"].append(round(auroc(quality, wrong), 4))
            own["precision"].append(round(precision(quality, wrong), 4))
    return [{**head, "labels": len(truth), "wrong": WRONG, "ranked_by": name, **own} for name, own in measured.items()]
