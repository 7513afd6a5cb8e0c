"""Fresh drawings and what encoders see in them, each encoded once and kept in a folder.

A set has :data:`POOL` pictures that labels are drawn from, then the test pictures; classes take turns. Its folder holds
``truth.npy`` and one folder for each encoder: ``vectors.npy`` ``[n, N, d]`` float32 unit vectors, the whole image
first, then its regions; ``step.npy`` and ``chain.npy`` ``[n, N]`` int64, -1 for the whole image; ``side.npy`` and
``pixels.npy`` ``[n, N]``, a region's side as a share of the shorter side and in pixels; ``classes.npz``, the
class vectors of each method ``[C, d]`` and the encoder's logit scale, written last.
"""

from __future__ import annotations

import io
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.drawings import DECIDABLE, VARIED, Composition, draw_scene, generator
from lgca_plugin.method.core.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]
    Integers = NDArray[np.int64]

POOL = 2000
TEST = 1080
SINGLE = ("clip", "wca", "lgca", "wca_d", "lgca_d")
"""The methods of single encoders."""
STRONGEST = "wca_d"
"""The method of single encoders that needs no labels and is right most often: what ensembles of them start from."""
JPEG_QUALITY = 92
WHOLE = -1
OF_REGIONS = ("step", "chain", "side", "pixels")

HARD = Composition(bird_lengths=(0.08, 0.25), foreign_colour=0.02)
"""Small birds, some of them with a part in the colour of another class."""


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Drawings of one difficulty. The seeds were used for nothing else, neither training nor a choice."""

    name: str
    composition: Composition
    seed: int
    pool: int = POOL
    test: int = TEST

    @property
    def count(self) -> int:
        """The number of pictures."""
        return self.pool + self.test


SETS = {
    one.name: one
    for one in (
        PictureSet(name="hard", composition=HARD, seed=90_311),
        PictureSet(name="varied", composition=VARIED, seed=90_312),
        PictureSet(name="easy", composition=DECIDABLE, seed=90_313),
    )
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """What one encoder sees in n pictures.

    Attributes:
        name: the encoder's
        vectors: ``[n, N, d]`` float32 unit vectors, mapped from the file; the whole image first
        step: ``[n, N]`` expansion step, -1 for the whole image
        chain: ``[n, N]`` number of the crop, -1 for the whole image
        side: ``[n, N]`` side as a share of the shorter side, 1 for the whole image
        pixels: ``[n, N]`` side in pixels
        classes: method name to ``[C, d]`` float32 class vectors
        logit_scale: the encoder's factor on similarities
    """

    name: str
    vectors: Floats
    step: Integers
    chain: Integers
    side: Doubles
    pixels: Integers
    classes: dict[str, Floats]
    logit_scale: float

    @classmethod
    def read(cls, folder: Path) -> Seen:
        """Reads what :func:`encode` has written."""
        with np.load(folder / "classes.npz") as texts:
            classes = {name: texts[name] for name in SINGLE}
            logit_scale = float(texts["logit_scale"])
        vectors = np.load(folder / "vectors.npy", mmap_mode="r")
        each = {name: np.load(folder / f"{name}.npy") for name in OF_REGIONS}
        return cls(name=folder.name, vectors=vectors, classes=classes, logit_scale=logit_scale, **each)

    def rows(self, rows: Integers | slice) -> Seen:
        """Returns the same of some pictures."""
        parts = {name: getattr(self, name)[rows] for name in ("vectors", *OF_REGIONS)}
        return Seen(name=self.name, classes=self.classes, logit_scale=self.logit_scale, **parts)


def truth_of(pictures: PictureSet) -> Integers:
    """Returns ``[n]`` the index of the class of each picture."""
    return np.arange(pictures.count, dtype=np.int64) % len(CLASSES)


def files_of(pictures: PictureSet) -> Iterator[bytes]:
    """Draws the pictures of a set as JPEG files."""
    for index, label in enumerate(truth_of(pictures).tolist()):
        file = io.BytesIO()
        scene = draw_scene(CLASSES[label], generator("demo", pictures.seed, index), pictures.composition)
        scene.image.save(file, "JPEG", quality=JPEG_QUALITY)
        yield file.getvalue()


def encode(pictures: PictureSet, name: str, source: str, folder: Path) -> Seen:
    """Encodes a set with one encoder, or reads it if the folder has it.

    Args:
        pictures: the set
        name: of the encoder, names its folder
        source: what ``lgca.load_encoder`` loads
        folder: of the set

    Returns:
        what the encoder sees
    """
    own, made = folder / name, {**asdict(pictures), "source": source}
    record = own / "set.json"
    if (own / "classes.npz").exists() and json.loads(record.read_text()) == json.loads(json.dumps(made)):
        return Seen.read(own)
    own.mkdir(parents=True, exist_ok=True)
    (own / "classes.npz").unlink(missing_ok=True)
    started = time.perf_counter()
    np.save(folder / "truth.npy", truth_of(pictures))
    texts = _encode(pictures, source, own)
    record.write_text(json.dumps(made))
    np.savez(own / "classes.npz", **texts)
    sys.stderr.write(f"{pictures.name}, {name}: {pictures.count} pictures in {time.perf_counter() - started:.0f} s\n")
    return Seen.read(own)


def _encode(pictures: PictureSet, source: str, folder: Path) -> dict[str, Any]:
    """Writes the arrays of a set and returns the class vectors and the logit scale."""
    import lgca_plugin as lgca
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.engine.embeddings import EncodedImage
    from lgca_plugin.engine.engine import encode_images

    encoder = lgca.load_encoder(source)
    presets = tuple(METHODS[method] for method in SINGLE)
    plan = RegionPlan.of(presets, RegionConfig())
    arrays: dict[str, Any] = {}
    for row, image in enumerate(encode_images(enumerate(files_of(pictures)), encoder=encoder, plan=plan)):
        assert isinstance(image, EncodedImage)
        if not arrays:
            shape = (pictures.count, 1 + len(image.regions))
            whole = np.full(shape, WHOLE, np.int64)
            arrays = {"step": whole, "chain": whole.copy(), "side": np.ones(shape), "pixels": np.empty(shape, np.int64)}
            arrays["vectors"] = np.lib.format.open_memmap(
                folder / "vectors.npy", mode="w+", dtype=np.float32, shape=(*shape, encoder.dim)
            )
        arrays["vectors"][row, 0], arrays["vectors"][row, 1:] = image.whole, image.regions
        own = image.embeddings
        for name in OF_REGIONS:
            arrays[name][row, 1:] = getattr(own, name)
        arrays["pixels"][row, 0] = min(image.image_size_hw)
    arrays["vectors"].flush()
    for name in OF_REGIONS:
        np.save(folder / f"{name}.npy", arrays[name])
    texts = class_texts(CLASSES, DESCRIPTIONS)
    return {**texts.by_method(encoder, presets), "logit_scale": np.float64(encoder.logit_scale)}


def labelled_sets(pictures: PictureSet, numbers: Sequence[int], seed: int) -> dict[int, Integers]:
    """Draws pictures of the pool to be labelled, as many of each class as of any other, or one more.

    Args:
        pictures: the set
        numbers: how many
        seed: of the draw; the smaller sets of a seed are parts of its larger ones

    Returns:
        number to the rows of the pictures
    """
    rng = np.random.default_rng(seed)
    truth = truth_of(pictures)[: pictures.pool]
    turn = np.empty(len(truth))
    for label in range(len(CLASSES)):
        own = np.flatnonzero(truth == label)
        turn[own] = rng.permutation(len(own)) + rng.random(len(own))
    order = np.argsort(turn)
    return {number: order[:number] for number in numbers}
