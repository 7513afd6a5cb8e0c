"""What an encoder sees in the images of a set: each image is encoded once for every method, and kept in a folder.

The folder of a set, an encoder and a crop scale holds ``made.json``, from what the arrays were made, and parts of
:data:`PART` images, ``00000.npz`` and so on. A part that is there is not encoded again, so that a run that was stopped
goes on where it was. A part has ``rows`` ``[m]``, the positions of its images in the set (an image that can't be read
is missing), ``vectors`` ``[m, N, d]`` float32 unit vectors, the whole image first, ``step``, ``chain`` and ``pixels``
``[m, N - 1]``, the expansion step, the crop's number and the side in pixels of each region, and ``shorter`` ``[m]``,
the shorter side of each image in pixels.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.method.core.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lgca_plugin.encoder.base import Encoder
    from lgca_plugin.engine.embeddings import EncodedImage

PART = 500
"""Number of images in a part."""

PLANNED = ("clip", "wca", "lgca")
"""Methods whose regions together are those of every method."""


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """The parts of a set as one encoder sees them, at one crop scale.

    Attributes:
        parts: the files, in the order of the images
        plan: the regions of each image
    """

    parts: tuple[Path, ...]
    plan: RegionPlan

    def read(self, rows_at_once: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Yields the arrays of at most so many images at once, by their names."""
        for part in self.parts:
            with np.load(part) as file:
                arrays = {name: file[name] for name in file.files}
            for start in range(0, len(arrays["rows"]), rows_at_once):
                yield {name: array[start : start + rows_at_once] for name, array in arrays.items()}


def plan_of(scale: tuple[float, float]) -> RegionPlan:
    """Returns the regions that all methods need, at a crop scale: 87 encodes an image with the default settings."""
    regions = RegionConfig(scale_min=scale[0], scale_max=scale[1])
    return RegionPlan.of(tuple(METHODS[name] for name in PLANNED), regions)


def encode(
    files: Sequence[Path],
    encoder: Encoder,
    scale: tuple[float, float],
    folder: Path,
    *,
    name: str,
    images_in_part: int = PART,
) -> Encoded:
    """Encodes the images of a set at a crop scale, those that the folder lacks.

    Args:
        files: the images
        encoder: embeds the pixels
        scale: smallest and largest side of a crop, as a share of the image's shorter side
        folder: of the set, the encoder and the scale
        name: what is encoded, in the words of progress messages
        images_in_part: number of images that are written together

    Returns:
        the parts

    Raises:
        SystemExit: if the folder holds embeddings of something else
    """
    plan = plan_of(scale)
    parts = [folder / f"{start // images_in_part:05}.npz" for start in range(0, len(files), images_in_part)]
    listed = hashlib.sha256("\n".join(f"{file.name} {file.stat().st_size}" for file in files).encode()).hexdigest()
    made = {"encoder": encoder.fingerprint, "regions": asdict(plan.regions), "files": listed, "part": images_in_part}
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / "made.json"
    if record.exists() and json.loads(record.read_text()) != made:
        raise SystemExit(
            f"{folder} holds embeddings of other images, settings or weights: delete it, or keep it and "
            "choose another --folder"
        )
    record.write_text(json.dumps(made))
    for number, part in enumerate(parts):
        if not part.exists():
            started = time.perf_counter()
            own = list(enumerate(files))[number * images_in_part : (number + 1) * images_in_part]
            unfinished = part.with_suffix(".unfinished")
            with unfinished.open("wb") as file:
                np.savez(file, **_encoded(own, encoder, plan))
            unfinished.replace(part)
            seconds = time.perf_counter() - started
            done = own[-1][0] + 1
            sys.stderr.write(f"{name}: {done} of {len(files)} images, {len(own)} in {seconds:.0f} s\n")
    return Encoded(parts=tuple(parts), plan=plan)


def _encoded(images: Sequence[tuple[int, Path]], encoder: Encoder, plan: RegionPlan) -> dict[str, Any]:
    """Encodes images, given with their positions in the set, and returns the arrays of a part."""
    from lgca_plugin.engine.embeddings import FailedImage
    from lgca_plugin.engine.engine import encode_images

    seen: list[EncodedImage[int]] = []
    for image in encode_images(images, encoder=encoder, plan=plan):
        if isinstance(image, FailedImage):
            sys.stderr.write(f"left out: {dict(images)[image.id]}: {image.reason}\n")
        else:
            seen.append(image)
    n = sum(plan.counts)
    return {
        "rows": np.array([image.id for image in seen], np.int64),
        "vectors": np.array([[image.whole, *image.regions] for image in seen], np.float32).reshape(
            -1, n + 1, encoder.dim
        ),
        "step": np.array([image.step for image in seen], np.int64).reshape(-1, n),
        "chain": np.array([image.chain for image in seen], np.int64).reshape(-1, n),
        "pixels": np.array([image.boxes[:, 2] for image in seen], np.int64).reshape(-1, n),
        "shorter": np.array([min(image.image_size_hw) for image in seen], np.int64),
    }
