"""Boxes in image files, as images of their own. A file with many boxes is read and decoded once for them all."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ImageError
from ..method.core.frames import box_pixels, boxed_hash, frame_of
from .decoding import MAX_ASPECT, MIN_SIDE, REDUCTIONS, Picture, open_picture
from .files import content_hash, file_bytes
from .memory import PIXELS

if TYPE_CHECKING:
    from ..method.core.frames import RelativeBox
    from .files import ImageSource

MAX_OPENED_BYTES = 256 * 1024**2
"""Maximum memory of decoded files that wait for further boxes of theirs; a single file may take more."""

MAX_OPENED = 8
"""Maximum number of files that are remembered."""


@dataclass(frozen=True)
class BoxedImage:
    """A box in an image file.

    Attributes:
        file: the file's path, or its bytes
        box: ``(x, y, width, height)`` as shares of the image's sides, in the orientation that a viewer shows
        problem: why the box can't be used, a part of a sentence; None if nothing is known against it
    """

    file: ImageSource
    box: RelativeBox
    problem: str | None = None

    def __str__(self) -> str:
        return "an image in memory" if isinstance(self.file, bytes) else str(self.file)


@dataclass(eq=False)
class _OpenedFile:
    lock: Lock = field(default_factory=Lock)
    hashed: str | None = None
    picture: Picture | None = None


class OpenedFiles:
    """The files of boxes, each read and decoded once for boxes that follow each other; used by several threads."""

    def __init__(self, *, max_bytes: int = MAX_OPENED_BYTES) -> None:
        self._files: OrderedDict[ImageSource, _OpenedFile] = OrderedDict()
        self._lock = Lock()
        self._max_bytes = max_bytes

    def key(self, source: BoxedImage) -> str:
        """Returns the content hash of a box.

        Raises:
            ImageError: if the box or its file can't be used
        """
        if source.problem is not None:
            raise ImageError(source.problem)
        opened = self._opened(source.file)
        with opened.lock:
            if opened.hashed is None:
                with file_bytes(source.file) as data:
                    opened.hashed = content_hash(data)
            return boxed_hash(opened.hashed, source.box)

    def picture(self, source: BoxedImage, key: str, enough: float | None) -> Picture:
        """Returns a box with what is around it.

        Args:
            source: the box
            key: its content hash
            enough: length in pixels that the box's shorter side keeps at least, if it has it; None reduces nothing

        Raises:
            ImageError: if the box or its file can't be used
        """
        opened = self._opened(source.file)
        with opened.lock:
            if opened.picture is None:
                with file_bytes(source.file) as data:
                    if content_hash(data) != opened.hashed:
                        raise ImageError("the file changed while it was read")
                    opened.picture = open_picture(data)
            picture = opened.picture
        self._evict()
        check_box(source.box, picture.size_hw)
        return cut_frame(picture, key, enough)

    def _opened(self, file: ImageSource) -> _OpenedFile:
        with self._lock:
            opened = self._files.setdefault(file, _OpenedFile())
            self._files.move_to_end(file)
            return opened

    def _evict(self) -> None:
        """Forgets the files that were used longest ago; a thread at work on one keeps its own reference."""
        with self._lock:
            sizes = {file: 0 if one.picture is None else one.picture.nbytes for file, one in self._files.items()}
            while len(self._files) > 1 and (
                len(self._files) > MAX_OPENED or sum(sizes[file] for file in self._files) > self._max_bytes
            ):
                self._files.popitem(last=False)


def check_box(box: RelativeBox, size_hw: tuple[int, int]) -> None:
    """Raises ImageError if a box is no box, lies outside its image, or is too small or too narrow for crops."""
    if not np.isfinite(box).all() or min(box[2:]) <= 0:
        raise ImageError("the box has no area")
    ((_, _, width, height),) = box_pixels(np.array([box]), np.array([size_hw[::-1]])).tolist()
    if not width or not height:
        outside = box[0] >= 1 or box[1] >= 1 or box[0] + box[2] <= 0 or box[1] + box[3] <= 0
        raise ImageError("the box lies outside its image" if outside else "the box is smaller than a pixel")
    shown = f"the box is {width} x {height} pixels"
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{shown}; a crop needs sides of at least {MIN_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{shown}; one side is more than {MAX_ASPECT} times the other")


def cut_frame(picture: Picture, key: str, enough: float | None) -> Picture:
    """Returns the part of a picture in which the regions of a box lie, at its size or at a fraction of it."""
    frame = frame_of(key, picture.size_hw)
    left, top, width, height = frame.outer
    shorter = min(frame.inner[2:])
    reduction = 1 if enough is None else next((one for one in REDUCTIONS if shorter / one >= enough), 1)
    with PIXELS.reserve(4 * width * height):
        image = picture.image.crop((left, top, left + width, top + height))
        image = image.reduce(reduction) if reduction > 1 else image
    return Picture(image, picture.size_hw, reduction, picture.guessed_depth, origin=(left, top), whole=frame.whole)
