"""From one decoded image to the pixels that an encoder takes: crop, resize, normalize."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray

    from .encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How an encoder wants its images; taken from the encoder, never from constants.

    Attributes:
        size: side of the square input in pixels
        mean: per-channel mean of the normalization, for values in [0, 1]
        std: per-channel standard deviation of the normalization
        interpolation: ``"bicubic"`` or ``"bilinear"``
        resize_mode: open_clip's ``"shortest"``, ``"longest"`` or ``"squash"``; matters for the whole image only, since
            regions are square
        fill_color: value of the padding that ``"longest"`` adds
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0

    @classmethod
    def of(cls, encoder: Encoder) -> Preprocessing:
        """Reads an encoder's preprocessing; what the protocol does not ask for defaults to CLIP's."""
        return cls(
            size=encoder.image_size,
            mean=tuple(encoder.mean),
            std=tuple(encoder.std),
            interpolation=getattr(encoder, "interpolation", "bicubic"),
            resize_mode=getattr(encoder, "resize_mode", "shortest"),
            fill_color=getattr(encoder, "fill_color", 0),
        )


def resize_whole(image: NDArray[np.uint8], preprocessing: Preprocessing) -> torch.Tensor:
    """Resizes a whole image as open_clip's own transform for the encoder does.

    Args:
        image: ``[H, W, 3]`` uint8
        preprocessing: the encoder's

    Returns:
        ``[3, size, size]`` uint8 tensor
    """
    import torch
    from PIL import Image

    resized = _whole_transform(preprocessing)(Image.fromarray(image))
    return (resized * 255).round().to(torch.uint8)


def crop_and_resize(image: NDArray[np.uint8], boxes: NDArray[np.int64], preprocessing: Preprocessing) -> torch.Tensor:
    """Cuts square boxes out of an image and resizes them, antialiased, to the encoder's input size.

    Agrees with Pillow's resize of the same crop to one of 255 levels (the transform that open_clip applies to a square
    image), and is several times as fast.

    Args:
        image: ``[H, W, 3]`` uint8
        boxes: ``[n, 4]`` absolute pixels, ``(left, top, width, height)``, square and inside the image
        preprocessing: the encoder's

    Returns:
        ``[n, 3, size, size]`` uint8 tensor
    """
    import torch
    from torch.nn.functional import interpolate

    size = preprocessing.size
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    crops = torch.empty((len(boxes), 3, size, size), dtype=torch.uint8)
    for index, (left, top, width, height) in enumerate(boxes.tolist()):
        crops[index] = interpolate(
            pixels[:, :, top : top + height, left : left + width],
            size=(size, size),
            mode=preprocessing.interpolation,
            antialias=True,
            align_corners=False,
        )[0]
    return crops


def normalize_pixels(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Scales uint8 pixels to [0, 1] and normalizes them, ``[n, 3, size, size]`` to the same shape in float32."""
    mean = pixels.new_tensor(preprocessing.mean, dtype=_float32()).view(1, -1, 1, 1)
    std = pixels.new_tensor(preprocessing.std, dtype=_float32()).view(1, -1, 1, 1)
    return (pixels.to(_float32()) / 255 - mean) / std


def _float32() -> Any:
    import torch

    return torch.float32


@lru_cache(maxsize=8)
def _whole_transform(preprocessing: Preprocessing) -> Callable[..., torch.Tensor]:
    from open_clip.transform import image_transform

    transform: Callable[..., torch.Tensor] = image_transform(
        preprocessing.size,
        is_train=False,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        interpolation=preprocessing.interpolation,
        resize_mode=preprocessing.resize_mode,
        fill_color=preprocessing.fill_color,
    )
    return transform
