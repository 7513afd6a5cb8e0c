"""Crops cut and resized on the encoder's device: each image is copied there once, crops of many are resized together.

Pillow resizes a crop by two products with a matrix of filter weights, one along each side, each rounded to 8 bits. Here
both are batched matrix products over crops of any sizes, padded to the largest. In float32 the results equal Pillow's,
except where a sum lies between two levels: one value of twenty thousand with the bicubic filter, and a few of a
thousand with the bilinear one, whose sums are often halves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from .crops import resize_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from numpy.typing import NDArray
    from PIL import Image

    from .crops import Box, Preprocessing
    from .decoding import Picture

MIN_FILL = 0.7
"""Minimum share of the largest crop, along each side, of crops that are padded to it and resized together."""

MAX_BYTES = 256 * 1024**2
"""Maximum memory of crops that are resized together; a single crop may take more."""

_FRACTION = 2**22
"""Pillow's filter weights are whole multiples of 1 / 2**22."""


@dataclass(frozen=True)
class Window:
    """A part of an image in pixels, the size that it is resized to, and where the square of that begins that is cut."""

    left: int
    top: int
    width: int
    height: int
    to_width: int
    to_height: int
    first_column: int = 0
    first_row: int = 0


class DeviceCutter:
    """Cuts crops on a device; those that are resized together take at most ``max_bytes``."""

    def __init__(self, preprocessing: Preprocessing, device: torch.device, *, max_bytes: int = MAX_BYTES) -> None:
        self._preprocessing = preprocessing
        self._device = device
        self._max_bytes = max_bytes
        self._images: WeakKeyDictionary[Picture, torch.Tensor] = WeakKeyDictionary()

    def cut(self, crops: Sequence[tuple[Picture, Box | None]]) -> torch.Tensor:
        """Cuts n pictures, each by a box in the pixels of its file, or None for the whole image.

        Returns ``[n, 3, size, size]`` uint8, on the device.
        """
        import torch

        size = self._preprocessing.size
        pictures = list(dict.fromkeys(picture for picture, _ in crops))
        number = {picture: at for at, picture in enumerate(pictures)}
        windows = [window_of(picture, box, self._preprocessing) for picture, box in crops]
        inside = [at for at, window in enumerate(windows) if window is not None]
        pixels = torch.empty((len(crops), 3, size, size), dtype=torch.uint8, device=self._device)
        pixels[inside] = resize_windows(
            [self.load(picture) for picture in pictures],
            [number[crops[at][0]] for at in inside],
            [window for window in windows if window is not None],
            size,
            self._preprocessing.interpolation,
            max_bytes=self._max_bytes,
        )
        for at, window in enumerate(windows):
            if window is None:
                pixels[at] = resize_whole(crops[at][0].whole_image, self._preprocessing).to(self._device)
        return pixels

    def load(self, picture: Picture) -> torch.Tensor:
        """Starts to copy a picture to the device, if it is not there, in any thread; deleted with the picture."""
        pixels = self._images.get(picture)
        if pixels is None:
            pixels = self._images[picture] = to_device(picture.image, self._device)
        return pixels


def to_device(image: Image.Image, device: torch.device) -> torch.Tensor:
    """Copies an image's pixels to a device, ``[height, width, 3]`` uint8; to a GPU without waiting for the copy."""
    import torch

    pixels = torch.from_numpy(np.array(image))
    if device.type == "cuda":
        pixels = pixels.pin_memory()
    return pixels.to(device, non_blocking=True)


def window_of(picture: Picture, box: Box | None, preprocessing: Preprocessing) -> Window | None:
    """Returns the part of a picture that a crop shows, and how it is resized; None if Pillow has to pad the image.

    Args:
        picture: the picture
        box: ``(left, top, width, height)`` in the pixels of the file, square; None is the whole image
        preprocessing: the encoder's
    """
    size, (columns, rows) = preprocessing.size, picture.image.size
    edges = None
    if box is not None or picture.whole is not None:
        edges = picture.edges(np.array([box or picture.whole]))[0].tolist()
    left, top, right, bottom = edges or (0, 0, columns, rows)
    columns, rows = right - left, bottom - top
    if box is not None or preprocessing.resize_mode == "squash" or rows == columns:
        return Window(left, top, columns, rows, size, size)
    if preprocessing.resize_mode != "shortest":
        return None
    shorter = min(columns, rows)
    to_width, to_height = int(size * columns / shorter), int(size * rows / shorter)
    first_column, first_row = round((to_width - size) / 2), round((to_height - size) / 2)
    return Window(left, top, columns, rows, to_width, to_height, first_column, first_row)


def resize_windows(
    images: Sequence[torch.Tensor],
    owners: Sequence[int],
    windows: Sequence[Window],
    size: int,
    interpolation: str,
    *,
    max_bytes: int,
) -> torch.Tensor:
    """Resizes parts of images as Pillow does.

    Args:
        images: ``[height, width, 3]`` uint8, all on one device
        owners: number of the image of each window
        windows: n parts of them
        size: side of the squares
        interpolation: ``"bicubic"`` or ``"bilinear"``
        max_bytes: maximum memory of windows that are resized together

    Returns:
        ``[n, 3, size, size]`` uint8, on the device
    """
    import torch

    device = images[0].device if images else None
    resized = torch.empty((len(windows), 3, size, size), dtype=torch.uint8, device=device)
    if not windows:
        return resized
    flat = torch.cat([image.reshape(-1, 3) for image in images])
    first = np.cumsum([0, *(image.shape[0] * image.shape[1] for image in images)])
    for together in _alike(windows, size, max_bytes):
        place = np.array([[first[owners[at]], images[owners[at]].shape[1]] for at in together])
        chosen = [windows[at] for at in together]
        crops = _gathered(flat, place, chosen)
        x = [(window.width, window.to_width, window.first_column) for window in chosen]
        y = [(window.height, window.to_height, window.first_row) for window in chosen]
        crops = _levels(crops @ filter_weights(x, size, interpolation, device).transpose(1, 2)[:, None])
        resized[together] = _levels(filter_weights(y, size, interpolation, device)[:, None] @ crops).to(torch.uint8)
    return resized


def filter_weights(
    lengths: Sequence[tuple[int, int, int]], size: int, interpolation: str, device: torch.device | None = None
) -> torch.Tensor:
    """Computes Pillow's filter weights, rounded as Pillow rounds them.

    Args:
        lengths: n sides: length, length after resizing, and the first pixel after resizing that the result begins with
        size: number of pixels of the result
        interpolation: ``"bicubic"`` or ``"bilinear"``
        device: where the weights are computed

    Returns:
        ``[n, size, longest]`` float32, the weight of each pixel of a side in each pixel of the result; rows sum to 1,
        and are 0 beyond the length
    """
    import torch

    length, to_length, first = np.array(lengths, dtype=np.float64).T
    scale = length / to_length
    center = (first[:, None] + np.arange(size) + 0.5) * scale[:, None]
    # Whole pixels and fractions are kept apart: float32 holds both, but not their sum.
    whole = np.floor(center)
    rest, steps, ends = (
        torch.from_numpy(values.astype(np.float32)).to(device)
        for values in (whole + 0.5 - center, whole, length[:, None])
    )
    wider = torch.from_numpy(np.maximum(scale, 1.0).astype(np.float32)).to(device)[:, None, None]
    pixel = torch.arange(int(length.max()), dtype=torch.float32, device=device)
    away = ((pixel - steps[..., None] + rest[..., None]) / wider).abs()
    weights = (_bicubic(away) if interpolation == "bicubic" else (1 - away).clamp(min=0)) * (pixel < ends)[:, None]
    weights /= weights.sum(dim=-1, keepdim=True)
    return (weights * _FRACTION).round() / _FRACTION


def _bicubic(away: torch.Tensor) -> torch.Tensor:
    """Keys' cubic filter with a = -0.5, of distances of at least 0."""
    import torch

    near = (1.5 * away - 2.5) * away * away + 1
    far = ((-0.5 * away + 2.5) * away - 4) * away + 2
    return torch.where(away < 1, near, torch.where(away < 2, far, torch.zeros_like(away)))


def _levels(values: torch.Tensor) -> torch.Tensor:
    """Rounds to whole levels from 0 to 255, halves up."""
    return values.add_(0.5).floor_().clamp_(0, 255)


def _alike(windows: Sequence[Window], size: int, max_bytes: int) -> Iterator[list[int]]:
    """Groups windows of about the same size, so that padding and memory stay small."""
    together: list[int] = []
    for at in sorted(range(len(windows)), key=lambda at: (-windows[at].height, -windows[at].width)):
        if together:
            largest = [windows[one] for one in (*together, at)]
            height, width = max(one.height for one in largest), max(one.width for one in largest)
            nbytes = len(largest) * (24 * height * width + 16 * size * (height + width))
            alike = windows[at].height >= MIN_FILL * height and min(one.width for one in largest) >= MIN_FILL * width
            if not alike or nbytes > max_bytes:
                yield together
                together = []
        together.append(at)
    if together:
        yield together


def _gathered(flat: torch.Tensor, place: NDArray[np.int64], windows: Sequence[Window]) -> torch.Tensor:
    """Returns ``[n, 3, tallest, widest]`` float32 windows, padded by their last row and column.

    Args:
        flat: ``[pixels, 3]`` the pixels of all images
        place: ``[n, 2]`` position of a window's image among them, and the length of its rows
        windows: the windows
    """
    import torch

    top, left, height, width = np.array([(one.top, one.left, one.height, one.width) for one in windows]).T[..., None]
    row = top + np.minimum(np.arange(height.max()), height - 1)
    column = left + np.minimum(np.arange(width.max()), width - 1)
    starts = torch.from_numpy(place[:, :1] + row * place[:, 1:]).to(flat.device)
    columns = torch.from_numpy(column).to(flat.device)
    return flat[starts[:, :, None] + columns[:, None, :]].permute(0, 3, 1, 2).to(torch.float32)
