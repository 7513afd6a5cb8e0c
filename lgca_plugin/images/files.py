"""Reading images: bytes, hash, and 8-bit RGB pixels in the orientation that a viewer shows; ahead, in threads."""

from __future__ import annotations

import hashlib
import io
import math
import os
import warnings
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

from ..errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from PIL import Image

ImageSource = str | os.PathLike[str] | bytes
Id = TypeVar("Id")

MAX_WORKERS = 8
AHEAD_PER_WORKER = 8
REDUCTIONS = (8, 4, 2)
MIN_SIDE = 8
MAX_ASPECT = 500
MAX_PIXELS = 178_956_970  # where Pillow stops, too: beyond it an image is taken for a decompression bomb

_EXIF_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image, perhaps at a fraction of its size; equal to itself alone.

    Attributes:
        image: mode RGB, in the orientation that a viewer shows
        size_hw: height and width of the file's image in pixels
        reduction: how many of the file's pixels are one of ``image``, along each side
    """

    image: Image.Image
    size_hw: tuple[int, int]
    reduction: int = 1

    @property
    def nbytes(self) -> int:
        """Memory that the pixels take; Pillow pads RGB to four bytes."""
        return 4 * self.image.width * self.image.height


class _Sized(Protocol):
    @property
    def nbytes(self) -> int:
        """Memory that the object holds."""


Item = TypeVar("Item")
Loaded = TypeVar("Loaded", bound=_Sized)


def open_picture(data: bytes, *, enough: float | None = None) -> Picture:
    """Decodes the bytes of an image file to RGB, at its size or at a half, a quarter or an eighth.

    JPEG decoders give such fractions in a fraction of the time; other formats are decoded whole and averaged. EXIF
    orientation is applied. An animation gives its first frame, transparency is dropped as open_clip drops it, and
    16-bit grey values are scaled to 8 bits.

    Args:
        data: the file's bytes
        enough: shorter side in pixels that is enough; what comes out is not smaller, if the file is not. None is the
            file's size

    Returns:
        the picture

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """
    reduction = 1
    size = (0, 0)  # width and height of the file's image

    def draft(opened: Image.Image) -> None:
        nonlocal reduction, size
        size = opened.size[::-1] if _orientation(opened) in _ON_ITS_SIDE else opened.size
        if enough is not None:
            reduction = next((one for one in REDUCTIONS if min(size) / one >= enough), 1)
            opened.draft(None, (opened.width // reduction, opened.height // reduction))

    image = _decode(data, draft)
    left = round(reduction * max(image.size) / max(size))  # what the decoder has not done
    if left > 1:
        image = image.reduce(left)
    return Picture(image, (size[1], size[0]), reduction)


def open_upright(data: bytes, *, longest: float | None = None, any_shape: bool = False) -> Image.Image:
    """Decodes the bytes of an image file to an RGB picture, in the orientation that a viewer shows.

    Args:
        data: the file's bytes
        longest: longer side in pixels that is enough: a larger JPEG is decoded at a half, a quarter or an eighth of its
            size, which is quick, as long as that is not less; other formats come whole. None: all come whole
        any_shape: take pictures that are too small or too narrow for crops, too

    Returns:
        the picture, mode RGB

    Raises:
        ImageError: if there is no usable image; the message is the reason
    """

    def draft(opened: Image.Image) -> None:
        if longest is not None:
            share = min(1.0, longest / max(opened.size))
            opened.draft(None, (math.ceil(opened.width * share), math.ceil(opened.height * share)))

    return _decode(data, draft, any_shape=any_shape)


def _decode(data: bytes, draft: Callable[[Image.Image], None], *, any_shape: bool = False) -> Image.Image:
    """Decodes an image file; ``draft`` may tell the opened file how much of it is enough."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about tags and sizes; what matters is raised
            with Image.open(io.BytesIO(data)) as opened:
                _check_size(*opened.size, any_shape=any_shape)
                draft(opened)
                opened.load()
                return _to_rgb(_upright(opened))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError("the file is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"the image has more than {MAX_PIXELS // 1_000_000} million pixels") from error
    except MemoryError as error:
        raise ImageError("the image does not fit into memory") from error
    except Exception as error:  # each format's decoder raises kinds of its own
        raise ImageError(f"the image is damaged: {_first_sentence(error)}") from error


class LoadAhead(Generic[Id, Item, Loaded]):
    """Loads images in threads, ahead of whoever takes them, in the order given. A context manager.

    Args:
        images: pairs of an id and what ``load`` takes: a path, the bytes of an image file; read lazily
        load: loads one image, in any thread
        max_images: how many images may wait to be taken
        max_bytes: how many bytes of loaded images may wait to be taken, judged by the images seen so far; the threads'
            own work comes on top
    """

    def __init__(
        self,
        images: Iterable[tuple[Id, Item]],
        load: Callable[[Item], Loaded],
        *,
        max_images: int,
        max_bytes: int,
    ) -> None:
        self._source = iter(images)
        self._load = load
        self._max_images = max_images
        self._max_bytes = max_bytes
        self._workers = reading_threads()
        self._ahead = min(max_images, self._workers)
        self._seen = self._seen_bytes = 0
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="lgca-decode")
        self._pending: deque[tuple[Id, Future[Loaded | ImageError]]] = deque()

    def __enter__(self) -> LoadAhead[Id, Item, Loaded]:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def head(self) -> Future[Loaded | ImageError] | None:
        """Gives the next image as it is being loaded, and has others loaded behind it; None after the last."""
        for id_, item in islice(self._source, max(0, self._ahead - len(self._pending))):
            self._pending.append((id_, self._pool.submit(_try, self._load, item)))
        return self._pending[0][1] if self._pending else None

    def take(self) -> tuple[Id, Loaded | ImageError]:
        """Takes the next image, and waits for it: its id, with the image or the error that says why there is none."""
        id_, future = self._pending.popleft()
        loaded = future.result()
        if not isinstance(loaded, ImageError):
            self._seen, self._seen_bytes = self._seen + 1, self._seen_bytes + loaded.nbytes
            roomy = min(AHEAD_PER_WORKER * self._workers, self._max_bytes * self._seen // max(1, self._seen_bytes))
            self._ahead = min(self._max_images, max(self._workers, roomy))
        return id_, loaded


def reading_threads() -> int:
    """How many threads read images at a time."""
    return min(MAX_WORKERS, os.cpu_count() or 1)


def _try(load: Callable[[Item], Loaded], source: Item) -> Loaded | ImageError:
    try:
        return load(source)
    except ImageError as error:
        return error


def content_hash(data: bytes) -> str:
    """Hashes a file's bytes: the crops of an image come from this and the run's seed."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def read_bytes(source: ImageSource) -> bytes:
    """Reads an image file, if it is not in memory already.

    Raises:
        ImageError: if it can't be read, or is empty
    """
    data = source if isinstance(source, bytes) else _read(source)
    if not data:
        raise ImageError("the file is empty")
    return data


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise ImageError("the file does not exist") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"the file can't be read: {_first_sentence(error)}") from error


def _check_size(width: int, height: int, *, any_shape: bool) -> None:
    shown = f"the image is {width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise ImageError(f"{shown}, more than {MAX_PIXELS // 1_000_000} million")
    if any_shape:
        return
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"{shown}; a crop needs sides of at least {MIN_SIDE}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"{shown}; one side is more than {MAX_ASPECT} times the other")


def _upright(image: Image.Image) -> Image.Image:
    """Turns an image as its EXIF orientation says; ``ImageOps.exif_transpose`` fails on tags that it can't rewrite."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """Reads an image's EXIF orientation, 1 to 8; 1, upright, where it tells none."""
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION)
    except Exception:  # noqa: BLE001 (broken EXIF data raises many kinds, and costs no good picture)
        return 1
    return orientation if isinstance(orientation, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Converts any mode to RGB; only where Pillow's own conversion would clip is more done than asking for it."""
    if image.mode in _SIXTEEN_BIT:
        return _grey(np.asarray(image).astype(np.float64) / 257)
    if image.mode == "I":
        values = np.asarray(image)
        return _grey(values / 257 if values.max() > 255 else values)
    if image.mode == "F":
        raise ImageError(
            "the image holds floating-point values, which have no agreed brightness; save it as 8 or 16 bits"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return image.convert("RGB")


def _grey(values: NDArray[np.floating]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(np.clip(np.round(values), 0, 255).astype(np.uint8)).convert("RGB")


def _first_sentence(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0][:200]
