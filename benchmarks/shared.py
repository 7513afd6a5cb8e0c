"""Models, pictures, runs with random embeddings, timing and tables: shared by the benchmarks."""

from __future__ import annotations

import hashlib
import io
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.method.comparison.paired import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lgca_plugin.config import RegionPlan
    from lgca_plugin.descriptions.class_texts import ClassTexts
    from lgca_plugin.prediction.predictor import Predictor
    from lgca_plugin.store.rows import StoredRun
    from lgca_plugin.store.store import Store

DEMO = "demo"
DIM = 512
KEY = "bench"


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


class RandomTexts:
    """Embeds every text as a random vector, the same in every process; it encodes no images."""

    name = "random-512"
    image_size = 224
    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)
    logit_scale = 100.0
    fingerprint = "random-512"

    def __init__(self, dim: int = DIM) -> None:
        self.dim = dim

    def encode_images(self, pixels: Any) -> Any:
        """Raises an error: these benchmarks encode no image."""
        raise AssertionError("an image was encoded")

    def encode_texts(self, texts: Any) -> Any:
        """Embeds texts as random unit vectors."""
        seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") for text in texts]
        return unit(np.stack([np.random.default_rng(seed).standard_normal(self.dim) for seed in seeds]))


def unit(vectors: Any) -> Any:
    """Scales vectors to unit length, float32."""
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Filling:
    """A registered run on a dataset of its own, to be filled.

    Attributes:
        run: the run
        texts: the classes and their descriptions
        encoder: embeds the texts
        plan: the default regions
        predictor: scores the samples that are filled in
    """

    run: Any
    texts: ClassTexts
    encoder: RandomTexts
    plan: RegionPlan
    predictor: Predictor

    def sample(self, id_: Any) -> dict[str, Any]:
        """Returns the document of a sample without predictions."""
        now = datetime.now(timezone.utc).replace(tzinfo=None)  # as FiftyOne stamps its samples
        return {
            "_id": id_,
            "filepath": f"/images/{id_}.jpg",
            "_media_type": "image",
            "_rand": 0.5,
            "tags": [],
            "metadata": None,
            "_dataset_id": self.run.dataset._doc.id,
            "created_at": now,
            "last_modified_at": now,
        }

    def open_entry(self, store: Store) -> StoredRun:
        """Opens the run's entry in the store."""
        from lgca_plugin.fiftyone_io.database import dataset_id
        from lgca_plugin.fiftyone_io.tokens import database_id
        from lgca_plugin.store.store import geometry_of

        return store.open_run(
            self.run.token,
            fingerprint="random-512/fp32",
            encoder_name=self.encoder.name,
            logit_scale=self.encoder.logit_scale,
            geometry=geometry_of(self.run.config.regions),
            vector_keys=self.predictor.vector_keys,
            database=database_id(),
            dataset=dataset_id(self.run.dataset),
            run_key=KEY,
        )

    def keep_texts(self, store: Store, stored: StoredRun) -> None:
        """Stores the embeddings of all texts."""
        unknown = list(dict.fromkeys(self.texts.all_texts()))
        store.write_texts(stored.encoder, dict(zip(unknown, self.encoder.encode_texts(unknown), strict=True)))


def new_run(
    classes: list[str], methods: Sequence[str], *, ground_truth: str | None = None, shown_chains: int = 3
) -> Filling:
    """Registers a run on a new, empty dataset, with a label field if one is named."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.config import RegionPlan, RunConfig
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.fiftyone_io import fields
    from lgca_plugin.prediction.predictor import Predictor
    from lgca_plugin.run import Run
    from lgca_plugin.runs.registry import register_run

    dataset = fo.Dataset()
    if ground_truth is not None:
        dataset.add_sample_field(ground_truth, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    presets = tuple(lgca.METHODS[name] for name in methods)
    texts, encoder = class_texts(classes), RandomTexts()
    config = RunConfig(
        classes=tuple(classes),
        descriptions_hash=texts.digest,
        methods=presets,
        regions=lgca.RegionConfig(),
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        precision="fp32",
        ground_truth=ground_truth,
    )
    descriptions = {name: list(own) for name, own in texts.descriptions.items()}
    run = Run.of(register_run(dataset, KEY, config, {"descriptions": descriptions}))
    fields.declare_fields(dataset, KEY, presets)
    plan = RegionPlan.of(presets, config.regions)
    predictor = Predictor(presets, texts, encoder, plan, shown_chains=shown_chains)
    return Filling(run=run, texts=texts, encoder=encoder, plan=plan, predictor=predictor)


@dataclass(frozen=True)
class Share:
    """``k`` of ``n``, with Wilson's 95% interval as text."""

    k: int
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = wilson_interval(self.k, self.n)
        return f"{self.k} of {self.n}, {self.k / self.n:.1%} ({low:.1%} to {high:.1%})"

    @classmethod
    def of(cls, flags: Iterable[bool]) -> Share:
        """Counts the flags that are set."""
        flags = list(flags)
        return cls(sum(map(bool, flags)), len(flags))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
