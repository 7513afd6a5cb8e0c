"""Draws the picture of ``docs/explanation.md``: what CLIP, WCA and LGCA look at, on one of the demo's drawings.

``python scripts/mongod.py FOLDER python -m scripts.explanation`` classifies the drawing that the story is about, and
draws its regions in the colours of their votes, the more opaque the more they count.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import fiftyone as fo
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset
from lgca_plugin.demo.drawings import VARIED
from lgca_plugin.figures.page import PALETTES
from scripts.story import DATASET, IMAGE, PICTURES

if TYPE_CHECKING:
    from collections.abc import Iterable

COLORS = PALETTES["light"]
METHODS = {
    "clip": ("CLIP", "one embedding of the whole picture"),
    "wca": ("WCA", "60 crops, weighed by their likeness to the whole"),
    "lgca": ("LGCA", "34 crops, the most salient of which grow"),
}
SIDE, GAP, HEAD, FOOT = 420, 24, 64, 40
TITLE, SMALL = ImageFont.load_default(22), ImageFont.load_default(15)


def main() -> int:
    """Classifies the drawing and writes the picture."""
    dataset = load_demo_dataset(DATASET, composition=VARIED)
    sample = next(one for one in dataset if one.filepath.endswith(IMAGE))
    run = lgca.classify(
        dataset.select(sample.id), dataset.default_classes, dataset.info["lgca_descriptions"], encoder="demo",
        run_key="explanation", overwrite=True, progress=False,
    )  # fmt: skip
    drawn = picture(sample, run.evidence(sample.id))
    drawn.quantize(256).save(PICTURES / "three_methods.png", optimize=True)
    run.delete()
    return 0


def picture(sample: fo.Sample, evidence: lgca.Evidence) -> Image.Image:
    """Returns the panels of the three methods side by side, each with its regions and its answer."""
    sheet = Image.new("RGB", (len(METHODS) * (SIDE + GAP) - GAP, HEAD + SIDE + FOOT), "white")
    pen = ImageDraw.Draw(sheet)
    answers = list(dict.fromkeys(str(evidence.labels[name]) for name in ("wca", "lgca", "clip")))
    colors = dict(zip(answers, (COLORS.blue, COLORS.orange), strict=False))
    with Image.open(sample.filepath) as opened:
        image = opened.convert("RGB").resize((SIDE, SIDE))
    for at, (method, (title, what)) in enumerate(METHODS.items()):
        left = at * (SIDE + GAP)
        pen.text((left, 6), title, COLORS.text, TITLE)
        pen.text((left, 38), what, COLORS.muted, SMALL)
        sheet.paste(with_regions(image, evidence, method, colors), (left, HEAD))
        answer = str(evidence.labels[method])
        pen.text((left, HEAD + SIDE + 8), answer, colors.get(answer, COLORS.grey), TITLE)
    return sheet


def with_regions(image: Image.Image, evidence: lgca.Evidence, method: str, colors: dict[str, str]) -> Image.Image:
    """Returns the image with a method's regions; those that count most are the most opaque."""
    weights = evidence.weights[method]
    if not weights.any():  # the whole image alone
        image = image.copy()
        frame = (0, 0, SIDE - 1, SIDE - 1)
        ImageDraw.Draw(image).rectangle(frame, outline=colors.get(str(evidence.labels[method]), COLORS.grey), width=3)
    for region in np.argsort(weights):
        if not weights[region]:
            continue
        color = colors.get(evidence.classes[evidence.vote[region]], COLORS.grey)
        layer = image.copy()
        ImageDraw.Draw(layer).rectangle(corners(evidence.boxes[region]), outline=color, width=3)
        image = Image.blend(image, layer, 0.15 + 0.85 * float(weights[region] / weights.max()))
    return image


def corners(box: Iterable[float]) -> tuple[float, float, float, float]:
    """Returns a relative box's left, top, right and bottom in pixels of the panel."""
    x, y, width, height = box
    return x * SIDE, y * SIDE, (x + width) * SIDE - 1, (y + height) * SIDE - 1


if __name__ == "__main__":
    sys.exit(main())
