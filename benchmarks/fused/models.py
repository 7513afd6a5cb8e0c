"""The encoders that are fused: the demo's own, and small ones that the package's training script trains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lgca_plugin.demo.checkpoint import WEIGHTS_FILE
from lgca_plugin.demo.train import TrainingConfig, train

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Trained:
    """An encoder to be trained; the demo's own has no training."""

    training: TrainingConfig | None = None


ENCODERS = {
    "resnet": Trained(),
    "vit": Trained(training=TrainingConfig(architecture="vit", seed=11)),
    "resnet-wide": Trained(training=TrainingConfig(architecture="resnet-wide", seed=12)),
    "useless": Trained(training=TrainingConfig(architecture="vit", seed=13, steps=12, scenes=768)),
}
"""Name to encoder: the demo's, two that are as good, and one that has learnt next to nothing."""

QUICK: dict[str, Any] = {"steps": 40, "scenes": 120, "validation": 0, "processes": 1}


def source_of(name: str, folder: Path, *, quick: bool = False) -> str:
    """Returns what ``lgca.load_encoder`` loads, trained into a folder of ``folder`` if it is not there.

    Args:
        name: one of :data:`ENCODERS`
        folder: of all models
        quick: whether the training is cut short, for a trial of the benchmark itself
    """
    config = ENCODERS[name].training
    if config is None:
        return "demo"
    own = folder / (f"{name}-quick" if quick else name)
    if not (own / WEIGHTS_FILE).exists():
        train(replace(config, **QUICK) if quick else config, own)
    return f"local-dir:{own.resolve()}"
