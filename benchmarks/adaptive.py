"""The budgets on the same pictures: how many encodes each takes, how right its labels are, and how many it changes.

Each line of JSON is one set of methods on one kind of picture. For each of :data:`PLANS`: ``encodes`` an image;
``changed``, the share of images whose label differs from that of the full budget, by method; ``accuracy`` where the
right labels are known, and ``difference``, that to the full budget with its 95% interval, paired; and ``stopped``, the
share of images by the number of crops at which they stopped.

The pictures are fresh drawings, hard and easy ones, 1,080 each; the demo's dataset of release 0.1.0; more of its birds;
the demo's pairs of birds with a foreign part; and tiles of the photographs in scikit-learn and scikit-image. The demo's
models were trained on drawn birds: their labels of photographs are guesses, which may stay or change.
``python -m benchmarks.adaptive --what hard easy photographs --sets 1 2``.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import lgca_plugin as lgca
from lgca_plugin.config import RegionConfig, RegionPlan
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.drawings import DECIDABLE
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.method.comparison.paired import compare
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.core.stopping import MAX_FLIP_PROBABILITY
from lgca_plugin.prediction.early_stopping import EarlyStopping
from lgca_plugin.prediction.predictor import Predictor, run_scoring

from .fused.pictures import HARD, TEST, PictureSet, files_of, truth_of
from .shared import DEMO

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lgca_plugin.method.core.methods import Method

METHOD_SETS = (
    ("clip", "wca", "lgca"),
    ("clip", "wca", "lgca", "wca_d"),
    ("clip", "wca", "lgca", "wca_d", "lgca_d"),
    ("clip", "wca", "lgca", "wca_d", "lgca_d", "clip_d", "wca_global", "crops_mean"),
    ("wca",),
    ("lgca",),
    ("wca_d",),
    ("lgca_d",),
)
TILE = 160
BIRDS = 800
OTHER_SEED = 7


@dataclass(frozen=True)
class Pictures:
    """Image files, and ``[n]`` the index of the class of each where it is known."""

    files: list[bytes]
    truth: NDArray[np.int64] | None = None


def hard(count: int | None) -> Pictures:
    """Draws small birds, some with a part in the colour of another class."""
    return _fresh(PictureSet(name="hard", composition=HARD, seed=96_101, pool=0, test=count or TEST))


def easy(count: int | None) -> Pictures:
    """Draws birds as those of today's demo dataset."""
    return _fresh(PictureSet(name="easy", composition=DECIDABLE, seed=96_102, pool=0, test=count or TEST))


def _fresh(pictures: PictureSet) -> Pictures:
    return Pictures(list(files_of(pictures)), truth_of(pictures))


def demo(count: int | None) -> Pictures:
    """Draws the pictures of release 0.1.0's demo dataset, which vary more than those of today's."""
    from lgca_plugin.demo.dataset import COUNT, SEED, draw_images

    return _drawn(lambda folder: draw_images(folder, count=count or COUNT, seed=SEED))


def birds(count: int | None) -> Pictures:
    """Draws birds of the demo that are not in its dataset."""
    from lgca_plugin.demo.dataset import draw_images

    return _drawn(lambda folder: draw_images(folder, count=count or BIRDS, seed=OTHER_SEED))


def pairs(count: int | None) -> Pictures:
    """Draws birds plain and with a foreign part."""
    from lgca_plugin.demo.ambiguous import PAIRS, draw_pairs

    return _drawn(lambda folder: draw_pairs(folder, count=(count or 2 * PAIRS) // 2))


def photographs(count: int | None) -> Pictures:
    """Cuts photographs into square tiles."""
    import skimage
    import sklearn
    from PIL import Image

    folders = (Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images")
    tiles = []
    for path in sorted(file for folder in folders for file in folder.glob("*.[jp][pn]g")):
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        for top in range(0, image.height - TILE + 1, TILE):
            for left in range(0, image.width - TILE + 1, TILE):
                file = io.BytesIO()
                image.crop((left, top, left + TILE, top + TILE)).save(file, "PNG")
                tiles.append(file.getvalue())
    return Pictures(tiles[:count])


PICTURES: dict[str, Callable[[int | None], Pictures]] = {
    "hard": hard,
    "easy": easy,
    "demo": demo,
    "birds": birds,
    "pairs": pairs,
    "photographs": photographs,
}


def _full(methods: tuple[Method, ...]) -> RegionPlan:
    return RegionPlan.of(methods, RegionConfig())


def _first_third(methods: tuple[Method, ...]) -> RegionPlan:
    spread = RegionPlan.of(methods, RegionConfig(), "economical")
    return replace(spread, budget="adaptive", spread_of=None)


PLANS: dict[str, Callable[[tuple[Method, ...]], RegionPlan]] = {
    "full": _full,
    "adaptive": lambda methods: RegionPlan.of(methods, RegionConfig(), "adaptive"),
    "spread third": lambda methods: RegionPlan.of(methods, RegionConfig(), "economical").levels[-1],
    "economical": lambda methods: RegionPlan.of(methods, RegionConfig(), "economical"),
    "first third, adaptive": _first_third,
}
"""All crops; stopping early; the third of the crops that overlaps least; both; and as a control the first third."""


class Comparison:
    """Runs of all budgets over the same pictures.

    Later runs reuse the embeddings of earlier ones and only count encodes, which depend on the pictures alone.
    """

    def __init__(self, pictures: Pictures, encoder: Any) -> None:
        self._pictures = pictures
        self._encoder = encoder
        self._known: dict[str, KnownRegions] = {}

    def lines(self, names: Sequence[str], max_flip_probability: float) -> dict[str, Any]:
        """Compares the budgets for some methods."""
        methods = tuple(METHODS[name] for name in names)
        outcomes = {budget: self._run(methods, plan(methods), max_flip_probability) for budget, plan in PLANS.items()}
        return {budget: self._line(outcome, outcomes["full"]) for budget, outcome in outcomes.items()}

    def _line(self, own: Outcome, full: Outcome) -> dict[str, Any]:
        truth, count = self._pictures.truth, len(self._pictures.files)
        line: dict[str, Any] = {
            "encodes": round(own.encodes / count, 2),
            "changed": {name: round(float((own.labels[name] != full.labels[name]).mean()), 4) for name in own.labels},
            "stopped": {crops: round(images / count, 3) for crops, images in sorted(own.stopped.items())},
        }
        if truth is not None:
            line["accuracy"], line["difference"] = {}, {}
            for name, labels in own.labels.items():
                found = compare({"full": full.labels[name] == truth, "own": labels == truth})[0]
                line["accuracy"][name] = round(float((labels == truth).mean()), 4)
                line["difference"][name] = [round(one, 4) for one in (found.difference, *found.interval)]
        return line

    def _run(self, methods: tuple[Method, ...], plan: RegionPlan, max_flip_probability: float) -> Outcome:
        texts = class_texts(CLASSES, DESCRIPTIONS)
        predictor = Predictor(methods, texts, self._encoder, plan, shown_chains=0)
        scoring = run_scoring(methods, texts, self._encoder, plan)
        can_stop = EarlyStopping(scoring, plan, max_flip_probability=max_flip_probability)
        files = enumerate(self._pictures.files)
        found = encode_images(files, encoder=self._encoder, plan=plan, can_stop=can_stop, recall=self._known.get)
        images = sorted((image for image in found if isinstance(image, EncodedImage)), key=lambda image: image.id)
        self._learn(images)
        predictions = list(predictor.predict(images))
        return Outcome(
            labels={m.name: np.array([one.methods[m.name].label for one in predictions]) for m in methods},
            encodes=sum(image.n_encoded for image in images),
            stopped=Counter(max(plan.at(image.level).n_crops, plan.at(image.level).n_chains) for image in images),
        )

    def _learn(self, images: Sequence[EncodedImage[int]]) -> None:
        for image in images:
            own, known = image.distinct(), self._known.get(image.content_hash)
            found = {} if known is None else dict(zip(map(tuple, known.boxes.tolist()), known.regions, strict=True))
            found.update(zip(map(tuple, image.boxes[own].tolist()), image.regions[own], strict=True))
            found.update(image.previous)
            self._known[image.content_hash] = KnownRegions(
                image.image_size_hw, image.whole, np.array(list(found)), np.array(list(found.values()))
            )


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        labels: method name to ``[n]`` class indices
        encodes: number of encodes of all images
        stopped: number of crops to number of images that stopped after them
    """

    labels: dict[str, NDArray[np.int64]]
    encodes: int
    stopped: Counter[int]


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each kind of picture, set of methods and target."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--what", nargs="+", default=list(PICTURES), choices=list(PICTURES))
    parser.add_argument("--images", type=int, help="fewer pictures of each kind")
    every = range(len(METHOD_SETS))
    parser.add_argument("--sets", type=int, nargs="+", default=list(every), choices=every, help="which sets of methods")
    parser.add_argument(
        "--flip-probability", type=float, nargs="+", default=[MAX_FLIP_PROBABILITY], help="targets of the stopping rule"
    )
    parser.add_argument("--model", default=DEMO, help="such as demo-vit")
    options = parser.parse_args()
    encoder = lgca.load_encoder(options.model, precision="fp32", resize="fast")
    for what in options.what:
        pictures = PICTURES[what](options.images)
        comparison = Comparison(pictures, encoder)
        for names in (METHOD_SETS[number] for number in options.sets):
            for max_flip_probability in options.flip_probability:
                line = {
                    "benchmark": "adaptive",
                    "pictures": what,
                    "images": len(pictures.files),
                    "model": options.model,
                }
                line |= {"methods": list(names), "flip_probability": max_flip_probability}
                print(json.dumps(line | comparison.lines(names, max_flip_probability)), flush=True)
    return 0


def _drawn(draw: Callable[[Path], Sequence[Any]]) -> Pictures:
    with tempfile.TemporaryDirectory() as folder:
        return Pictures([Path(picture.path).read_bytes() for picture in draw(Path(folder))])


if __name__ == "__main__":
    sys.exit(main())
