"""The film strip of a sample: evidence from the store, pictures of its regions from its file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...cache import ResultCache
from ...errors import ConfigError, ImageError
from ...fiftyone_io.samples import ImageSamples
from ...fiftyone_io.thumbnails import WHOLE, cut, enough_for, jpeg_uri
from ...figures.film_strip import film_strip
from ...images.decoding import open_upright
from ...images.files import content_hash, file_bytes
from ...method.explain.film_strip import CHAINS, strip

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import plotly.graph_objects as go
    from PIL import Image

    from ...fiftyone_io.thumbnails import Box
    from ...figures.page import Theme
    from ...method.explain.evidence import Evidence
    from ...method.explain.film_strip import Strip
    from ...runs.record import RunRecord

SIDE, WHOLE_SIDE = 160, 480
"""Longer sides of the pictures of frames and of the whole image, in pixels: enough for high-density screens."""


@dataclass(frozen=True)
class Pictures:
    """Data URIs of an image and of regions of it, the image's size in any unit, and the hash of the file's bytes."""

    regions: Mapping[int, str]
    whole: str
    size_hw: tuple[int, int]
    content_hash: str


PICTURES: ResultCache[Pictures] = ResultCache(24)
"""Some 200 KB each."""

_OPENED: ResultCache[tuple[Image.Image, str]] = ResultCache(4)
"""Decoded images: some 10 MB each."""


def pictures_of(path: str, boxes: Mapping[int, Box]) -> Pictures:
    """Returns pictures of relative ``(x, y, width, height)`` boxes of an image file, cached while the file is the same.

    The boxes are in the orientation that a viewer shows.

    Raises:
        ImageError: if there is no such file, or it can't be read as an image; the message is the reason
    """
    try:
        found = Path(path).stat()
    except (OSError, ValueError) as error:
        raise ImageError("the file does not exist") from error
    file = (path, found.st_mtime_ns, found.st_size)
    return PICTURES.get((file, tuple(boxes.items())), lambda: _cut_out(file, boxes))


def _cut_out(file: tuple[str, int, int], boxes: Mapping[int, Box]) -> Pictures:
    needed = max(enough_for([WHOLE], WHOLE_SIDE), enough_for(boxes.values(), SIDE) if boxes else 0)
    longest = 1 << math.ceil(math.log2(needed))  # few sizes, so that other regions of the image find it decoded
    image, hashed = _OPENED.get((file, longest), lambda: _open(file[0], longest))
    return Pictures(
        regions={region: jpeg_uri(cut(image, box, SIDE)) for region, box in boxes.items()},
        whole=jpeg_uri(cut(image, WHOLE, WHOLE_SIDE)),
        size_hw=(image.height, image.width),
        content_hash=hashed,
    )


def _open(path: str, longest: int) -> tuple[Image.Image, str]:
    """Returns a file's image, reduced if it is much larger than needed, and the hash of its bytes."""
    with file_bytes(path) as data:
        image, hashed = open_upright(data, longest=longest), content_hash(data)
    if max(image.size) > 2 * longest:
        image.thumbnail((2 * longest, 2 * longest), reducing_gap=2.0)
    return image, hashed


def strip_boxes(shown: Strip) -> dict[int, Box]:
    """Returns the boxes of a strip's frames by region."""
    return {frame.region: frame.box for chain in shown.chains for frame in chain.frames}


def film_strip_of(
    run: RunRecord,
    evidence: Evidence,
    *,
    method: str | None = None,
    a: str | None = None,
    b: str | None = None,
    chains: int = CHAINS,
    out: Iterable[int] = (),
    theme: Theme = "light",
    min_width: int = 640,
) -> go.Figure:
    """Returns the figure of :meth:`lgca_plugin.Run.film_strip` from evidence."""
    import plotly.graph_objects as go

    shown = strip(evidence, method=method, a=a, b=b, chains=chains, out=out)
    stored = ImageSamples.whole(run.dataset).stored([evidence.sample_id], ["filepath"])
    try:
        found = pictures_of(str(stored[evidence.sample_id][0]), strip_boxes(shown))
    except ImageError as error:
        raise ConfigError(f"there are no pictures of sample {evidence.sample_id!r}: {error}") from error
    drawn = film_strip(
        shown, found.regions, image=found.whole, image_size_hw=found.size_hw, theme=theme, min_width=min_width
    )
    return go.Figure(**drawn)
