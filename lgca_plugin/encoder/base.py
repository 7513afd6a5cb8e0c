"""What the library needs of a model: the base class of all encoders."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..images.crops import EXACT, Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


class Encoder:
    """A model that embeds images and texts.

    An encoder of your own may derive from this class, or be any object with the members that have no default here:
    ``name``, ``image_size``, ``mean``, ``std``, ``logit_scale``, ``dim``, ``encode_images`` and ``encode_texts``.

    Attributes:
        name: name of the model in the run's record
        image_size: side of the square input in pixels
        mean: per-channel mean of the normalization, for values in [0, 1]
        std: per-channel standard deviation of the normalization
        logit_scale: factor on similarities before the softmax, about 100 for CLIP
        dim: length of an embedding
        interpolation: ``"bicubic"`` or ``"bilinear"``, for resizing images
        resize_mode: how an image becomes square, in open_clip's terms: ``"shortest"``, ``"longest"`` or ``"squash"``
        fill_color: value of the padding that ``"longest"`` adds
        resize: ``"exact"`` for crops that equal open_clip's to the last bit, or ``"fast"``
        precision: floating-point type of the towers, part of what stored embeddings are filed under
        device: where the model runs; None where that is unknown, which counts as the CPU
        concurrent: whether ``encode_images`` may be called from several threads at once
        crops_on_device: whether crops are cut on ``device``, so that ``encode_images`` is given pixels from there
        normalizes: whether the encoder is given uint8 pixels and normalizes them itself, on its device
        pads: whether a batch is filled up to the batch size, because embeddings depend on how many are in it
        source: name, and pretrained tag or path, under which ``load_encoder`` finds the model; None for one of your own
        context: number of tokens that the model reads of a text; None where that is unknown
        tokenizer: differs between tokenizers that read texts differently, unless ``fingerprint`` does; may be empty
        wider_precisions: what to take, the first before the others, if images overflow in a precision that was chosen
            automatically
        warnings: sentences for the run's warnings
    """

    name: str
    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    logit_scale: float
    dim: int

    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0
    resize: str = EXACT
    precision: str = "fp32"
    device: torch.device | str | None = None
    concurrent: bool = False
    crops_on_device: bool = False
    normalizes: bool = False
    pads: bool = False
    source: tuple[str, str | None] | None = None
    context: int | None = None
    tokenizer: str = ""
    wider_precisions: tuple[str, ...] = ()
    warnings: Sequence[str] = ()

    def encode_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Embeds ``[n, 3, image_size, image_size]`` normalized float32 pixels as ``[n, dim]`` unit vectors."""
        raise NotImplementedError

    def start_images(self, pixels: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
        """Starts to embed pixels; the function returned, for any thread, waits for the vectors and returns them."""
        vectors = self.encode_images(pixels)
        return lambda: vectors

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds texts as ``[n, dim]`` unit vectors."""
        raise NotImplementedError

    @cached_property
    def fingerprint(self) -> str | None:
        """Hash that differs between models whose embeddings differ; None: embeddings are not reused by other runs."""
        return None

    def fitting_batch(self, most: int) -> int:
        """Returns the number of crops, at most ``most``, that fit into the device's free memory."""
        return most

    def unknown_words(self, texts: Sequence[str]) -> list[str]:  # noqa: ARG002 (used by models that know)
        """Lists the words of texts that the model can't know; their vectors mean nothing."""
        return []

    def cut_texts(self, texts: Sequence[str]) -> list[str]:  # noqa: ARG002 (used by models that know)
        """Lists those of the texts that are too long for the model, which reads their beginning."""
        return []

    def check(self) -> None:
        """Raises a :class:`~lgca_plugin.ConfigError` if the encoder does not return what it should."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How images are prepared for the model."""
        return Preprocessing(
            size=self.image_size,
            mean=tuple(self.mean),
            std=tuple(self.std),
            interpolation=self.interpolation,
            resize_mode=self.resize_mode,
            fill_color=self.fill_color,
            exact=self.resize == EXACT,
        )


def encoder_fingerprint(encoder: Encoder) -> str:
    """Returns an encoder's fingerprint, or one made of its attributes where it has none."""
    return str(encoder.fingerprint or f"{encoder.name}/{encoder.dim}/{encoder.preprocessing!r}")


def device_kind(encoder: Encoder) -> str | None:
    """Returns the kind of device that an encoder's embeddings are of, such as ``"cuda"``.

    Returns:
        None if they are the same on every device but for float32's rounding: in half precision, and with fast crops,
        which some devices cut themselves, they are not
    """
    if encoder.precision == "fp32" and encoder.resize == EXACT and not encoder.crops_on_device:
        return None
    return str(encoder.device or "cpu").partition(":")[0]


def sample_pixels(image_size: int) -> torch.Tensor:
    """Returns ``[2, 3, image_size, image_size]`` float32 pixels of noise, always the same."""
    import torch

    return torch.randn((2, 3, image_size, image_size), generator=torch.Generator().manual_seed(0))
