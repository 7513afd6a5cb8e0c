"""The process that reads images damaged at random: prints counts, and the last number before each part of them."""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable

import numpy as np

from lgca_plugin.errors import ImageError
from lgca_plugin.images.decoding import open_picture, open_upright
from tests.helpers.bad_images.cut import drawing, saved
from tests.helpers.bad_images.read import begin_memory, memory

COUNT = 20_000
REPORT = 500
EXTREMES = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\x40\0", b"\0\x40\0\0")


def originals() -> dict[str, bytes]:
    small, exif = drawing(40, 30), b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    frames = {"save_all": True, "append_images": [small.rotate(180)]}
    return {
        "jpg": saved("JPEG", small, exif=exif),
        "progressive.jpg": saved("JPEG", small, progressive=True),
        "cmyk.jpg": saved("JPEG", small.convert("CMYK")),
        "png": saved("PNG", small, exif=exif),
        "palette.png": saved("PNG", small.quantize(16), transparency=2),
        "grey.png": saved("PNG", small.convert("I;16")),
        "gif": saved("GIF", small, **frames),
        "webp": saved("WEBP", small, exif=exif),
        "lossless.webp": saved("WEBP", small, lossless=True),
        "animated.webp": saved("WEBP", small, **frames),
        "bmp": saved("BMP", small.quantize(16)),
        "tif": saved("TIFF", small),
        "lzw.tif": saved("TIFF", small, compression="tiff_lzw"),
        "jpeg.tif": saved("TIFF", small, compression="jpeg"),
        "jp2": saved("JPEG2000", small),
        "avif": saved("AVIF", small, exif=exif),
        "ppm": saved("PPM", small),
        "pgm": b"P2 4 3 1000\n" + b"500 " * 12,
    }


def damaged(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """Changes, removes, repeats or inserts bytes, mostly of the header."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 6))):
        reach = min(len(data), 80) if rng.random() < 0.6 else len(data)
        at, length = int(rng.integers(0, max(1, reach))), int(rng.integers(1, 40))
        match int(rng.integers(0, 8)):
            case 0 | 1 | 2:
                data[at : at + 1] = rng.bytes(1)
            case 3:
                data[at : at + 4] = EXTREMES[int(rng.integers(0, len(EXTREMES)))]
            case 4:
                del data[at : at + length]
            case 5:
                data[at:at] = data[at : at + length] * int(rng.integers(1, 200))
            case 6:
                start = int(rng.integers(0, len(other)))
                data[at:at] = other[start : start + length]
            case 7:
                del data[max(4, at) :]
    return bytes(data)


def with_checksums(content: bytes) -> bytes:
    """Mends the checksums of a PNG, so that what is wrong with its parts is met by their decoders."""
    data, at = bytearray(content), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)


def result(way: Callable[[bytes], object], data: bytes) -> tuple[str, str]:
    """Returns how reading an image ended, and what was wrong with it."""
    try:
        way(data)
    except ImageError as error:
        return "refused", "" if 10 < len(str(error)) < 300 else str(error)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is wrong)
        return "failed", repr(error)
    return "read", ""


def main(seed: str) -> None:
    rng, kinds = np.random.default_rng(int(seed)), originals()
    names, counts, wrong, slowest = list(kinds), Counter[str](), list[str](), 0.0
    before = begin_memory()
    for at in range(COUNT):
        if at % REPORT == 0:
            line = {"at": at, "counts": counts, "wrong": wrong, "slowest": slowest, "peak": memory("VmHWM") - before}
            print(json.dumps(line), flush=True)
        name = names[at % len(names)]
        data, started = damaged(kinds[name], kinds[names[int(rng.integers(0, len(names)))]], rng), time.perf_counter()
        data = with_checksums(data) if name.endswith("png") else data
        for way in (open_picture, open_upright):
            end, problem = result(way, data)
            counts[f"{name} {end}"] += 1
            wrong += [f"{at}: {problem}"] * bool(problem)
        slowest = max(slowest, time.perf_counter() - started)
    line = {"at": COUNT, "counts": counts, "wrong": wrong, "slowest": slowest, "peak": memory("VmHWM") - before}
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
