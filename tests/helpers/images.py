"""Writes the images that nobody wants to meet: broken, absurd, and good ones in unusual clothes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

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


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _truncated_jpeg(path: Path) -> None:
    picture(400, 300).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _truncated_png(path: Path) -> None:
    picture(400, 300).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _text(path: Path) -> None:
    path.write_text("This is not a picture.\n" * 20, encoding="utf-8")


def _noise(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0" + np.random.default_rng(0).bytes(2000))


def _bomb(path: Path) -> None:
    """A PNG of a few bytes whose header promises 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def _folder(path: Path) -> None:
    path.mkdir()


def _solid(width: int, height: int) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None]
        columns = np.linspace(0, 255, width, dtype=np.uint8)[None, :, None]
        pixels = np.concatenate([rows + 0 * columns, columns + 0 * rows, 128 + 0 * (rows + columns)], axis=2)
        Image.fromarray(pixels.astype(np.uint8)).save(path)

    return write


def _animated(path: Path) -> None:
    frames = [picture(), picture().rotate(90), picture().rotate(180)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)


def _as(mode: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        picture().convert(mode).save(path)

    return write


def _sixteen_bit_grey(path: Path) -> None:
    Image.fromarray(grey().astype(np.uint16) * 257).save(path)


def _float(path: Path) -> None:
    Image.fromarray(grey().astype(np.float32) / 255).save(path)


def _sixteen_bit_colour_png(path: Path) -> None:
    """Pillow reads 16 bits a channel, but can't write them: the file is put together by hand."""
    pixels = np.asarray(picture()).astype(">u2") * 257
    height, width = pixels.shape[:2]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def _transparent_palette(path: Path) -> None:
    picture().quantize(32).save(path, transparency=0)


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


def _turned_jpeg(path: Path) -> None:
    save_turned(path, picture(), 6)


UNREADABLE: dict[str, Callable[[Path], None]] = {
    "empty.jpg": _empty,
    "truncated.jpg": _truncated_jpeg,
    "truncated.png": _truncated_png,
    "text.jpg": _text,
    "noise.jpg": _noise,
    "bomb.png": _bomb,
    "missing.jpg": _missing,
    "folder.jpg": _folder,
}
UNUSUAL: dict[str, Callable[[Path], None]] = {
    "animated.gif": _animated,
    "sixteen_bit_grey.png": _sixteen_bit_grey,
    "sixteen_bit_grey.tif": _sixteen_bit_grey,
    "sixteen_bit_colour.png": _sixteen_bit_colour_png,
    "cmyk.jpg": _as("CMYK"),
    "palette.png": _as("P"),
    "palette_transparent.png": _transparent_palette,
    "rgba.png": _transparent,
    "grey.png": _as("L"),
    "grey.jpg": _as("L"),
    "grey_alpha.png": _as("LA"),
    "one_bit.png": _as("1"),
    "turned.jpg": _turned_jpeg,
    "plain.webp": _as("RGB"),
    "plain.bmp": _as("RGB"),
}
# A clear refusal is as good as an answer for these.
DOUBTFUL: dict[str, Callable[[Path], None]] = {
    "float.tif": _float,
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
