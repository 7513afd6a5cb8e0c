"""Trains the demo's tiny CLIP on drawn birds: ``python -m lgca_plugin.demo.train [--out DIR] [--steps N] [--seed N]``.

``--architecture vit`` trains another small CLIP, for a folder of its own; ``lgca.load_encoder("local-dir:DIR")`` loads
it. The pictures are drawn for the training, from a domain of seeds that the demo dataset can't reach; progress is
validated on drawings of a third domain. A second run with the same arguments, machine and package versions writes the
same bytes.
"""

from __future__ import annotations

import argparse
import io
import math
import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from .captions import Caption, Facts, caption, facts, vocabulary
from .checkpoint import MODEL_DIR, full_state, save_model
from .classes import CLASSES
from .crops import draw_crop
from .drawings import Scene, draw_scene, generator
from .tiny_clip import ARCHITECTURES, DEFAULT_ARCHITECTURE, IMAGE_SIZE, MEAN, STD, Tokenizer, encode_texts, make_model

if TYPE_CHECKING:
    import torch

JPEG_QUALITY: Final = 92
WARM_UP: Final = 60
MAX_LOGIT_SCALE: Final = 50.0


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The settings of a training run.

    Attributes:
        steps: optimizer steps
        batch: crops in a step
        scenes: pictures drawn for the training
        validation: pictures drawn for the validation
        seed: seed of the drawings, the crops and the weights
        architecture: one of :data:`lgca_plugin.demo.tiny_clip.ARCHITECTURES`
        learning_rate: peak of the schedule
        weight_decay: AdamW's
        processes: processes that draw
        threads: torch's threads; another number may round differently
    """

    steps: int = 2400
    batch: int = 64
    scenes: int = 6000
    validation: int = 600
    seed: int = 0
    architecture: str = DEFAULT_ARCHITECTURE
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    processes: int = 2
    threads: int = 1


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A step's crops and captions.

    Attributes:
        pixels: ``[n, 3, S, S]`` normalized crops
        texts: n captions
        true: ``[n, n]``, whether caption j is true of crop i
    """

    pixels: npt.NDArray[np.float32]
    texts: list[str]
    true: npt.NDArray[np.bool_]


def train(config: TrainingConfig, out: str | Path) -> float:
    """Draws the pictures, trains the model and writes it.

    Args:
        config: what to do
        out: folder for the model

    Returns:
        top-1 accuracy of the written model, plain CLIP, on the validation pictures (nan without any)
    """
    started = time.perf_counter()
    scenes = draw_scenes("training", config.scenes, config)
    checks = draw_scenes("validation", config.validation, config)
    print(f"drew {len(scenes)} + {len(checks)} pictures in {time.perf_counter() - started:.0f} s", flush=True)

    with _reproducible(config):
        model, tokenizer = make_model(config.architecture)
        _fit(model, tokenizer, scenes, checks[:300], config)
        state = full_state(model.state_dict(), tokenizer.ids)
        save_model(out, state, vocabulary(), config.architecture)
        # What is written is rounded to half precision: validate that.
        rounded = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        rounded["token_embedding.weight"] = rounded["token_embedding.weight"][tokenizer.ids]
        model.load_state_dict(rounded)
        accuracy = _accuracy(model, tokenizer, checks)
    elapsed = time.perf_counter() - started
    print(f"wrote {out} after {elapsed:.0f} s; validation top-1 {accuracy:.1%} of {len(checks)}", flush=True)
    return accuracy


@contextmanager
def _reproducible(config: TrainingConfig) -> Iterator[None]:
    """Makes torch deterministic, and restores its settings."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(config.threads)
        torch.use_deterministic_algorithms(True)
        torch.manual_seed(config.seed)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
            torch.set_num_threads(threads)


def _fit(
    model: Any,
    tokenizer: Tokenizer,
    scenes: list[tuple[bytes, Scene]],
    checks: list[tuple[bytes, Scene]],
    config: TrainingConfig,
) -> None:
    """Trains the model in place."""
    import torch

    optimizer = torch.optim.AdamW(_parameter_groups(model, config), lr=config.learning_rate, betas=(0.9, 0.98))
    for step, batch in enumerate(_batches(scenes, config)):
        for group in optimizer.param_groups:
            group["lr"] = _learning_rate(step, config)
        loss = _loss(model, tokenizer, batch)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(MAX_LOGIT_SCALE))
        if (step + 1) % 200 == 0 or step + 1 == config.steps:
            accuracy, scale = _accuracy(model, tokenizer, checks), model.logit_scale.exp().item()
            print(
                f"step {step + 1}/{config.steps}: loss {loss.item():.3f}, logit scale {scale:.1f}, "
                f"validation {accuracy:.1%}",
                flush=True,
            )


def draw_scenes(domain: str, count: int, config: TrainingConfig) -> list[tuple[bytes, Scene]]:
    """Draws scenes of all classes in turn and compresses their pictures as the demo dataset's are."""
    jobs = [(domain, config.seed, index) for index in range(count)]
    if config.processes <= 1:
        return [_draw_job(job) for job in jobs]
    # Spawned, not forked: torch's threads may be running already.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.processes, mp_context=context) as pool:
        return list(pool.map(_draw_job, jobs, chunksize=50))


def _draw_job(job: tuple[str, int, int]) -> tuple[bytes, Scene]:
    domain, seed, index = job
    scene = draw_scene(CLASSES[index % len(CLASSES)], generator(domain, seed, index))
    buffer = io.BytesIO()
    scene.image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    # The picture is sent and stored as JPEG; a single pixel stands in for it.
    return buffer.getvalue(), replace(scene, image=Image.new("RGB", (1, 1)))


def _batches(scenes: list[tuple[bytes, Scene]], config: TrainingConfig) -> Iterator[Batch]:
    """Yields the steps' batches, made one ahead in a second thread; each depends only on the seed and its number."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(_make_batch, scenes, config, 0)
        for step in range(config.steps):
            batch = coming.result()
            coming = pool.submit(_make_batch, scenes, config, min(step + 1, config.steps - 1))
            yield batch


def _make_batch(scenes: list[tuple[bytes, Scene]], config: TrainingConfig, step: int) -> Batch:
    rng = generator("training", config.seed, config.scenes, step)
    chosen = rng.choice(len(scenes), config.batch, replace=len(scenes) < config.batch)
    pixels: list[npt.NDArray[np.float32]] = []
    shown: list[Facts] = []
    captions: list[Caption] = []
    for index in chosen:
        jpeg, scene = scenes[index]
        crop = draw_crop(scene, rng)
        shown.append(facts(scene, crop))
        captions.append(caption(shown[-1], rng))
        with Image.open(io.BytesIO(jpeg)) as image:
            pixels.append(_to_pixels(image, crop))
    return Batch(pixels=np.stack(pixels), texts=[item.text for item in captions], true=true_captions(shown, captions))


def true_captions(shown: list[Facts], captions: list[Caption]) -> npt.NDArray[np.bool_]:
    """Returns ``[crops, captions]`` whether a caption is true of a crop."""
    return np.array([[item.claims <= crop.claims for item in captions] for crop in shown])


def _to_pixels(image: Image.Image, crop: tuple[float, float, float, float]) -> npt.NDArray[np.float32]:
    """Resizes a crop to the model's input and normalizes it: ``[3, S, S]``."""
    resized = image.resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC, box=crop)
    scaled = (np.asarray(resized, dtype=np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _parameter_groups(model: Any, config: TrainingConfig) -> list[dict[str, Any]]:
    """Returns parameter groups with weight decay for matrices and filters only."""
    decayed = [value for name, value in model.named_parameters() if value.ndim >= 2 and "embedding" not in name]
    others = [value for name, value in model.named_parameters() if value.ndim < 2 or "embedding" in name]
    return [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]


def _learning_rate(step: int, config: TrainingConfig) -> float:
    """Returns the learning rate: linear warm-up, then half a cosine to zero."""
    if step < WARM_UP:
        return config.learning_rate * (step + 1) / WARM_UP
    progress = (step - WARM_UP) / max(1, config.steps - WARM_UP)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def _loss(model: Any, tokenizer: Tokenizer, batch: Batch) -> torch.Tensor:
    """Returns CLIP's contrastive loss; a caption that is true of another crop is no negative of that crop."""
    import torch
    from torch.nn import functional

    model.train()
    pixels = torch.from_numpy(batch.pixels).contiguous(memory_format=torch.channels_last)
    images = model.encode_image(pixels, normalize=True)
    texts = encode_texts(model, tokenizer(batch.texts))
    logits = model.logit_scale.exp() * images @ texts.T
    own = torch.eye(len(batch.texts), dtype=torch.bool)
    logits = logits.masked_fill(torch.from_numpy(batch.true) & ~own, -torch.inf)
    targets = torch.arange(len(batch.texts))
    return (functional.cross_entropy(logits, targets) + functional.cross_entropy(logits.T, targets)) / 2


def _accuracy(model: Any, tokenizer: Tokenizer, scenes: list[tuple[bytes, Scene]]) -> float:
    """Returns the share of pictures whose class is the best match of "a photo of a {class}."."""
    import torch

    if not scenes:
        return math.nan
    model.eval()
    pixels = []
    for jpeg, scene in scenes:
        side = min(scene.size)
        left, top = (scene.size[0] - side) / 2, (scene.size[1] - side) / 2
        with Image.open(io.BytesIO(jpeg)) as image:
            pixels.append(_to_pixels(image, (left, top, left + side, top + side)))
    with torch.inference_mode():
        texts = model.encode_text(tokenizer([f"a photo of a {name}." for name in CLASSES]), normalize=True)
        images = model.encode_image(torch.from_numpy(np.stack(pixels)), normalize=True)
        best = (images @ texts.T).argmax(1).tolist()
    return float(np.mean([CLASSES[index] == scene.label for index, (_, scene) in zip(best, scenes, strict=True)]))


def main() -> None:
    """Reads the command line and trains."""
    defaults = TrainingConfig()
    parser = argparse.ArgumentParser(prog="python -m lgca_plugin.demo.train", description=__doc__)
    parser.add_argument("--out", default=str(MODEL_DIR), help="folder for the model (default: the package's own)")
    parser.add_argument("--steps", type=int, default=defaults.steps, help="optimizer steps (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="seed of everything (default: %(default)s)")
    parser.add_argument(
        "--architecture", choices=list(ARCHITECTURES), default=defaults.architecture, help="default: %(default)s"
    )
    arguments = parser.parse_args()
    if arguments.architecture != DEFAULT_ARCHITECTURE and arguments.out == str(MODEL_DIR):
        parser.error(f"the package's own model is a {DEFAULT_ARCHITECTURE}; name another folder with --out")
    train(
        TrainingConfig(steps=arguments.steps, seed=arguments.seed, architecture=arguments.architecture), arguments.out
    )


if __name__ == "__main__":
    main()
