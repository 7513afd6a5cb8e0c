"""The engine over the encoder alone on as many encodes, as a ratio of times.

Drawn birds as JPEGs, the default regions, all three methods: 87 encodes an image. In every round the engine goes
through the images, from the files' bytes to embeddings in memory, and then the encoder alone through as many batches of
ready pixels. The median of the rounds' ratios is reported, a line of JSON for each image size and way of resizing.
``make bench`` runs it with the demo's model; open_clip's by name:
``python -m benchmarks.engine --model ViT-B-32 --images 4 --batch-size 32``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from typing import Any

from .towers import DEMO, draw, in_turns, load, rounded

SIZES = ("500x400", "4000x3000")
METHODS = ("clip", "wca", "lgca")


def measure(encoder: Any, files: list[bytes], rounds: int, batch_size: int | None) -> dict[str, Any]:
    """Times both, in turns."""
    import torch

    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.engine.engine import default_batch_size, encode_images
    from lgca_plugin.engine.feeder import EngineStats
    from lgca_plugin.method.core.methods import METHODS as PRESETS

    plan = RegionPlan.of(tuple(PRESETS[name] for name in METHODS), RegionConfig())
    size = batch_size or default_batch_size(encoder)
    pixels = torch.randn(size, 3, encoder.image_size, encoder.image_size)
    pixels = pixels.to(memory_format=torch.channels_last)
    stats = EngineStats()

    def engine() -> None:
        nonlocal stats
        stats = EngineStats()
        for _ in encode_images(enumerate(files), encoder=encoder, plan=plan, batch_size=batch_size, stats=stats):
            pass

    def alone() -> None:
        left = stats.encodes
        while left > 0:
            encoder.encode_images(pixels[:left])
            left -= size

    seconds = in_turns({"engine": engine, "alone": alone}, rounds)
    ratios = [engine_s / alone_s for engine_s, alone_s in zip(seconds["engine"], seconds["alone"], strict=True)]
    wall = seconds["engine"][-1]
    return {
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "encodes": stats.encodes,
        "encoder_ms_per_encode": 1000 * statistics.median(seconds["alone"]) / stats.encodes,
        "images_per_second": len(files) / statistics.median(seconds["engine"]),
        "threads_in_encoder": stats.encoder_seconds / wall,
        "threads_cutting": stats.crop_seconds / wall,
        "wait_share": stats.wait_seconds / wall,
        "batch_fill": stats.batch_fill,
    }


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each size and way of resizing."""
    import torch

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--size", nargs="+", default=["500x400"], help=f"of the images, for example {' '.join(SIZES)}")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--resize", nargs="+", default=["exact", "fast"])
    parser.add_argument("--images", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int)
    options = parser.parse_args()
    for size in options.size:
        files = draw(options.images, size)
        for resize in options.resize:
            encoder = load(options.model, precision=options.precision, resize=resize)
            found = measure(encoder, files, options.rounds, options.batch_size)
            about = {"benchmark": "engine", "model": options.model, "size": size, "images": options.images}
            how = {"precision": encoder.precision, "resize": resize, "threads": torch.get_num_threads()}
            print(json.dumps({**about, **how, **rounded(found)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
