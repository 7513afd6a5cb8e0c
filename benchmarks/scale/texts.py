"""What the texts of the classes cost a first run, and a later one, which reads them from the store.

Texts are embedded as random vectors of 512 numbers, which takes no time of a model's: ``model_s`` is what open_clip's
ViT-B-32 takes for as many, measured on 128 of them. A line of JSON for each number of classes and of texts a class, in
CPU seconds: ``first_s`` stores the texts, ``later_s`` reads them by another encoder object and makes the class vectors
of the default methods; ``later_embeds`` counts the texts that it embeds. ``python -m benchmarks.scale.texts``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from benchmarks.shared import RandomTexts, load, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES = ((100, 8), (1000, 8), (1000, 50), (5000, 8))
TIMED = 128


class Counted(RandomTexts):
    """Counts the texts that it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.embedded = 0

    def encode_texts(self, texts: Sequence[str]) -> Any:
        """Embeds texts as random unit vectors."""
        self.embedded += len(texts)
        return super().encode_texts(texts)


def measure(classes: int, texts: int, model_ms: float) -> dict[str, Any]:
    """Times a first run's texts and a later one's, in a store of their own."""
    from lgca_plugin.config import RegionConfig
    from lgca_plugin.config.default_methods import run_methods
    from lgca_plugin.descriptions.class_texts import class_texts
    from lgca_plugin.encoder.own_encoder import as_encoder
    from lgca_plugin.runs.stored_texts import KnownTexts

    names = [f"class {number}" for number in range(classes)]
    described = class_texts(names, {name: [f"{name}, seen {number}" for number in range(texts)] for name in names})
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LGCA_STORE_DIR"] = folder
        for call in ("first", "later"):
            encoder = Counted()
            started = time.process_time()
            described.by_method(KnownTexts(as_encoder(encoder)), run_methods(None, RegionConfig()))
            found |= {f"{call}_s": time.process_time() - started, f"{call}_embeds": encoder.embedded}
    return {**rounded(found), "model_s": round(model_ms * found["first_embeds"] / 1000)}


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="ViT-B-32")
    options = parser.parse_args()
    encoder = load(options.model, precision="fp32", resize="exact")
    encoder.encode_texts(["a text that warms it up"])
    started = time.process_time()
    encoder.encode_texts([f"a photo of class {number}, seen from above" for number in range(TIMED)])
    model_ms = 1000 * (time.process_time() - started) / TIMED
    for classes, texts in SIZES:
        found = measure(classes, texts, model_ms)
        print(json.dumps({"benchmark": "texts", "classes": classes, "texts": texts, **found}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
