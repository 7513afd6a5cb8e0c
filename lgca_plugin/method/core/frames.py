"""Where the regions of an image lie: in the whole image, or in and around one box of it.

A box of an image is an image of its own to all that follows. Its content hash is that of the file's bytes, followed by
the box, so that what is stored is found again by file and box, and a box that was moved is another image. Sizes and
boxes of regions stay in pixels of the file's image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    RelativeBox = tuple[float, float, float, float]

CONTEXT = 0.25
"""How far regions may grow beyond a box, as a share of its longer side: far enough to meet what is around an object."""

_BOXED = re.compile(r"(?P<file>[0-9a-f]{32})01(?P<box>[0-9a-f]{32})")
"""The byte between the two numbers the rules by which a frame follows from a box."""


class Frame(NamedTuple):
    """Where the regions of one image lie; boxes are ``(left, top, width, height)`` in pixels of the file's image.

    Attributes:
        inner: regions are sampled inside it
        outer: grown regions stay inside it
        whole: what counts as the whole image
    """

    inner: tuple[int, int, int, int]
    outer: tuple[int, int, int, int]
    whole: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Frames:
    """The same of b images, as ``[b, 4]`` int64 arrays."""

    inner: NDArray[np.int64]
    outer: NDArray[np.int64]
    whole: NDArray[np.int64]

    @property
    def shorter(self) -> NDArray[np.int64]:
        """``[b]`` shorter sides of the outer boxes, of which the sides of regions are shares."""
        shorter: NDArray[np.int64] = self.outer[:, 2:].min(axis=1)
        return shorter


def boxed_hash(content_hash: str, box: RelativeBox) -> str:
    """Returns the content hash of a box in an image.

    Args:
        content_hash: hash of the image file's bytes
        box: ``(x, y, width, height)`` as shares of the image's width and height
    """
    return f"{content_hash}01{np.array(box, dtype='<f4').tobytes().hex()}"


def file_hash(content_hash: str) -> str:
    """Returns the hash of the file's bytes, also of a box in it."""
    found = _BOXED.fullmatch(content_hash)
    return found["file"] if found else content_hash


def box_of(content_hash: str) -> RelativeBox | None:
    """Returns the box that a content hash is of; None for a whole image."""
    found = _BOXED.fullmatch(content_hash)
    if not found:
        return None
    x, y, width, height = np.frombuffer(bytes.fromhex(found["box"]), "<f4").tolist()
    return x, y, width, height


def frame_of(content_hash: str, image_size_hw: tuple[int, int]) -> Frame:
    """Returns where the regions of one image lie; see :func:`frames_of`."""
    if box_of(content_hash) is None:
        everything = (0, 0, image_size_hw[1], image_size_hw[0])
        return Frame(everything, everything, everything)
    frames = frames_of([content_hash], np.array([image_size_hw], dtype=np.int64))
    return Frame(*(_four(boxes[0]) for boxes in (frames.inner, frames.outer, frames.whole)))


def frames_of(content_hashes: Sequence[str], image_sizes_hw: NDArray[np.int64]) -> Frames:
    """Returns where the regions of several images lie.

    Of a whole image, all three are the image. Of a box, the inner one is the box itself; the outer one has so many
    pixels more on each side as :data:`CONTEXT` says, and the whole one is the square around the box, both as far as the
    image reaches. A square loses nothing where an encoder crops its input to one.

    Args:
        content_hashes: of b images
        image_sizes_hw: ``[b, 2]`` heights and widths of the files' images in pixels
    """
    height, width = image_sizes_hw[:, 0], image_sizes_hw[:, 1]
    zero = np.zeros_like(width)
    everything = np.stack([zero, zero, width, height], axis=1)
    boxes = {at: box for at, one in enumerate(content_hashes) if (box := box_of(one)) is not None}
    if not boxes:
        return Frames(everything, everything, everything)
    at = np.array(list(boxes))
    sizes = np.stack([width, height], axis=1)[at]
    inner = box_pixels(np.array(list(boxes.values())), sizes)
    longer = inner[:, 2:].max(axis=1, keepdims=True)
    margin = np.ceil(CONTEXT * longer).astype(np.int64)
    near = np.maximum(inner[:, :2] - margin, 0)
    far = np.minimum(inner[:, :2] + inner[:, 2:] + margin, sizes)
    sides = np.minimum(longer, sizes)
    corner = np.clip(inner[:, :2] + (inner[:, 2:] - sides) // 2, 0, sizes - sides)
    around = np.concatenate([np.minimum(near, corner), np.maximum(far, corner + sides)], axis=1)
    around[:, 2:] -= around[:, :2]
    found = (everything.copy(), everything.copy(), everything.copy())
    for into, own in zip(found, (inner, around, np.concatenate([corner, sides], axis=1)), strict=True):
        into[at] = own
    return Frames(*found)


def box_pixels(boxes: NDArray[np.float64], sizes_wh: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns ``[b, 4]`` whole pixels of relative boxes, clipped to images of ``[b, 2]`` widths and heights.

    A side is 0 if nothing of the box is inside.
    """
    edges = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) * np.tile(sizes_wh, 2)
    edges = np.clip(np.floor(np.nan_to_num(edges) + 0.5), 0, np.tile(sizes_wh, 2)).astype(np.int64)
    return np.concatenate([edges[:, :2], np.maximum(edges[:, 2:] - edges[:, :2], 0)], axis=1)


def _four(box: NDArray[np.int64]) -> tuple[int, int, int, int]:
    left, top, width, height = box.tolist()
    return left, top, width, height
