"""Fast crops and bfloat16 against exact crops in float32: changes of labels and of embeddings.

On the demo's birds with the demo's trained model. Each line of JSON is one precision and way of resizing: the share of
labels that differ from those of exact crops in float32, for every method, and the mean and lowest cosine between
embeddings of the same region. ``python -m benchmarks.agreement --size own 4000x3000``.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np

from .shared import DEMO, draw, load

METHODS = ("clip", "wca", "lgca", "lgca_d")
SETTINGS = (("fp32", "fast"), ("bf16", "exact"), ("bf16", "fast"))


def run(encoder: Any, files: list[bytes]) -> tuple[list[dict[str, int]], list[Any]]:
    """Returns the labels and the embeddings of the crops of every image."""
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.demo.classes import CLASSES
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.engine.embeddings import EncodedImage
    from lgca_plugin.engine.engine import encode_images
    from lgca_plugin.method.core.methods import METHODS as PRESETS
    from lgca_plugin.prediction.predictor import Predictor

    presets = tuple(PRESETS[name] for name in METHODS)
    plan = RegionPlan.of(presets, RegionConfig())
    names = [getattr(one, "name", one) for one in CLASSES]
    predictor = Predictor(presets, class_texts(names, None), encoder, plan, shown_chains=0)
    labels, embeddings = [], []
    for image in encode_images(enumerate(files), encoder=encoder, plan=plan):
        assert isinstance(image, EncodedImage)
        (prediction,) = predictor.predict([image])
        labels.append({name: prediction.methods[name].label for name in METHODS})
        crops = image.step == 0  # grown regions may differ
        embeddings.append(np.vstack([image.whole, image.regions[crops]]))
    return labels, embeddings


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each size and setting."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--size", nargs="+", default=["own"])
    parser.add_argument("--images", type=int, default=240)
    options = parser.parse_args()
    for size in options.size:
        files = draw(options.images, size)
        expected, exact = run(load(DEMO, precision="fp32", resize="exact"), files)
        for precision, resize in SETTINGS:
            found, embeddings = run(load(DEMO, precision=precision, resize=resize), files)
            changed = {
                name: sum(one[name] != other[name] for one, other in zip(found, expected, strict=True)) / len(files)
                for name in METHODS
            }
            cosine = np.concatenate([(a * b).sum(axis=1) for a, b in zip(embeddings, exact, strict=True)])
            line = {"benchmark": "agreement", "size": size, "images": len(files), "precision": precision}
            shown = {name: round(share, 4) for name, share in changed.items()}
            means = {"mean_cosine": round(float(cosine.mean()), 6), "lowest_cosine": round(float(cosine.min()), 5)}
            print(json.dumps({**line, "resize": resize, "labels_changed": shown, **means}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
