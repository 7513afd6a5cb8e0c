"""Does a run on several devices give the labels of one, and how much faster is it?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

import lgca_plugin as lgca
from lgca_plugin.config import RegionConfig, RunConfig
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.devices.processes import DeviceProcesses
from lgca_plugin.devices.worker import DeviceWork
from lgca_plugin.encoder.base import encoder_fingerprint
from lgca_plugin.encoder.precision import ALL_DEVICES, check_devices
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.prediction.predictor import Predictor

from .bench import DEMO, NAMES, PLAN, PRESETS, Bench, pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

MODEL = "ViT-B-32"


def devices(bench: Bench) -> None:
    """All GPUs against one; where there is one alone, it is named twice."""
    names = check_devices(ALL_DEVICES) if bench.cuda and torch.cuda.device_count() > 1 else (str(bench.device),) * 2
    paths = []
    for number, file in enumerate(pictures(40 if bench.tiny else 1500, (500, 400))):
        paths.append(bench.out / "pictures" / f"{number}.jpg")
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_bytes(file)
    work = _work(bench)
    labels, rates = {}, {}
    for own in (names[:1], names):
        found, rates[own] = _encoded(work, own, [(str(number), str(path)) for number, path in enumerate(paths)])
        labels[own] = found
    differ = sum(labels[names[:1]][id_] != own for id_, own in labels[names].items())
    bench.say(
        "devices",
        passes=differ == 0 and len(labels[names]) == len(paths),
        model=DEMO if bench.tiny else MODEL,
        devices=", ".join(names),
        labels_differ=differ,
        images_per_s=rates[names],
        faster=rates[names] / rates[names[:1]],
    )


def _work(bench: Bench) -> DeviceWork:
    """Returns what a process has to know; the architecture has random weights, in a file of the folder."""
    source: tuple[str, str | None] = (DEMO, None)
    if not bench.tiny:
        source = (MODEL, str(bench.out / "weights.safetensors"))
        save_file({name: own.contiguous() for name, own in bench.model(MODEL).state_dict().items()}, str(source[1]))
    encoder, texts = lgca.load_encoder(*source, device=str(bench.device)), class_texts(NAMES, None)
    config = RunConfig(
        classes=tuple(NAMES),
        descriptions_hash=texts.digest,
        methods=PRESETS,
        regions=RegionConfig(),
        encoder=encoder.name,
        encoder_fingerprint=encoder_fingerprint(encoder),
        precision=encoder.precision,
        resize=encoder.resize,
    )
    return DeviceWork(
        device="",
        cpus=1,
        encoder_source=source,
        config=config.to_json(),
        class_vectors=Predictor(PRESETS, texts, encoder, PLAN).class_vectors,
        offsets={},
        store=str(bench.out),
        store_fingerprint=None,
    )


def _encoded(
    work: DeviceWork, names: Sequence[str], images: list[tuple[str, str]]
) -> tuple[dict[str, list[int]], float]:
    """Returns the labels of each image, and the images a second without the loading of the model."""
    with DeviceProcesses(work, names) as processes:
        for _ in processes.loading():
            pass
        started = time.perf_counter()
        found = list(processes.encode(images, EngineStats()))
        rate = len(images) / (time.perf_counter() - started)
    return {
        image.id: [one.label for one in prediction.methods.values()] for image, prediction in found if prediction
    }, rate
