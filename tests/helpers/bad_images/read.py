"""The process that reads the corpus: prints, for each file, what became of it, how long it took, and its memory.

Each file is read in every way in which the plugin reads images. Lines of JSON: ``start``, the file's name, before it is
read, so that a file that hangs or kills the process has a name; then the rest.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.engine.embeddings import FailedImage
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.errors import ImageError
from lgca_plugin.fiftyone_io.documents import image_metadata
from lgca_plugin.fiftyone_io.thumbnails import marked_uri, thumbnail_uri
from lgca_plugin.images.decoding import open_picture
from lgca_plugin.images.memory import MAX_PIXEL_BYTES, MemoryBudget
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.workflows.evidence.film_strip import PICTURES, pictures_of
from tests.helpers.bad_images.cut import drawing, saved


def memory(line: str, process: int | str = "self") -> int:
    """Returns a process's memory in bytes: ``VmRSS`` is the present, ``VmHWM`` the largest since it was reset."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return int(next((row for row in status.splitlines() if row.startswith(line)), "none 0").split()[1]) * 1024


def begin_memory() -> int:
    """Gives back what is free, and returns what is left, from which ``VmHWM`` counts now."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


def read(path: Path, *, in_run_alone: bool = False) -> dict[str, object]:
    """Reads a file in every way, or as a run does it alone."""
    encoder = lgca.load_encoder("demo")
    plan = RegionPlan.of((METHODS["clip"], METHODS["lgca"]), RegionConfig(crops=6))
    (outcome,) = encode_images([(0, path)], encoder=encoder, plan=plan)
    found = {
        "reason": outcome.reason if isinstance(outcome, FailedImage) else None,
        "size": None if isinstance(outcome, FailedImage) else outcome.image_size_hw,
    }
    if in_run_alone:
        return {**found, "shown": "", "thumbnail": True, "marked": True, "metadata": True}
    try:
        pictures_of(str(path), {})
        shown = ""
    except ImageError as error:
        shown = str(error)
    PICTURES.clear()
    return {
        **found,
        "shown": shown,
        "thumbnail": thumbnail_uri(str(path)) is not None,
        "marked": marked_uri(str(path)) is not None,
        "metadata": image_metadata(str(path)) is not None,
    }


def large() -> Iterator[tuple[str, bytes]]:
    """Files of 12 million pixels in all formats."""
    picture = drawing(500, 375).resize((4000, 3000))
    deep = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 6
    options: list[tuple[str, str, Image.Image, dict[str, Any]]] = [
        ("jpg", "JPEG", picture, {}),
        ("turned.jpg", "JPEG", picture, {"exif": turned}),
        ("progressive.jpg", "JPEG", picture, {"progressive": True, "subsampling": 0, "quality": 95, "exif": turned}),
        ("cmyk.jpg", "JPEG", picture.convert("CMYK"), {"progressive": True}),
        ("grey.jpg", "JPEG", picture.convert("L"), {"progressive": True}),
        ("png", "PNG", picture, {"compress_level": 1, "exif": turned}),
        ("alpha.png", "PNG", picture.convert("RGBA"), {"compress_level": 1}),
        ("deep.png", "PNG", deep, {"compress_level": 1, "exif": turned}),
        ("palette.png", "PNG", picture.convert("P"), {"compress_level": 1, "transparency": 0, "exif": turned}),
        ("gif", "GIF", picture.convert("P"), {"transparency": 3}),
        ("webp", "WEBP", picture, {"method": 0}),
        ("lossless.webp", "WEBP", picture, {"lossless": True, "method": 0, "quality": 0}),
        ("alpha.webp", "WEBP", picture.convert("RGBA"), {"method": 0}),
        ("bmp", "BMP", picture, {}),
        ("tif", "TIFF", picture, {"exif": turned}),
        ("strip.tif", "TIFF", picture, {"compression": "tiff_adobe_deflate", "strip_size": 10**9}),
        ("deep.tif", "TIFF", deep, {"compression": "tiff_lzw"}),
        ("jp2", "JPEG2000", picture, {}),
        ("alpha.jp2", "JPEG2000", picture.convert("RGBA"), {}),
        ("avif", "AVIF", picture, {"speed": 10, "subsampling": "4:4:4"}),
        ("alpha.avif", "AVIF", picture.convert("RGBA"), {"speed": 10}),
        ("ppm", "PPM", picture, {}),
    ]
    for name, kind, image, how in options:
        yield name, saved(kind, image, **how)
    pixels = np.asarray(picture.convert("L").resize((1000, 750))).astype(np.uint16) * 16
    yield "pgm", b"P5 1000 750 4095\n" + pixels.astype(">u2").tobytes()


def budget() -> None:
    """Prints, for each large file, the memory that decoding it reserves and the memory that it has taken."""
    for name, content in large():

        class Seen(MemoryBudget):
            reserved = 0

            @contextmanager
            def reserve(self, nbytes: int) -> Iterator[None]:
                self.reserved = nbytes
                self.before = begin_memory()
                with super().reserve(nbytes):
                    yield

        memory_of = Seen(MAX_PIXEL_BYTES)
        open_picture(content, memory=memory_of)
        say(name=name, reserved=memory_of.reserved, peak=memory("VmHWM") - memory_of.before)


def main(listed: str) -> None:
    if listed == "--budget":
        budget()
        return
    files: dict[str, bool] = json.loads(Path(listed).read_text())
    read(Path(next(iter(files))))  # what is imported and kept for the first one
    for name, is_huge in files.items():
        say(start=name)
        before, started = begin_memory(), time.perf_counter()
        found = read(Path(name), in_run_alone=is_huge)
        say(**found, seconds=time.perf_counter() - started, peak=memory("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
