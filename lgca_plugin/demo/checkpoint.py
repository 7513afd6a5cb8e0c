"""Writes the demo model's folder, laid out as an open_clip hub repository, in half precision and deflated."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .tiny_clip import ARCHITECTURES, DEFAULT_ARCHITECTURE, IMAGE_SIZE, MEAN, STD, VOCABULARY_ROWS

if TYPE_CHECKING:
    import torch

MODEL_DIR: Final = Path(__file__).parent / "model"
"""The folder of the model that ships with the package."""

CONFIG_FILE: Final = "open_clip_config.json"
WEIGHTS_FILE: Final = "open_clip_pytorch_model.bin"
VOCABULARY_FILE: Final = "vocabulary.json"


def full_state(state: dict[str, torch.Tensor], tokens: torch.Tensor) -> dict[str, torch.Tensor]:
    """Puts the trained token rows in their places among all of open_clip's and rounds to half precision.

    Args:
        state: the weights of a model whose token table has one row for each used token
        tokens: ``[n]`` open_clip's ids of these tokens

    Returns:
        the weights of a model with open_clip's token table; rows of unused tokens are zero
    """
    import torch

    rows = state["token_embedding.weight"]
    table = torch.zeros(VOCABULARY_ROWS, rows.shape[1])
    table[tokens] = rows
    full = {**state, "token_embedding.weight": table}
    return {name: (value.half() if value.is_floating_point() else value).contiguous() for name, value in full.items()}


def save_model(
    directory: str | Path,
    state: dict[str, torch.Tensor],
    vocabulary: list[str],
    architecture: str = DEFAULT_ARCHITECTURE,
) -> None:
    """Writes config, weights and vocabulary; equal weights give equal bytes.

    Args:
        directory: the folder, made if it is missing
        state: as :func:`full_state` returns it
        vocabulary: the words that the model was trained on
        architecture: the model's, one of :data:`lgca_plugin.demo.tiny_clip.ARCHITECTURES`
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    preprocessing = {
        "size": IMAGE_SIZE,
        "mean": list(MEAN),
        "std": list(STD),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    config = {"model_cfg": ARCHITECTURES[architecture], "preprocess_cfg": preprocessing}
    (directory / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (directory / VOCABULARY_FILE).write_text(json.dumps(vocabulary, indent=0) + "\n", encoding="utf-8")
    (directory / WEIGHTS_FILE).write_bytes(_deflated(state))


def _deflated(state: dict[str, torch.Tensor]) -> bytes:
    """Serializes the weights as ``torch.save`` does, then compresses the archive, which ``torch.load`` reads too."""
    import torch

    plain, packed = io.BytesIO(), io.BytesIO()
    torch.save(state, plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target,
    ):
        for entry in source.infolist():
            # A fixed date, so that equal weights give equal bytes.
            info = zipfile.ZipInfo(entry.filename, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, source.read(entry.filename))
    return packed.getvalue()
