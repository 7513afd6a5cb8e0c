"""Crops cut and resized on the encoder's device: each image is copied there once, crops of many are resized together.

Pillow resizes a crop by two products with a matrix of filter weights, one along each side, each rounded to 8 bits. Here
both are batched matrix products over crops of any sizes, padded to the largest, whose sums are exact, see
:mod:`~.filters`. So results equal Pillow's, except where float32 rounds a weight to the next multiple; and a crop is
the same whatever it is cut together with. Nothing here waits for the device: what it needs is copied there from pinned
memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from .crops import resize_whole
from .filters import filters_of, halves_of, levels_of, sides_of
from .products import exact_products

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import torch
    from PIL import Image

    from .crops import Box, Preprocessing
    from .decoding import Picture

MIN_FILL = 0.7
"""Minimum share of the largest crop, along each side, of crops that are padded to it and resized together."""

MAX_BYTES = 512 * 1024**2
"""Maximum memory of crops that are resized together; a single crop may take more."""


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

    def cut(self, crops: Sequence[tuple[Picture, Box | None]], rows: int = 0) -> torch.Tensor:
        """Cuts n pictures, each by a box in the pixels of its file, or None for the whole image.

        Returns ``[n, 3, size, size]`` uint8, on the device; of fewer than ``rows``, the first is repeated at the end.
        """
        import torch

        size, many = self._preprocessing.size, [picture for picture, _ in crops]
        number = {picture: at for at, picture in enumerate(dict.fromkeys(many))}
        windows = [window_of(picture, box, self._preprocessing) for picture, box in crops]
        inside = [at for at, window in enumerate(windows) if window is not None]
        pixels, order = resize_windows(
            [self.load(picture) for picture in number],
            [number[many[at]] for at in inside],
            [window for window in windows if window is not None],
            size,
            self._preprocessing.interpolation,
            device=self._device,
            max_bytes=self._max_bytes,
        )
        made = [inside[at] for at in order]
        padded = [at for at, window in enumerate(windows) if window is None]
        if padded:
            whole = [resize_whole(many[at].whole_image, self._preprocessing) for at in padded]
            pixels, made = torch.cat([pixels, upload(torch.stack(whole), self._device)]), made + padded
        place = np.zeros(max(rows, len(made)), np.int64)
        place[made] = np.arange(len(made))
        place[len(made) :] = place[:1]
        return pixels[upload(torch.from_numpy(place), self._device)]

    def load(self, picture: Picture) -> torch.Tensor:
        """Starts to copy a picture to the device, if it is not there, in any thread; deleted with the picture."""
        pixels = self._images.get(picture)
        if pixels is None:
            pixels = self._images[picture] = to_device(picture.image, self._device)
        return pixels


def to_device(image: Image.Image, device: torch.device) -> torch.Tensor:
    """Copies an image's pixels to a device, ``[height, width, 3]`` uint8."""
    import torch

    return upload(torch.from_numpy(np.array(image)), device)


def upload(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copies a tensor to a device; to a GPU without waiting for what it is doing, which takes pinned memory."""
    if device.type == "cuda":
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def window_of(picture: Picture, box: Box | None, preprocessing: Preprocessing) -> Window | None:
    """Returns the part of a picture that a crop shows, and how it is resized; None if Pillow has to pad the image.

    Args:
        picture: the picture
        box: ``(left, top, width, height)`` in the pixels of the file, square; None is the whole image
        preprocessing: the encoder's
    """
    size, (columns, rows), left, top = preprocessing.size, picture.image.size, 0, 0
    part = box if box is not None else picture.whole
    if part is not None:  # as Picture.edges has it, without arrays: there are hundreds in a batch
        near, apart = (part[0] - picture.origin[0], part[1] - picture.origin[1]), picture.reduction
        left, top = round(near[0] / apart), round(near[1] / apart)
        columns, rows = round((near[0] + part[2]) / apart) - left, round((near[1] + part[3]) / apart) - top
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
    device: torch.device,
    max_bytes: int,
) -> tuple[torch.Tensor, list[int]]:
    """Resizes parts of images as Pillow does.

    Args:
        images: ``[height, width, 3]`` uint8, all on the device
        owners: number of the image of each window
        windows: n parts of them
        size: side of the squares
        interpolation: ``"bicubic"`` or ``"bilinear"``
        device: where they are
        max_bytes: maximum memory of windows that are resized together

    Returns:
        ``[n, 3, size, size]`` uint8, on the device, and the numbers of the windows in the order of these rows
    """
    import torch

    if not windows:
        return torch.empty((0, 3, size, size), dtype=torch.uint8, device=device), []
    groups = list(_alike(windows, size, max_bytes))
    order = [at for together in groups for at in together]
    chosen = [windows[at] for at in order]
    flat = torch.cat([image.reshape(-1, 3) for image in images])
    first = np.cumsum([0, *(image.shape[0] * image.shape[1] for image in images)]).tolist()
    widths = [image.shape[1] for image in images]
    starts = [
        (first[owners[at]] + one.top * widths[owners[at]] + one.left, widths[owners[at]], one.height, one.width)
        for at, one in zip(order, chosen, strict=True)
    ]
    places = upload(torch.tensor(starts), device)
    x = sides_of([(one.width, one.to_width, one.first_column) for one in chosen], size)
    y = sides_of([(one.height, one.to_height, one.first_row) for one in chosen], size)
    sides = upload(torch.stack([x, y]), device)
    resized = torch.empty((len(windows), size, 3, size), dtype=torch.uint8, device=device)
    begin = 0
    with torch.inference_mode(), exact_products(device.type, tf32=True):
        for together in groups:
            part = slice(begin, begin + len(together))
            begin = part.stop
            tallest, widest = (max(getattr(windows[at], side) for at in together) for side in ("height", "width"))
            resized[part] = _resized(flat, places[part], sides[:, part], (tallest, widest), size, interpolation)
    return resized.permute(0, 2, 1, 3), order


def _resized(
    flat: torch.Tensor,
    places: torch.Tensor,
    sides: torch.Tensor,
    largest: tuple[int, int],
    size: int,
    interpolation: str,
) -> torch.Tensor:
    """Returns ``[n, size, 3, size]`` levels of n windows, of which the largest sides are ``(tallest, widest)``."""
    import torch

    count, (tallest, widest) = len(places), largest
    halves = halves_of(filters_of(sides.flatten(0, 1), max(largest), size, interpolation))
    across, down = halves[:count, :, :widest], halves[count:, :, :tallest]
    narrow = levels_of(torch.bmm(_gathered(flat, places, tallest, widest), across.transpose(1, 2)), 2, size)
    small = levels_of(torch.bmm(down, narrow.view(count, tallest, 3 * size)), 1, size)
    return small.view(count, size, 3, size)


def _alike(windows: Sequence[Window], size: int, max_bytes: int) -> Iterator[list[int]]:
    """Groups windows of about the same size, so that padding and memory stay small."""
    together: list[int] = []
    height = widest = narrowest = 0
    for at in sorted(range(len(windows)), key=lambda at: (-windows[at].height, -windows[at].width)):
        one = windows[at]
        if together:
            wide, narrow = max(widest, one.width), min(narrowest, one.width)
            alike = one.height >= MIN_FILL * height and narrow >= MIN_FILL * wide
            if not alike or (len(together) + 1) * _window_bytes(height, wide, size) > max_bytes:
                yield together
                together = []
        if not together:
            height, widest, narrowest = one.height, one.width, one.width
        widest, narrowest = max(widest, one.width), min(narrowest, one.width)
        together.append(at)
    if together:
        yield together


def _window_bytes(height: int, width: int, size: int) -> int:
    """Returns the memory that resizing a window takes: its pixels, and their places, or then filters and products."""
    return 12 * height * width + max(12 * height * width, size * (60 * height + 20 * width))


def _gathered(flat: torch.Tensor, places: torch.Tensor, tallest: int, widest: int) -> torch.Tensor:
    """Returns ``[n, 3 * tallest, widest]`` float32: the channels of each row of n windows.

    Windows are padded by their last row and column.

    Args:
        flat: ``[pixels, 3]`` the pixels of all images
        places: ``[n, 4]`` of each window, the first pixel among them, pixels from row to row, height and width
        tallest: height of the tallest window
        widest: width of the widest one
    """
    import torch

    start, stride, height, width = places[..., None].unbind(dim=1)
    rows = start + torch.minimum(torch.arange(tallest, device=flat.device), height - 1) * stride
    columns = torch.minimum(torch.arange(widest, device=flat.device), width - 1)
    pixels = flat[rows[:, :, None] + columns[:, None, :]].permute(0, 1, 3, 2)
    contiguous = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    return contiguous.view(len(places), 3 * tallest, widest)
