"""The evidence on images of random embeddings, some of which have misleading crops."""

from __future__ import annotations

from typing import Any

import numpy as np

from lgca_plugin.method.core.methods import METHODS, Method
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.method_results import MethodResults
from tests.helpers.worlds.random_runs import World

CLASSES = ("tern", "gull", "duck", "heron")


def evidence_of(world: World, methods: dict[str, Method] = METHODS, dtype: Any = None) -> Evidence:
    """The evidence on a world's first image."""
    results = MethodResults.of_all(world.scoring(methods, CLASSES, dtype), world.images(0, dtype))
    boxes = np.tile([0.25, 0.25, 0.5, 0.5], (len(world.step), 1)) * np.linspace(0.5, 1, len(world.step))[:, None]
    explained = "lgca" if "lgca" in methods else "wca" if "wca" in methods else None
    return Evidence(sample_id="one", run_key="zs", boxes=boxes, explained=explained, verdicts=results)


def disagreeing() -> Evidence:
    """An image on which crops mislead WCA."""
    found = (evidence_of(World(seed)) for seed in range(400))
    return next(one for one in found if one.case is not None and one.misleading.sum() > 1)
