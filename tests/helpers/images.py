"""Writes broken, absurd and unusual image files."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

Writer = Callable[[Path], object]
ORIENTATION = 0x0112  # the EXIF tag


def picture(width: int = 96, height: int = 72) -> Image.Image:
    """A small drawing that is different in every corner, so that a turned or cut one is noticed."""
    image = Image.new("RGB", (width, height), (40, 60, 160))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 3, height // 3), fill=(220, 40, 40))
    draw.ellipse((width // 3, height // 4, width - 4, height - 6), fill=(240, 220, 90))
    draw.line((0, height - 1, width - 1, height // 2), fill=(20, 200, 80), width=3)
    return image


def grey() -> np.ndarray:
    """The picture in 8 bits of grey, ``[H, W]`` uint8."""
    return np.asarray(picture().convert("L"))


def _half(path: Path) -> None:
    picture(400, 300).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _png(path: Path, width: int, height: int, depth: int, rows: bytes) -> None:
    """Puts an RGB PNG together by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _sixteen_bit_colour_png(path: Path) -> None:
    """Pillow reads 16 bits a channel, but can't write them."""
    pixels = np.asarray(picture()).astype(">u2") * 257
    height, width = pixels.shape[:2]
    _png(path, width, height, 16, b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels))


def _solid(width: int, height: int) -> Writer:
    def write(path: Path) -> None:
        rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None]
        columns = np.linspace(0, 255, width, dtype=np.uint8)[None]
        Image.fromarray(np.stack(np.broadcast_arrays(rows, columns, np.uint8(128)), axis=2)).save(path)

    return write


def _animated(path: Path) -> None:
    frames = [picture(), picture().rotate(90), picture().rotate(180)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)


def _as(mode: str) -> Writer:
    return lambda path: picture().convert(mode).save(path)


def _sixteen_bit_grey(path: Path) -> None:
    Image.fromarray(grey().astype(np.uint16) * 257).save(path)


def _transparent(path: Path) -> None:
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(path)


def save_turned(path: Path, upright: Image.Image, orientation: int) -> None:
    """Saves an image with its pixels turned and the EXIF tag that tells viewers to turn them back."""
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    for turn in undo.get(orientation, []):
        upright = upright.transpose(turn)
    upright.save(path, exif=exif)


UNREADABLE: dict[str, Writer] = {
    "empty.jpg": lambda path: path.write_bytes(b""),
    "truncated.jpg": _half,
    "truncated.png": _half,
    "text.jpg": lambda path: path.write_text("This is not a picture.\n" * 20, encoding="utf-8"),
    "noise.jpg": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + np.random.default_rng(0).bytes(2000)),
    "bomb.png": lambda path: _png(path, 60_000, 60_000, 8, bytes(1000)),  # a few bytes whose header promises many
    "missing.jpg": lambda path: path.unlink(missing_ok=True),
    "folder.jpg": Path.mkdir,
}
UNUSUAL: dict[str, Writer] = {
    "animated.gif": _animated,
    "sixteen_bit_grey.png": _sixteen_bit_grey,
    "sixteen_bit_grey.tif": _sixteen_bit_grey,
    "sixteen_bit_colour.png": _sixteen_bit_colour_png,
    "cmyk.jpg": _as("CMYK"),
    "palette.png": _as("P"),
    "palette_transparent.png": lambda path: picture().quantize(32).save(path, transparency=0),
    "rgba.png": _transparent,
    "grey.png": _as("L"),
    "grey.jpg": _as("L"),
    "grey_alpha.png": _as("LA"),
    "one_bit.png": _as("1"),
    "turned.jpg": lambda path: save_turned(path, picture(), 6),
    "plain.webp": _as("RGB"),
    "plain.bmp": _as("RGB"),
}
# A clear refusal is as good as an answer for these.
DOUBTFUL: dict[str, Writer] = {
    "float.tif": lambda path: Image.fromarray(grey().astype(np.float32) / 255).save(path),
    "wide_20000.png": _solid(20_000, 64),
    "column_1x5000.png": _solid(1, 5000),
    "row_5000x1.png": _solid(5000, 1),
    "one_pixel.png": _solid(1, 1),
    "two_pixels.png": _solid(2, 1),
}


def write(folder: Path, name: str) -> Path:
    """Writes one of the images above into a folder and returns its path."""
    path = folder / name
    {**UNREADABLE, **UNUSUAL, **DOUBTFUL}[name](path)
    return path
