"""The slow reference with a plain open_clip model: one image, one crop or one text at a time.

Images are cut with Pillow and prepared by open_clip's own preprocessing.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageOps

from tests.helpers.reference import (
    RULES,
    Box,
    ReferenceImage,
    Region,
    Vector,
    Verdict,
    class_vectors,
    dot,
    first_boxes,
    grown,
    kept_count,
    most_salient,
    unit,
    verdict,
    weights,
)


@dataclass
class ReferenceModel:
    """One image, one crop or one text at a time through a plain open_clip model and its own preprocessing."""

    model: Any
    preprocess: Callable[[Image.Image], Any]
    tokenizer: Callable[[list[str]], Any]
    texts: dict[str, Vector] = field(default_factory=dict)

    @property
    def logit_scale(self) -> float:
        return math.exp(self.model.logit_scale.item())

    def image(self, image: Image.Image) -> Vector:
        import torch

        with torch.inference_mode():
            return unit(self.model.encode_image(self.preprocess(image)[None])[0].double().tolist())

    def text(self, text: str) -> Vector:
        import torch

        if text not in self.texts:
            with torch.inference_mode():
                self.texts[text] = unit(self.model.encode_text(self.tokenizer([text]))[0].double().tolist())
        return self.texts[text]


def open_upright(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    return ImageOps.exif_transpose(image).convert("RGB")


def encode_regions(
    image: Image.Image,
    model: ReferenceModel,
    *,
    content: str,
    crops: int,
    chains: int,
    scale_min: float = 0.5,
    scale_max: float = 0.9,
    steps: int = 2,
    keep: float = 0.5,
    growth: float = 1.5,
    seed: int = 0,
) -> ReferenceImage:
    """Samples `crops` regions, grows the most salient of the first `chains` step by step, encodes each box once."""
    width, height = image.size
    whole = model.image(image)
    # The largest box of a square image shows what the whole image shows.
    known: dict[Box, Vector] = {(0, 0, width, height): whole} if width == height else {}

    def region(step: int, chain: int, box: Box) -> Region:
        if box not in known:
            left, top, box_width, box_height = box
            known[box] = model.image(image.crop((left, top, left + box_width, top + box_height)))
        return Region(step, chain, box, known[box], dot(known[box], whole))

    first = first_boxes(max(crops, chains), height, width, scale_min, scale_max, seed, content)
    regions = [region(0, chain, box) for chain, box in enumerate(first)]
    current = regions[:chains]
    for step in range(1, steps + 1 if chains else 1):
        chosen = most_salient([r.salience for r in current], kept_count(len(current), keep))
        current = [region(step, current[i].chain, grown(current[i].box, height, width, growth)) for i in chosen]
        regions += current
    encodes = len(known) if width == height else 1 + len(known)
    return ReferenceImage(whole, regions, encodes, min(height, width))


def classify(
    seen: ReferenceImage,
    model: ReferenceModel,
    classes: Sequence[str],
    descriptions: Sequence[Sequence[str]],
    method: str,
    *,
    crops: int,
    chains: int,
) -> Verdict:
    """Classifies an encoded image with one method."""
    rule = RULES[method]
    labels = [model.text(f"a photo of a {name}.") for name in classes]
    vectors = class_vectors(rule.texts, labels, [[model.text(t) for t in own] for own in descriptions])
    own_weights = weights(rule, seen, vectors, crops=crops, chains=chains, logit_scale=model.logit_scale)
    return verdict(rule, seen, vectors, own_weights, model.logit_scale)
