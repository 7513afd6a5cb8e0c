"""Two encoders that look at the same drawn birds: the demo's, and one whose weights differ from it by noise."""

from __future__ import annotations

from typing import Any

import lgca_plugin as lgca
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from tests.helpers.worlds.birds import classify_birds

REGIONS = lgca.RegionConfig(crops=8)


def noisy_encoder(noise: float = 0.08, seed: int = 1) -> OpenClipEncoder:
    """The demo's model with noise on the weights of its images, a share of their own deviation; its texts are equal."""
    import torch

    model, tokenizer, vocabulary = load_demo()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.visual.parameters():
            if parameter.dim() > 1:
                parameter.add_(noise * parameter.std() * torch.randn(parameter.shape, generator=generator))
    return OpenClipEncoder(model, tokenizer, name=f"noisy-{noise:g}", vocabulary=vocabulary, device="cpu")


def two_runs(dataset: Any, encoder: Any, other: Any, **options: Any) -> tuple[Any, Any]:
    """Runs ``one`` and ``two`` of two encoders on the birds of a dataset."""
    settings = {"regions": REGIONS, "ground_truth": "ground_truth", **options}
    first = classify_birds(dataset, encoder, run_key="one", **settings)
    return first, classify_birds(dataset, other, run_key="two", **settings)
