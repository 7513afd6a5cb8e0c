"""Is what the device computes right: crops, labels, towers, and nothing in them that waits for the device?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from lgca_plugin.engine.engine import DECODED_SCALE
from lgca_plugin.images.crops import Preprocessing
from lgca_plugin.images.decoding import Picture, open_picture
from lgca_plugin.images.device_crops import DeviceCutter

from .bench import DEMO, Bench, answers, apart, other_boxes, pictures

HALF_DIFFER = 2
"""Maximum number of 240 labels that half precision may change."""

SETTINGS = (("fp32", "exact"), ("bf16", "fast"), ("fp32", "fast"), ("fp16", "exact"), ("fp16", "fast"))
"""Precisions and ways of resizing; the first two are tried in the tiny check, whose CPU may emulate fp16."""


def cutter(bench: Bench) -> None:
    """Crops of the device against those of the same code on the CPU; another package's setting changes nothing."""
    plain = Preprocessing(size=224, mean=(0.0,) * 3, std=(1.0,) * 3, exact=False)
    rng = np.random.default_rng(1)
    for size in ((500, 400),) if bench.tiny else ((500, 400), (1600, 1200)):
        crops: list[tuple[Picture, Any]] = []
        for file in pictures(1 if bench.tiny else 6, size):
            picture = open_picture(file, enough=DECODED_SCALE * plain.size / 0.5)
            height, width = picture.size_hw
            for side in rng.integers(min(height, width) // 2, min(height, width), 10).tolist():
                left, top = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
                crops.append((picture, (left, top, side, side)))
            crops.append((picture, None))
        expected = DeviceCutter(plain, torch.device("cpu")).cut(crops).int()
        first = None
        for setting in ("highest", "high"):
            torch.set_float32_matmul_precision(setting)
            found = DeviceCutter(plain, bench.device).cut(crops).cpu().int()
            alone = DeviceCutter(plain, bench.device, max_bytes=1).cut(crops).cpu().int()
            first = found if first is None else first
            off = (found - expected).abs()
            share, most = float((off > 0).float().mean()), int(off.max())
            same = torch.equal(found, first) and torch.equal(found, alone)
            bench.say(
                "cutter",
                passes=share <= 1e-4 and most <= 1 and same,
                size=f"{size[0]}x{size[1]}",
                setting=setting,
                share_off=share,
                most_off=most,
                same_alone_and_under_any_setting=same,
            )
        torch.set_float32_matmul_precision("highest")


def labels(bench: Bench) -> None:
    """The labels of the demo's trained model against the CPU's in float32, and again with other batches."""
    count = 3 if bench.tiny else 240
    files, place = pictures(count), bench.out / f"reference_{count}.npz"
    if not place.exists():
        exact = bench.encoder(DEMO, "cpu", precision="fp32", resize="exact")
        images, _, _ = bench.engine(exact, files)
        named, margins = answers(exact, images)
        arrays: dict[str, Any] = {f"l_{name}": one for name, one in named.items()} | {
            f"m_{name}": one for name, one in margins.items()
        }
        np.savez_compressed(
            place,
            boxes=np.stack([image.boxes for image in images]).astype(np.int16),
            whole=np.stack([image.whole for image in images]),
            **arrays,
        )
    reference = dict(np.load(place))
    for precision, resize in SETTINGS[:2] if bench.tiny else SETTINGS:
        encoder = bench.encoder(DEMO, precision=precision, resize=resize)
        images, stats, _ = bench.engine(encoder, files)
        named, margins = answers(encoder, images)
        differ = {name: int((one != reference[f"l_{name}"]).sum()) for name, one in named.items()}
        boxes = sum(not np.array_equal(image.boxes, own) for image, own in zip(images, reference["boxes"], strict=True))
        bench.say(
            "labels",
            passes=max(differ.values()) <= (0 if (precision, resize) == ("fp32", "exact") else HALF_DIFFER),
            precision=precision,
            resize=resize,
            images=count,
            **{f"{name}_differ": one for name, one in differ.items()},
            margin_off=max(float(np.abs(one - reference[f"m_{name}"]).max()) for name, one in margins.items()),
            boxes_differ=boxes,
            whole_apart=float(apart(np.stack([image.whole for image in images]), reference["whole"]).mean()),
            batch=stats.batch_size,
        )
    encoder = bench.encoder(DEMO, precision="bf16" if bench.tiny else "fp16", resize="fast")
    for batch in (37,) if bench.tiny else (256, 64, 37):
        first, _, _ = bench.engine(encoder, files, batch)
        later, _, _ = bench.engine(encoder, files[count // 3 :], batch)  # as a run that goes on after a third
        again = [(one, other) for one, other in zip(first[count // 3 :], later, strict=True)]
        same = sum(np.array_equal(one.regions, other.regions) for one, other in again)
        mine, its = (answers(encoder, list(part))[0] for part in zip(*again, strict=True))
        changed = sum(int((mine[name] != its[name]).sum()) for name in mine)
        bench.say(
            "resume",
            passes=changed == 0,
            batch=batch,
            images=len(later),
            equal=same,
            labels_differ=changed,
            boxes_differ=other_boxes(first[count // 3 :], later),
        )


def towers(bench: Bench) -> None:
    """Towers against float32 on the CPU; the same crops in batches of other sizes, and at other places in a batch."""
    names = [DEMO] if bench.tiny else ["ViT-B-32", "ViT-L-14"]
    for name in names:
        exact = bench.encoder(name, "cpu", precision="fp32")
        shape = (4 if bench.tiny else 24, 3, exact.image_size, exact.image_size)
        pixels = torch.randn(shape, generator=torch.Generator().manual_seed(1))
        expected = exact.encode_images(pixels)
        for precision in ("fp32", "bf16") if bench.tiny else ("fp32", "bf16", "fp16"):
            away = float(apart(bench.encoder(name, precision=precision).encode_images(pixels), expected).max())
            limit = {"fp32": 1e-6, "bf16": 5e-4, "fp16": 1e-5}[precision]
            bench.say("tower", passes=away < limit, model=name, precision=precision, apart=away)
        torch.set_float32_matmul_precision("high")
        away = float(apart(bench.encoder(name, precision="fp32").encode_images(pixels), expected).max())
        torch.set_float32_matmul_precision("highest")
        bench.say(
            "tower", passes=away < 1e-6, model=name, precision="fp32, TF32 allowed by another package", apart=away
        )
        encoder = bench.encoder(name, precision="bf16" if bench.tiny else "fp16")
        more = torch.randn((16 if bench.tiny else 256, *shape[1:]), generator=torch.Generator().manual_seed(2))
        whole = encoder.encode_images(more)
        for size in (1, 7, 64, 255):
            starts = range(0, min(len(more), 4 * size), size)
            parts = np.concatenate([encoder.encode_images(more[at : at + size]) for at in starts])
            rows = whole[: len(parts)]
            bench.say(
                "batch sizes",
                model=name,
                size=size,
                rows=len(parts),
                differ=int((parts != rows).any(axis=1).sum()),
                apart=float(apart(parts, rows).max()),
            )
        turned = torch.roll(more, 5, dims=0)
        differ = int((np.roll(whole, 5, axis=0) != encoder.encode_images(turned)).any(axis=1).sum())
        bench.say("places in a batch", passes=differ == 0, model=name, rows=len(more), differ=differ)


def waits(bench: Bench) -> None:
    """Cutting and starting a batch: torch raises an error where that would wait for the device."""
    if not bench.cuda:
        bench.say("waits", skipped=True)
        return
    encoder = bench.encoder(DEMO, precision="fp16", resize="fast")
    drawn = [open_picture(file) for file in pictures(8)]
    crops: list[tuple[Picture, Any]] = [
        (one, box) for one in drawn for box in (None, (10, 10, 120, 120), (0, 5, 90, 90))
    ]
    cut = DeviceCutter(encoder.preprocessing, bench.device)
    encoder.start_images(cut.cut(crops, 32))()  # what is made once only may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        vectors = encoder.start_images(cut.cut(crops, 32))
        problem = ""
    except RuntimeError as error:
        problem = str(error)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    bench.say("waits", passes=not problem, problem=problem[:200], **({} if problem else {"rows": len(vectors())}))
