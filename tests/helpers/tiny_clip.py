"""An open_clip architecture of a few megabytes, with random weights, and independent embeddings by it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from . import reference

TINY = "lgca-test-tiny"
CONFIG: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def add_architecture(folder: Path, name: str, **changes: Any) -> None:
    """Registers an architecture with open_clip, in the way that open_clip offers for it."""
    import open_clip

    path = folder / f"{name}.json"
    path.write_text(json.dumps({**CONFIG, **changes}), encoding="utf-8")
    open_clip.add_model_config(path)


def random_model(seed: int = 0, **options: Any) -> Any:
    import open_clip
    import torch

    torch.manual_seed(seed)
    return open_clip.create_model(TINY, **options).eval()


def tokenizer() -> Any:
    import open_clip

    return open_clip.get_tokenizer(TINY)


def save(model: Any, path: Path) -> str:
    """Writes a checkpoint, in the format of the path's suffix."""
    import torch
    from safetensors.torch import save_file

    state = {key: value.clone().contiguous() for key, value in model.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return str(path)


def pixels(n: int, size: int = 32, seed: int = 0) -> Any:
    import torch

    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, 3, size, size)).astype(np.float32))


def expected_images(model: Any, batch: Any) -> np.ndarray:
    """Embeds images one by one and normalizes in double precision."""
    import torch

    with torch.inference_mode():
        return np.array([reference.unit(model.encode_image(one[None])[0].double().tolist()) for one in batch])
