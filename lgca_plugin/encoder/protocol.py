"""TODO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from ..images.crops import EXACT, Preprocessing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray


class TextEncoder(Protocol):
    """What scoring needs of a model; every :class:`Encoder` is one."""

    @property
    def logit_scale(self) -> float:
        """Factor on similarities before the softmax."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` unit vectors."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """What the engine needs of a model. Any object with these members will do.

    Two optional attributes, ``interpolation`` and ``resize_mode``, tell how images are resized (open_clip's terms;
    bicubic and shortest by default), an optional ``fingerprint`` tells two encoders of one name apart, an optional
    ``concurrent`` that is true allows calls of ``encode_images`` from several threads at once, an optional
    ``crops_on_device`` that is true has the crops cut on the encoder's ``device``, so that pixels come from there, and
    an optional method ``fitting_batch(most)`` says how many crops fit into its memory at once.

    Attributes:
        name: what the run's record calls the model
        image_size: side of the square input in pixels
        mean: per-channel mean of the normalization, for values in [0, 1]
        std: per-channel standard deviation of the normalization
        logit_scale: factor on similarities before the softmax, about 100 for CLIP
        dim: length of an embedding
    """

    name: str
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    logit_scale: float
    dim: int

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds ``[n, 3, image_size, image_size]`` normalized float32 pixels as ``[n, dim]`` unit vectors."""
        ...

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` unit vectors."""
        ...


def preprocessing_of(encoder: Encoder) -> Preprocessing:
    """Reads an encoder's preprocessing; what the protocol does not ask for defaults to CLIP's."""
    return Preprocessing(
        size=encoder.image_size,
        mean=tuple(encoder.mean),
        std=tuple(encoder.std),
        interpolation=getattr(encoder, "interpolation", "bicubic"),
        resize_mode=getattr(encoder, "resize_mode", "shortest"),
        fill_color=getattr(encoder, "fill_color", 0),
        exact=getattr(encoder, "resize", EXACT) == EXACT,
    )
