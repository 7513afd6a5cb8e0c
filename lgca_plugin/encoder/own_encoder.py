"""Encoders of the user's own: checked and adapted once, so that the rest of the library sees an Encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from .base import Encoder
from .open_clip_encoder import OpenClipEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

ATTRIBUTES = ("name", "image_size", "mean", "std", "logit_scale", "dim")
METHODS = ("encode_images", "encode_texts")
OPTIONAL = {*Encoder.__annotations__, "fingerprint", "fitting_batch", "unknown_words"} - {*ATTRIBUTES, "warnings"}

UNIT_TOLERANCE = 1e-3
"""Vectors whose length differs from 1 by more are normalized."""


def as_encoder(model: object) -> Encoder:
    """Returns a user's object as an :class:`~lgca_plugin.Encoder`.

    Args:
        model: an encoder that this package loaded, or any object with the required members of ``Encoder``

    Returns:
        the object itself if this package made it, else an adapter that checks and converts what the object returns

    Raises:
        ConfigError: if required members are missing
    """
    if isinstance(model, OpenClipEncoder | OwnEncoder):
        return model
    missing = [name for name in (*ATTRIBUTES, *METHODS) if not hasattr(model, name)]
    if isinstance(model, Encoder):  # whose own methods raise NotImplementedError
        missing += [name for name in METHODS if getattr(type(model), name) is getattr(Encoder, name)]
    if missing:
        raise ConfigError(
            f"encoder must be a model name or have the members of Encoder; {type(model).__name__} lacks "
            f"{', '.join(missing)}"
        )
    return OwnEncoder(model)


class OwnEncoder(Encoder):
    """Adapter of a user's object with the required members of ``Encoder``, and any of the optional ones.

    Embeddings may be torch tensors of any type and device, arrays or lists; here they become float32 arrays of unit
    vectors.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        for name in (*ATTRIBUTES, *OPTIONAL):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))
        self.warnings = model.warnings if isinstance(model, Encoder) else ()

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds pixels; vectors without a length or with values that are not finite become NaN: these images fail.

        Raises:
            ConfigError: if there are not ``[n, dim]`` numbers
        """
        return self._unit_vectors(self._model.encode_images(pixels), "encode_images", len(pixels))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts; raises ConfigError if that is not ``[n, dim]`` finite numbers, or a vector is 0."""
        return self._checked(self._model.encode_texts(texts), "encode_texts", len(texts))

    def check(self) -> None:
        """Embeds two images of noise; raises ConfigError unless that is ``[2, dim]`` finite numbers and no 0 vector."""
        pixels = sample_pixels(self.image_size)
        if self.crops_on_device and self.device is not None:
            pixels = pixels.to(self.device)
        self._checked(self._model.encode_images(pixels), "encode_images", len(pixels))

    def _checked(self, received: Any, method: str, count: int) -> NDArray[np.float32]:
        vectors = self._unit_vectors(received, method, count)
        bad = ~np.isfinite(vectors).all(axis=1)
        if bad.any():
            what = f"{bad.sum()} vectors of length 0 or with values that are not finite"
            raise self._error(method, what, count)
        return vectors

    def _unit_vectors(self, received: Any, method: str, count: int) -> NDArray[np.float32]:
        try:
            if hasattr(received, "detach"):  # a torch tensor, of whatever type and device
                received = received.detach().float().cpu().numpy()
            vectors = np.asarray(received, dtype=np.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise self._error(method, f"{type(received).__name__} that is no array of numbers", count) from error
        if vectors.shape != (count, self.dim):
            raise self._error(method, f"an array of shape {list(vectors.shape)}", count)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
            off = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)
            return np.where(off, vectors / lengths, vectors).astype(np.float32) if off.any() else vectors

    def _error(self, method: str, received: str, count: int) -> ConfigError:
        return ConfigError(
            f"{method} of encoder {self.name!r} must return {count} unit vectors of {self.dim} numbers for {count} "
            f"inputs, got {received}"
        )


def sample_pixels(image_size: int) -> torch.Tensor:
    """Returns ``[2, 3, image_size, image_size]`` float32 pixels of noise, always the same."""
    import torch

    return torch.randn((2, 3, image_size, image_size), generator=torch.Generator().manual_seed(0))
