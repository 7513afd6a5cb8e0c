"""Memory that runs out: the same results with smaller batches; and 20,000 images in no more memory than 4,000."""

from typing import Any

import fiftyone as fo
import numpy as np
import psutil
import pytest
from PIL import Image

import lgca_plugin as lgca
from tests.helpers.faults.process import job
from tests.helpers.faults.report import Damage
from tests.helpers.faults.undisturbed import CLASSIFY

MEGABYTE = 1024**2


@pytest.mark.parametrize("room", [700, 1000])
def test_out_of_memory__on_the_cpu_makes_batches_smaller_and_changes_nothing(
    room, birds, reference, count_fault, tmp_path
):
    limits = {"RLIMIT_AS": room * MEGABYTE}
    with job(tmp_path, "classify", birds.name, limits=limits, batch_size=6000, write_images=48) as running:
        assert running.end() == 0, running.errors
    assert "Out of memory: going on with batches of" in running.errors
    count_fault("out of memory on the CPU", reference.damage(birds, CLASSIFY))


IMAGES = 20_000
BROKEN_EVERY = 500


def test_soak__memory_stays_and_counts_sum_over_20000_images(count_fault, measured, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(3)
    for at in range(IMAGES):
        path = folder / f"{at:05}.jpg"
        if at % BROKEN_EVERY == BROKEN_EVERY - 1:
            path.write_bytes(b"no image")
        else:
            coarse = noise.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize((64, 64)).save(path, quality=80)
    dataset = fo.Dataset.from_images_dir(str(folder), persistent=True, progress=False)
    small: Any = {"methods": ["clip", "wca", "lgca"], "regions": {"crops": 4}, "write_images": 64, "pause": 0.0}
    with job(tmp_path, "classify", dataset.name, **small) as running:
        process = psutil.Process(running.process.pid)
        running.wait_for_images(IMAGES // 5, patience=1200)
        early = process.memory_info().rss
        running.wait_for_images(IMAGES - 100, patience=1200)
        late = process.memory_info().rss
        assert running.end(patience=300) == 0, running.errors
    dataset.reload()
    summary = lgca.load_run(dataset, "zs").summary()
    dataset.delete()
    measured(f"memory after {IMAGES // 5:,} images {early / 1e6:.0f} MB, after {IMAGES:,} {late / 1e6:.0f} MB")
    assert late <= 1.1 * early
    broken = IMAGES // BROKEN_EVERY
    counts = [summary[name] for name in ("predicted", "failed", "skipped", "pending", "total")]
    assert counts == [IMAGES - broken, broken, 0, 0, IMAGES]
    assert summary["images_encoded"] + summary["images_recalled"] == summary["stored"]["samples"] == IMAGES - broken
    count_fault("20,000 images, every 500th broken", Damage(), times=broken)
