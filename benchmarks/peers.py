"""The engine against what people use today, on the same images, boxes and model.

- ``patches``: FiftyOne's ``compute_patch_embeddings`` with its own open_clip model, at its default settings and at
  several batch sizes
- ``script``: a plain script in the manner of WCA's published code: Pillow crops, open_clip's preprocessing for each
  crop, the crops of one image a batch
- ``apply_model``: FiftyOne's ``apply_model`` with its open_clip model against ``lgca.classify`` with plain CLIP, both
  from files to labels in the database

60 crops an image. A line of JSON is printed for each peer: its seconds over the engine's, the median of rounds in which
all take turns; above 1 the engine is faster. Run it with a database:
``python scripts/mongod.py FOLDER python -m benchmarks.peers --model ViT-B-32 --images 4``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .shared import DEMO, draw, in_turns, load, open_clip_name, plain, rounded

CLASSES = ["arctic tern", "redpoll", "oystercatcher", "blue tit", "white stork"]


def zoo_model(model: str) -> Any:
    """Makes FiftyOne's own open_clip model, as its zoo does, with the weights at hand."""
    import torch
    from fiftyone.utils.open_clip import TorchOpenClipModel, TorchOpenClipModelConfig

    torch.manual_seed(0)
    config = {
        "clip_model": open_clip_name(model),
        "pretrained": "",
        "text_prompt": "A photo of",
        "classes": CLASSES,
        "embeddings_layer": "visual",
        "output_processor_cls": "fiftyone.utils.torch.ClassifierOutputProcessor",
        "entrypoint_fcn": "",
        "device": "cpu" if not torch.cuda.is_available() else "cuda",
    }
    return TorchOpenClipModel(TorchOpenClipModelConfig(config))


def boxes_of(files: list[bytes]) -> list[Any]:
    """Gives the crops of a run of WCA, absolute."""
    from lgca_plugin.images.decoding import open_picture
    from lgca_plugin.images.files import content_hash
    from lgca_plugin.method.core.boxes import sample_boxes

    return [
        sample_boxes(
            60, open_picture(file).size_hw, scale_min=0.5, scale_max=0.9, seed=0, content_hash=content_hash(file)
        )
        for file in files
    ]


def dataset_of(folder: Path, files: list[bytes], boxes: list[Any]) -> Any:
    """Makes a dataset of the images, with the crops as detections."""
    import fiftyone as fo
    from PIL import Image

    samples = []
    for index, (file, crops) in enumerate(zip(files, boxes, strict=True)):
        path = folder / f"{index}.jpg"
        path.write_bytes(file)
        with Image.open(path) as image:
            width, height = image.size
        relative = (crops / [width, height, width, height]).tolist()
        detections = [fo.Detection(label="crop", bounding_box=box) for box in relative]
        samples.append(fo.Sample(filepath=str(path), crops=fo.Detections(detections=detections)))
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    return dataset


def script(paths: list[str], boxes: list[Any], model: Any, preprocess: Any) -> None:
    """Encodes crops as one would write it down."""
    import torch
    from PIL import Image

    for path, crops in zip(paths, boxes, strict=True):
        image = Image.open(path).convert("RGB")
        cut = [image.crop((x, y, x + w, y + h)) for x, y, w, h in crops.tolist()]
        with torch.no_grad():
            features = model.encode_image(torch.stack([preprocess(crop) for crop in [image, *cut]]))
            torch.nn.functional.normalize(features, dim=-1).numpy()


def engine(paths: list[str], encoder: Any) -> None:
    """Encodes the same crops with the engine."""
    from lgca_plugin.config import RegionConfig, RegionPlan
    from lgca_plugin.engine.engine import encode_images
    from lgca_plugin.method.core.methods import METHODS

    for _ in encode_images(enumerate(paths), encoder=encoder, plan=RegionPlan.of((METHODS["wca"],), RegionConfig())):
        pass


def main() -> int:
    """Runs the benchmark and prints a line of JSON for each peer."""
    import torch

    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default=DEMO)
    parser.add_argument("--size", default="500x400")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--resize", default="auto")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-sizes", type=int, nargs="*", default=[16, 64])
    options = parser.parse_args()
    encoder = load(options.model, precision=options.precision, resize=options.resize)
    zoo, (model, preprocess) = zoo_model(options.model), plain(options.model)
    files = draw(options.images, options.size)
    boxes = boxes_of(files)
    with tempfile.TemporaryDirectory() as folder:
        dataset = dataset_of(Path(folder), files, boxes)
        paths = dataset.values("filepath")

        def patches(batch_size: int | None) -> None:
            dataset.compute_patch_embeddings(zoo, "crops", batch_size=batch_size, progress=False)

        def clip() -> None:
            lgca.classify(
                dataset,
                CLASSES,
                methods=("clip",),
                encoder=encoder,
                overwrite=True,
                store_regions=False,
                progress=False,
            )

        about = {"model": options.model, "size": options.size, "images": options.images}
        how = {"precision": encoder.precision, "resize": encoder.resize, "threads": torch.get_num_threads()}
        tasks: dict[str, Callable[[], object]] = {
            "engine": lambda: engine(paths, encoder),
            "script": lambda: script(paths, boxes, model, preprocess),
            "patches at the defaults": lambda: patches(None),
            **{f"patches, batches of {size}": partial(patches, size) for size in options.batch_sizes},
        }
        report(in_turns(tasks, options.rounds), "engine", {"benchmark": "peers", **about, **how})
        tasks = {
            "classify": clip,
            **{
                f"apply_model, batches of {size}": partial(
                    dataset.apply_model, zoo, label_field="zoo", batch_size=size, progress=False
                )
                for size in [None, *options.batch_sizes]
            },
        }
        report(in_turns(tasks, options.rounds), "classify", {"benchmark": "peers", **about, **how})
        dataset.delete()
    return 0


def report(seconds: dict[str, list[float]], ours: str, about: dict[str, Any]) -> None:
    """Prints how many times as long as ours each of the others took."""
    for name, theirs in seconds.items():
        if name != ours:
            ratios = [their / our for their, our in zip(theirs, seconds[ours], strict=True)]
            found = {"ratio": statistics.median(ratios), "ratios": ratios, "seconds": statistics.median(theirs)}
            print(json.dumps({**about, "peer": name, **rounded(found)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
