"""Encoders of the user's own: checked and adapted once, so that the rest of the library sees an Encoder."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, shown
from ..images.crops import EXACT, FAST
from .base import Encoder, sample_pixels
from .open_clip_encoder import OpenClipEncoder
from .unit_vectors import directionless, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

ATTRIBUTES = ("name", "image_size", "mean", "std", "logit_scale", "dim")
_OPTIONAL_METHODS = ("fitting_batch", "unknown_words", "cut_texts")
METHODS = ("encode_images", "encode_texts")
OPTIONAL = {*Encoder.__annotations__, *_OPTIONAL_METHODS, "fingerprint"} - {*ATTRIBUTES, "warnings"}


def as_encoder(model: object) -> Encoder:
    """Returns a user's object as an :class:`~lgca_plugin.Encoder`.

    Args:
        model: an encoder that this package loaded, or any object with the required members of ``Encoder``

    Returns:
        the object itself if this package made it, else an adapter that checks and converts what the object returns

    Raises:
        ConfigError: if required members are missing, or a member is not what it should be
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
        if hasattr(self.logit_scale, "detach"):  # a parameter of a torch model
            self.logit_scale = self.logit_scale.detach()
        self.warnings = model.warnings if isinstance(model, Encoder) else ()
        self._check_members()
        self.logit_scale = float(self.logit_scale)

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds pixels; vectors without a length or with values that are not finite become NaN: these images fail.

        Raises:
            ConfigError: if there are not ``[n, dim]`` numbers
        """
        return self._unit_vectors(self._model.encode_images(pixels), "encode_images", len(pixels))

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts; raises ConfigError if that is not ``[n, dim]`` finite numbers, or a vector is 0."""
        return self._checked(self._model.encode_texts(list(texts)), "encode_texts", len(texts))

    def check(self) -> None:
        """Embeds two images of noise; raises ConfigError unless that is ``[2, dim]`` finite numbers and no 0 vector."""
        pixels = sample_pixels(self.image_size)
        if self.crops_on_device and self.device is not None:
            pixels = pixels.to(self.device)
        self._checked(self._model.encode_images(pixels), "encode_images", len(pixels))

    def _check_members(self) -> None:
        """Raises ConfigError for the first member that is not what :class:`Encoder` documents."""
        for name, (expected, is_right) in _MEMBERS.items():
            value = getattr(self, name)
            try:
                right = is_right(value)
            except (TypeError, ValueError, RuntimeError, OverflowError):
                right = False
            if not right:
                raise ConfigError(f"{name} of encoder {self.name!r} must be {expected}, got {shown(value)}")

    def _checked(self, received: Any, method: str, count: int) -> NDArray[np.float32]:
        vectors = self._unit_vectors(received, method, count)
        bad = directionless(vectors)
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
        return unit_vectors(vectors)

    def _error(self, method: str, received: str, count: int) -> ConfigError:
        return ConfigError(
            f"{method} of encoder {self.name!r} must return {count} unit vectors of {self.dim} numbers for {count} "
            f"inputs, got {received}"
        )


def _is_count(value: Any) -> bool:
    return not isinstance(value, bool) and operator.index(value) >= 1


def _are_channels(value: Any) -> bool:
    return len(value) == 3 and all(math.isfinite(one) for one in value)


_MEMBERS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "name": ("a text", lambda value: isinstance(value, str) and bool(value.strip())),
    "image_size": ("a whole number of pixels, the side of a square", _is_count),
    "mean": ("three finite numbers, one a channel", _are_channels),
    "std": ("three numbers above 0, one a channel", lambda value: _are_channels(value) and min(value) > 0),
    "logit_scale": ("a finite number above 0", lambda value: math.isfinite(value) and float(value) > 0),
    "dim": ("a whole number, the length of an embedding", _is_count),
    "interpolation": ("'bicubic' or 'bilinear'", lambda value: value in ("bicubic", "bilinear")),
    "resize_mode": ("'shortest', 'longest' or 'squash'", lambda value: value in ("shortest", "longest", "squash")),
    "resize": ("'exact' or 'fast'", lambda value: value in (EXACT, FAST)),
}
"""Member to what it must be, in words, and the check."""
