"""Models and pictures for benchmarks of the engine."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DEMO = "demo"


def load(model: str, *, precision: str, resize: str) -> Any:
    """Returns an encoder by name: the demo's, or an open_clip architecture with random weights."""
    import lgca_plugin as lgca

    if model == DEMO:
        return lgca.load_encoder(DEMO, precision=precision, resize=resize)
    from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder

    built, _ = plain(model)
    import open_clip

    return OpenClipEncoder(built, open_clip.get_tokenizer(model), name=model, precision=precision, resize=resize)


def plain(model: str) -> tuple[Any, Any]:
    """Returns the same model as open_clip makes it, and its preprocessing."""
    import open_clip
    import torch

    torch.manual_seed(0)
    built, _, preprocess = open_clip.create_model_and_transforms(open_clip_name(model), pretrained=None)
    return built.eval(), preprocess


def open_clip_name(model: str) -> str:
    """Returns the name under which open_clip makes a model."""
    import lgca_plugin

    folder = Path(lgca_plugin.__file__).parent / "demo" / "model"
    return f"local-dir:{folder}" if model == DEMO else model


def draw(count: int, size: str, quality: int = 90) -> list[bytes]:
    """Draws birds as JPEG files of a size, such as ``500x400``; ``own`` is the size in which they are drawn."""
    from PIL import Image

    from lgca_plugin.demo.dataset import draw_images

    files = []
    with tempfile.TemporaryDirectory() as folder:
        for picture in draw_images(Path(folder), count=count, seed=0):
            with Image.open(picture.path) as opened:
                image = opened.convert("RGB")
            if size != "own":
                width, height = map(int, size.split("x"))
                image = image.resize((width, height), Image.Resampling.BICUBIC)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=quality)
            files.append(file.getvalue())
    return files


def in_turns(tasks: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Times tasks in turns, so that a slow minute slows all of them; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for counted in range(-1, rounds):
        for name, task in tasks.items():
            started = time.perf_counter()
            task()
            if counted >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def rounded(found: dict[str, Any]) -> dict[str, Any]:
    """Rounds numbers to three places."""
    return {
        name: [round(one, 3) for one in value] if isinstance(value, list) else round(value, 3)
        for name, value in found.items()
    }
