"""Is the device busy, and what does it do where memory is short?"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import torch
from PIL import Image

from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.engine.engine import DECODED_SCALE
from lgca_plugin.images.decoding import open_picture
from lgca_plugin.images.load_ahead import LoadAhead
from lgca_plugin.prediction.predictor import Predictor

from .bench import DEMO, PLAN, PRESETS, Bench, apart, other_boxes, pictures

LIMITS = {"ViT-B-32": 1.5, "ViT-L-14": 1.2}
"""Maximum ratio of the engine's time to that of the encoder alone."""

MIN_FILL = 0.95


def speed(bench: Bench) -> None:
    """The engine over the encoder alone, in turns; whether decoding keeps up."""
    cases = [
        ("ViT-B-32", (500, 400), 1500, 3),
        ("ViT-B-32", (1600, 1200), 600, 2),
        ("ViT-L-14", (500, 400), 200, 2),
        ("ViT-B-32", (4000, 3000), 100, 1),
        (DEMO, (500, 400), 2000, 2),
    ]
    for name, size, count, rounds in [(DEMO, (500, 400), 1, 1)] if bench.tiny else cases:
        encoder, files = bench.encoder(name, precision="auto", resize="fast"), pictures(count, size)
        bench.engine(encoder, files[:40])
        shown = f"{size[0]}x{size[1]}"
        for batch in (None,) if bench.tiny else (None, 1024):
            ratios: list[tuple[float, float, float]] = []
            for _ in range(rounds):
                busy, own = Busy(bench), time.thread_time()
                _, stats, engine = bench.engine(encoder, files, batch)
                own, used = time.thread_time() - own, busy.stop()
                ratios.append((engine / alone(bench, encoder, stats.batch_size, stats.encodes), engine, own / engine))
            ratio, engine, own = sorted(ratios)[len(ratios) // 2]
            small = count < 100 or batch is not None or bench.tiny  # the last batches weigh too much there
            fits = ratio <= LIMITS.get(name, float("inf")) and (small or stats.batch_fill >= MIN_FILL)
            bench.say(
                "speed",
                passes=fits if name in LIMITS and batch is None else None,
                model=name,
                precision=encoder.precision,
                size=shown,
                images=count,
                batch=stats.batch_size,
                ratio=ratio,
                images_per_s=count / engine,
                crops_per_s=stats.encodes / engine,
                fill=stats.batch_fill,
                own_thread=own,
                busy=used,
                waited=stats.wait_seconds / engine,
            )
        rate = decoding(encoder.image_size, files)
        bench.say("decoding", passes=None if bench.tiny else rate >= count / engine, size=shown, images_per_s=rate)


def alone(bench: Bench, encoder: Any, batch: int, encodes: int) -> float:
    """Returns the seconds that as many encodes take of pixels that are on the device already."""
    side = encoder.image_size
    ready = torch.randn(batch, 3, side, side, device=bench.device)
    bench.wait()
    started, left = time.perf_counter(), encodes
    while left > 0:
        encoder.encode_images(ready[:left])
        left -= batch
    bench.wait()
    return time.perf_counter() - started


def decoding(side: int, files: list[bytes]) -> float:
    """Returns the images a second that the decoding threads open."""
    enough, started = DECODED_SCALE * side / 0.5, time.perf_counter()
    with LoadAhead(
        enumerate(files), lambda file: open_picture(file, enough=enough), max_images=256, max_bytes=2**28
    ) as ahead:
        while ahead.head() is not None:
            ahead.take()
    return len(files) / (time.perf_counter() - started)


class Busy:
    """Share of samples in which the GPU was busy, by NVML; None without it."""

    def __init__(self, bench: Bench) -> None:
        self._seen: list[int] = []
        self._over = threading.Event()
        if bench.cuda:
            threading.Thread(target=self._watch, args=(bench.device,), daemon=True).start()

    def _watch(self, device: torch.device) -> None:
        while not self._over.wait(0.1):
            try:
                self._seen.append(torch.cuda.utilization(device))
            except (ModuleNotFoundError, RuntimeError):  # noqa: PERF203 (NVML's package is not there)
                return

    def stop(self) -> float | None:
        """Returns the share."""
        self._over.set()
        return float(np.mean(self._seen)) / 100 if self._seen else None


def memory(bench: Bench) -> None:
    """Little memory: a first batch that fits, one that does not and comes back smaller, and the same results."""
    files = pictures(1 if bench.tiny else 40, (500, 400))
    encoder = bench.encoder(DEMO if bench.tiny else "ViT-L-14", precision="auto", resize="fast")
    expected, _, _ = bench.engine(encoder, files, 4 if bench.tiny else 64)
    if not bench.cuda:
        bench.say("memory", skipped=True)
        return
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(bench.device)[0]
    for left in (3e9, 1.2e9):
        ballast = torch.empty(max(0, int(free - left)), dtype=torch.uint8, device=bench.device)
        for batch in (None, 2048):
            try:
                found, stats, _ = bench.engine(encoder, files, batch)
            except Exception as error:  # noqa: BLE001 (that is what is looked for)
                bench.say("memory", passes=False, left_gb=left / 1e9, asked=batch, problem=str(error)[:200])
                continue
            other = other_boxes(found, expected)
            away = max(
                float(apart(one.regions, own.regions).max())
                for one, own in zip(found, expected, strict=True)
                if np.array_equal(one.boxes, own.boxes)
            )
            bench.say(
                "memory",
                passes=other <= 1,
                left_gb=left / 1e9,
                asked=batch,
                batch=stats.batch_size,
                boxes_differ=other,
                apart=away,
            )
        del ballast
        torch.cuda.empty_cache()


def nvjpeg(bench: Bench) -> None:
    """Decoding on the device, for what it would bring."""
    from torchvision.io import ImageReadMode, decode_jpeg

    for size in ((500, 400),) if bench.tiny else ((500, 400), (1600, 1200), (4000, 3000)):
        drawn = pictures(2 if bench.tiny else 64, size)
        files = [torch.frombuffer(bytearray(file), dtype=torch.uint8) for file in drawn]
        where = str(bench.device) if bench.cuda else "cpu"
        decode_jpeg(files[:2], mode=ImageReadMode.RGB, device=where)
        bench.wait()
        started = time.perf_counter()
        for at in range(0, len(files), 32):
            found = decode_jpeg(files[at : at + 32], mode=ImageReadMode.RGB, device=where)
        bench.wait()
        seconds = time.perf_counter() - started
        own = np.asarray(Image.open(io.BytesIO(drawn[-1])).convert("RGB")).astype(int)
        off = np.abs(found[-1].permute(1, 2, 0).cpu().numpy().astype(int) - own)
        bench.say(
            "nvjpeg",
            size=f"{size[0]}x{size[1]}",
            images_per_s=len(files) / seconds,
            share_off=float((off > 0).mean()),
            most_off=int(off.max()),
        )


def scoring(bench: Bench) -> None:
    """Scoring on the CPU, and its products on the device."""
    encoder = bench.encoder(DEMO, precision="fp32")
    images, _, _ = bench.engine(encoder, pictures(1 if bench.tiny else 64))
    for classes in (100,) if bench.tiny else (100, 1000, 5000):
        texts = class_texts([f"thing {number}" for number in range(classes)], None)
        predictor = Predictor(PRESETS, texts, encoder, PLAN)
        predictor.predict(images[:4], find=True)
        started = time.perf_counter()
        predictor.predict(images, find=True)
        bench.say("scoring", classes=classes, images_per_s=len(images) / (time.perf_counter() - started))


def two(bench: Bench) -> None:
    """One and two processes on one device: if two do more together, the host holds it back."""
    if bench.tiny or not bench.cuda:
        bench.say("two", skipped=True)
        return
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(bench.out), "--device", str(bench.device), "--rate"]
    for count in (1, 2):
        running = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))  # noqa: S603
            for _ in range(count)
        ]
        rates = [float(one.communicate()[0].split()[-1]) for one in running]
        bench.say("two", processes=count, images_per_s=sum(rates))


def rate(bench: Bench) -> float:
    """Returns the images a second of one pass with ViT-B-32, for :func:`two`."""
    files, encoder = pictures(700, (500, 400)), bench.encoder("ViT-B-32", precision="auto", resize="fast")
    bench.engine(encoder, files[:40])
    return len(files) / bench.engine(encoder, files)[2]
