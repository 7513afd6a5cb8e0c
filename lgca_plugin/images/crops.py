"""From a decoded image to an encoder's input: crop, resize, normalize. On a GPU, ``device_crops`` does the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .memory import PIXELS
from .quiet import quiet_pillow

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray
    from PIL import Image


EXACT, FAST = "exact", "fast"

Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How images are prepared for an encoder.

    Attributes:
        size: side of the square input in pixels
        mean: per-channel mean of the normalization, for values in [0, 1]
        std: per-channel standard deviation of the normalization
        interpolation: ``"bicubic"`` or ``"bilinear"``
        resize_mode: open_clip's ``"shortest"``, ``"longest"`` or ``"squash"``; for the whole image only, since regions
            are square
        fill_color: value of the padding that ``"longest"`` adds
        exact: whether crops equal Pillow's to the last bit
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str = "bicubic"
    resize_mode: str = "shortest"
    fill_color: int = 0
    exact: bool = field(default=True, repr=False)


def resize_whole(image: Image.Image, preprocessing: Preprocessing) -> torch.Tensor:
    """Resizes a whole image; the result equals that of open_clip's own transform for the encoder to the last bit.

    Args:
        image: mode RGB
        preprocessing: the encoder's

    Returns:
        ``[3, size, size]`` uint8 tensor
    """
    import torch

    resized = _whole_transform(preprocessing)(image)
    return (resized * 255).round().to(torch.uint8)


def crop_and_resize(
    image: Image.Image, boxes: NDArray[np.int64], preprocessing: Preprocessing, *, reduction: int = 1
) -> torch.Tensor:
    """Cuts square boxes out of an image and resizes them to the encoder's input size.

    With exact preprocessing and an image of full size, crops equal to the last bit what open_clip's own transform makes
    of a square image. Otherwise torch resizes them, in a third of the time or less: one value of a thousand, of
    enlarged crops one of a hundred, differs by a level of 255, hardly any by two. Boxes are rounded to the pixels of a
    reduced image.

    Args:
        image: mode RGB
        boxes: ``[n, 4]`` absolute pixels of the image before it was reduced, ``(left, top, width, height)``, square and
            inside it
        preprocessing: the encoder's
        reduction: see :class:`~.decoding.Picture`

    Returns:
        ``[n, 3, size, size]`` uint8 tensor
    """
    if preprocessing.exact and reduction == 1:
        with (
            quiet_pillow(),
            PIXELS.reserve(4 * int(boxes[:, 2:].prod(axis=1).max(initial=0))),
        ):  # a copy of one crop at a time
            return _cut_exactly(image, boxes, preprocessing)
    edges = np.rint(np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]) / reduction).astype(np.int64)
    with PIXELS.reserve(6 * image.width * image.height):  # a copy of the image, and one of a crop
        return _cut_fast(image, edges, preprocessing)


def _cut_exactly(image: Image.Image, boxes: NDArray[np.int64], preprocessing: Preprocessing) -> torch.Tensor:
    import PIL.Image
    import torch

    size, resampling = preprocessing.size, PIL.Image.Resampling[preprocessing.interpolation.upper()]
    crops = np.empty((len(boxes), size, size, 3), dtype=np.uint8)
    for index, (left, top, width, height) in enumerate(boxes.tolist()):
        crop = image.crop((left, top, left + width, top + height))
        crops[index] = np.asarray(crop.resize((size, size), resampling))
    return torch.from_numpy(crops).permute(0, 3, 1, 2)


def _cut_fast(image: Image.Image, edges: NDArray[np.int64], preprocessing: Preprocessing) -> torch.Tensor:
    """Cuts ``[n, 4]`` edges, ``(left, top, right, bottom)``, out of an image."""
    import torch
    from torch.nn.functional import interpolate

    size = (preprocessing.size, preprocessing.size)
    if not len(edges):
        return torch.empty((0, 3, *size), dtype=torch.uint8)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]  # channels last, for torch's fast kernels
    crops = (pixels[:, :, top:bottom, left:right] for left, top, right, bottom in edges.tolist())
    mode = preprocessing.interpolation
    return torch.cat([interpolate(crop, size, mode=mode, align_corners=False, antialias=True) for crop in crops])


def normalize_pixels(pixels: torch.Tensor, preprocessing: Preprocessing) -> torch.Tensor:
    """Scales uint8 pixels to [0, 1] and normalizes them, ``[n, 3, size, size]`` to the same shape in float32."""
    import torch

    mean, std = _mean_and_std(preprocessing, pixels.device)
    if pixels.stride(1) != 1:
        return pixels.to(torch.float32).div_(255).sub_(mean.view(1, -1, 1, 1)).div_(std.view(1, -1, 1, 1))
    # With channels last, torch is faster if mean and deviation are repeated for a whole row.
    count, channels, height, width = pixels.shape
    rows = pixels.permute(0, 2, 3, 1).reshape(count * height, width * channels).to(torch.float32)
    rows.div_(255).sub_(mean.repeat(width)).div_(std.repeat(width))
    return rows.view(count, height, width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=16)
def _mean_and_std(preprocessing: Preprocessing, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns mean and deviation on a device: copied there once, since copying waits for all that the device does."""
    import torch

    mean, std = (torch.tensor(values, dtype=torch.float32) for values in (preprocessing.mean, preprocessing.std))
    return mean.to(device), std.to(device)


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
