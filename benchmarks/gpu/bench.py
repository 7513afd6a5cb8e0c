"""What the parts of the check share: the device, models with random weights, pictures, passes of the engine, output."""

from __future__ import annotations

import copy
import io
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.drawings import draw_scene, generator
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.engine.embeddings import EncodedImage
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.prediction.predictor import Predictor

DEMO = "demo"
PRESETS = tuple(METHODS[name] for name in ("clip", "wca", "lgca"))
PLAN = RegionPlan.of(PRESETS, RegionConfig())
NAMES = [getattr(one, "name", one) for one in CLASSES]
DRAWN = 48
"""Number of different pictures; further ones have other bytes, and so other crops."""


@dataclass
class Bench:
    """A run of the check.

    Attributes:
        device: what is checked
        out: folder of the results
        tiny: as few images as find mistakes of the check itself
        lines: the results so far
    """

    device: torch.device
    out: Path
    tiny: bool = False
    lines: list[dict[str, Any]] = field(default_factory=list)
    _models: dict[str, Any] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    @property
    def cuda(self) -> bool:
        """Whether there is a GPU to check."""
        return self.device.type == "cuda"

    @property
    def seconds(self) -> float:
        """Seconds since the check began."""
        return time.perf_counter() - self._began

    def say(self, part: str, *, passes: bool | None = None, **values: Any) -> None:
        """Prints a result as a line of JSON; ``passes`` is None for one that informs."""
        told = {name: float(f"{one:.4g}") if isinstance(one, float) else one for name, one in values.items()}
        line = {"part": part, "at": round(self.seconds, 1), **({} if passes is None else {"passes": passes}), **told}
        self.lines.append(line)
        text = json.dumps(line)
        print(text, flush=True)
        with (self.out / "results.jsonl").open("a") as file:
            file.write(text + "\n")

    def wait(self) -> None:
        """Waits until the device is through."""
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def encoder(self, name: str, device: str | None = None, **how: Any) -> OpenClipEncoder:
        """Returns the demo's model, or an architecture with random weights, which are as fast as any."""
        where = device or str(self.device)
        if name == DEMO:
            return lgca.load_encoder(DEMO, device=where, **how)
        model = copy.deepcopy(self.model(name))
        return OpenClipEncoder(model, open_clip.get_tokenizer(name), name=name, device=where, **how)

    def model(self, name: str) -> Any:
        """Returns an architecture as open_clip makes it, on the CPU."""
        if name not in self._models:
            torch.manual_seed(0)
            self._models[name] = open_clip.create_model(name, pretrained=None).eval()
        return self._models[name]

    def engine(
        self, encoder: OpenClipEncoder, files: list[bytes], batch: int | None = None
    ) -> tuple[list[EncodedImage[int]], EngineStats, float]:
        """Returns embeddings, counts and seconds of a pass of the engine through files."""
        stats, started = EngineStats(), time.perf_counter()
        found = encode_images(enumerate(files), encoder=encoder, plan=PLAN, batch_size=batch, stats=stats)
        images = [one for one in found if isinstance(one, EncodedImage)]
        self.wait()
        assert len(images) == len(files), f"{len(files) - len(images)} images failed"
        return images, stats, time.perf_counter() - started


def pictures(count: int, size: tuple[int, int] | None = None) -> list[bytes]:
    """Draws birds as JPEG files; enlarged ones have some noise, as photographs have."""
    rng, made = np.random.default_rng(0), []
    for number in range(min(count, DRAWN)):
        image = draw_scene(NAMES[number % len(NAMES)], generator("demo", 1, number)).image.convert("RGB")
        if size is not None:
            large = np.asarray(image.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
            noisy = np.clip(large + rng.integers(-10, 11, large.shape), 0, 255)
            image = Image.fromarray(noisy.astype(np.uint8))
        file = io.BytesIO()
        image.save(file, "JPEG", quality=88)
        made.append(file.getvalue())
    return [made[number % len(made)] + number.to_bytes(4, "big") for number in range(count)]


def answers(
    encoder: OpenClipEncoder, images: list[EncodedImage[int]]
) -> tuple[dict[str, NDArray[np.str_]], dict[str, NDArray[np.float64]]]:
    """Returns each method's labels and margins."""
    found = Predictor(PRESETS, class_texts(NAMES, None), encoder, PLAN).predict(images)
    labels = {one.name: np.array([image.methods[one.name].label for image in found]) for one in PRESETS}
    margins = {one.name: np.array([image.methods[one.name].margin for image in found]) for one in PRESETS}
    return labels, margins


def apart(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Returns 1 - cosine of the rows of two arrays."""
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (one.astype(float), other.astype(float))]
    distance: NDArray[np.float64] = 1 - (unit[0] * unit[1]).sum(axis=1)
    return distance


def other_boxes(some: list[EncodedImage[int]], others: list[EncodedImage[int]]) -> int:
    """Returns the number of images of which other regions were encoded."""
    return sum(not np.array_equal(one.boxes, other.boxes) for one, other in zip(some, others, strict=True))
