"""An adaptive budget against the full one: how many encodes it saves, and how many labels it changes.

Each line of JSON is one run of both budgets over the same pictures: ``encodes_saved`` is the encodes of the full budget
over those of the adaptive one, ``labels_changed`` the share of images whose label differs, by method, and
``stopped_after`` the share of images by the number of crops at which they stopped. The pictures are the demo's dataset;
more of its birds, from another seed; the demo's pairs of birds with a foreign part, which are harder; and tiles of the
photographs in scikit-learn and scikit-image. The demo's model was trained on drawn birds: its labels of photographs are
guesses. ``python -m benchmarks.adaptive --what demo birds photographs``.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .shared import DEMO, load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lgca_plugin.engine.embeddings import EncodedImage, KnownRegions

METHOD_SETS = (
    ("clip", "wca", "lgca"),
    ("clip", "wca", "lgca", "lgca_d", "clip_d", "wca_global", "crops_mean"),
    ("wca",),
    ("lgca",),
    ("lgca_d",),
)
TILE = 160
BIRDS = 800
OTHER_SEED = 7


def demo(count: int | None) -> list[bytes]:
    """Draws the pictures of release 0.1.0's demo dataset, which vary more than those of today's."""
    from lgca_plugin.demo.dataset import COUNT, SEED, draw_images

    return _drawn(lambda folder: draw_images(folder, count=count or COUNT, seed=SEED))


def birds(count: int | None) -> list[bytes]:
    """Draws birds of the demo that are not in its dataset."""
    from lgca_plugin.demo.dataset import draw_images

    return _drawn(lambda folder: draw_images(folder, count=count or BIRDS, seed=OTHER_SEED))


def pairs(count: int | None) -> list[bytes]:
    """Draws birds plain and with a foreign part."""
    from lgca_plugin.demo.ambiguous import PAIRS, draw_pairs

    return _drawn(lambda folder: draw_pairs(folder, count=(count or 2 * PAIRS) // 2))


def photographs(count: int | None) -> list[bytes]:
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
    return tiles[:count]


PICTURES: dict[str, Callable[[int | None], list[bytes]]] = {
    "demo": demo,
    "birds": birds,
    "pairs": pairs,
    "photographs": photographs,
}


class Comparison:
    """Runs of both budgets over the same pictures.

    Later runs reuse the embeddings of earlier ones and only count encodes, which depend on the pictures alone.
    """

    def __init__(self, files: Sequence[bytes], encoder: Any) -> None:
        self._files = files
        self._encoder = encoder
        self._known: dict[str, KnownRegions] = {}

    def line(self, names: Sequence[str], max_flip_probability: float) -> dict[str, Any]:
        """Compares the budgets for some methods."""
        full, adaptive = (self._run(names, budget, max_flip_probability) for budget in ("full", "adaptive"))
        count = len(self._files)
        changed = {
            name: sum(one[name] != other[name] for one, other in zip(full.labels, adaptive.labels, strict=True)) / count
            for name in names
        }
        return {
            "encodes_saved": round(full.encodes / adaptive.encodes, 3),
            "encodes_per_image": {
                "full": round(full.encodes / count, 2),
                "adaptive": round(adaptive.encodes / count, 2),
            },
            "labels_changed": {name: round(share, 4) for name, share in changed.items()},
            "stopped_after": {crops: round(images / count, 3) for crops, images in sorted(adaptive.stopped.items())},
        }

    def _run(self, names: Sequence[str], budget: str, max_flip_probability: float) -> Outcome:
        from lgca_plugin.config import RegionConfig, RegionPlan
        from lgca_plugin.demo.classes import CLASSES
        from lgca_plugin.descriptions.class_texts import class_texts
        from lgca_plugin.engine.embeddings import EncodedImage
        from lgca_plugin.engine.engine import encode_images
        from lgca_plugin.method.core.methods import METHODS
        from lgca_plugin.prediction.early_stopping import EarlyStopping
        from lgca_plugin.prediction.predictor import Predictor, run_scoring

        presets = tuple(METHODS[name] for name in names)
        plan = RegionPlan.of(presets, RegionConfig(), budget)
        texts = class_texts([getattr(one, "name", one) for one in CLASSES], None)
        predictor = Predictor(presets, texts, self._encoder, plan, shown_chains=0)
        scoring = run_scoring(presets, texts, self._encoder, plan)
        can_stop = EarlyStopping(scoring, plan, max_flip_probability=max_flip_probability)
        found = encode_images(
            enumerate(self._files), encoder=self._encoder, plan=plan, can_stop=can_stop, recall=self._known.get
        )
        images = [image for image in found if isinstance(image, EncodedImage)]
        self._learn(images)
        return Outcome(
            labels=[{name: one.methods[name].label for name in names} for one in predictor.predict(images)],
            encodes=sum(image.n_encoded for image in images),
            stopped=Counter(max(plan.at(image.level).n_crops, plan.at(image.level).n_chains) for image in images),
        )

    def _learn(self, images: Sequence[EncodedImage[int]]) -> None:
        from lgca_plugin.engine.embeddings import KnownRegions

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
        labels: for each image, method name to class index
        encodes: number of encodes of all images
        stopped: number of crops to number of images that stopped after them
    """

    labels: list[dict[str, int]]
    encodes: int
    stopped: Counter[int]


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each kind of picture, set of methods and target."""
    from lgca_plugin.method.core.stopping import MAX_FLIP_PROBABILITY

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--what", nargs="+", default=list(PICTURES), choices=list(PICTURES))
    parser.add_argument("--images", type=int, help="fewer pictures of each kind")
    every = range(len(METHOD_SETS))
    parser.add_argument("--sets", type=int, nargs="+", default=list(every), choices=every, help="which sets of methods")
    parser.add_argument(
        "--flip-probability", type=float, nargs="+", default=[MAX_FLIP_PROBABILITY], help="targets of the stopping rule"
    )
    options = parser.parse_args()
    encoder = load(DEMO, precision="fp32", resize="fast")
    for what in options.what:
        files = PICTURES[what](options.images)
        comparison = Comparison(files, encoder)
        for names in (METHOD_SETS[number] for number in options.sets):
            for max_flip_probability in options.flip_probability:
                line = {"benchmark": "adaptive", "pictures": what, "images": len(files), "methods": list(names)}
                line |= {"flip_probability": max_flip_probability, **comparison.line(names, max_flip_probability)}
                print(json.dumps(line), flush=True)
    return 0


def _drawn(draw: Callable[[Path], Sequence[Any]]) -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return [Path(picture.path).read_bytes() for picture in draw(Path(folder))]


if __name__ == "__main__":
    sys.exit(main())
