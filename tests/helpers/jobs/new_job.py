"""Jobs of drawn birds without a database: prepared from arrays alone, as the workers find them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from lgca_plugin.config import RegionConfig, RunConfig
from lgca_plugin.config.default_methods import run_methods
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.job.description import Job, JobTexts, write_job
from lgca_plugin.job.folder import JobFolder
from lgca_plugin.job.part_writer import part_name, work_name
from lgca_plugin.job.tables import RowResult, read_part, results_of, work_table
from lgca_plugin.prediction.predictor import Predictor
from tests.helpers.paths import ROOT

SMALL = RegionConfig(crops=8, steps=2, scale_min=0.1, scale_max=0.3)


def new_job(
    location: Any,
    sources: list[Any],
    encoder: Any,
    *,
    rows_per_part: int = 4,
    store_regions: bool = False,
    budget: str = "full",
    regions: RegionConfig = SMALL,
    **changes: Any,
) -> Job:
    """Writes a job whose rows are called r0, r1 ... into a folder, and returns it."""
    folder = JobFolder(location)
    texts = class_texts(CLASSES, DESCRIPTIONS)
    config = RunConfig(
        classes=tuple(CLASSES),
        descriptions_hash=texts.digest,
        methods=run_methods(None, regions),
        regions=regions,
        encoder=encoder.name,
        encoder_fingerprint=encoder.fingerprint,
        precision=encoder.precision,
        resize=encoder.resize,
        budget=budget,
    )
    predictor = Predictor(config.methods, texts, encoder, config.region_plan)
    values: dict[str, Any] = {
        "id": "job",
        "run_key": "zs",
        "token": "token",
        "dataset": "birds",
        "dataset_id": "1",
        "database": "2",
        "config": config,
        "encoder_source": encoder.source,
        "logit_scale": encoder.logit_scale,
        "store_fingerprint": encoder.fingerprint,
        "vector_keys": predictor.vector_keys,
        "findings_key": predictor.findings_key,
        "offsets": {},
        "rows": len(sources),
        "rows_per_part": rows_per_part,
        "store_regions": store_regions,
    }
    job = Job(**{**values, **changes})
    JobTexts(config.classes, texts.digest, predictor.class_vectors).write(folder)
    for part in range(job.parts):
        start = part * rows_per_part
        rows = [(f"r{start + row}", source) for row, source in enumerate(sources[start : start + rows_per_part])]
        folder.write(work_name(part), work_table(rows))
    write_job(folder, job)
    return job


def results(location: Any, job: Job, parts: Any = None) -> dict[str, RowResult]:
    """The results of a job's parts by the ids of the rows; no id may be there twice."""
    folder = JobFolder(location)
    found: dict[str, RowResult] = {}
    for part in range(job.parts) if parts is None else parts:
        table, _ = read_part(folder.read(part_name(part)))
        for one in results_of(table, len(job.vector_keys)):
            assert one.id not in found
            found[one.id] = one
    return found


def assert_same_results(found: dict[str, RowResult], expected: dict[str, RowResult]) -> None:
    """The same labels, boxes and reasons; numbers to 1e-5, which crops share a batch changes the last digits of."""
    assert found.keys() == expected.keys()
    for id_, one in expected.items():
        own = found[id_]
        assert (own.reason, own.content_hash, own.level) == (one.reason, one.content_hash, one.level)
        assert [region.box for region in own.regions] == [region.box for region in one.regions]
        assert (own.methods is None) == (one.methods is None)
        for name, prediction in (one.methods or {}).items():
            assert own.methods is not None and own.methods[name].label == prediction.label
            np.testing.assert_allclose(own.methods[name].confidence, prediction.confidence, atol=1e-5)
        if one.vectors is not None:
            assert own.vectors is not None and np.abs(own.vectors - one.vectors).max() < 1e-5


PYTHONPATH = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "helpers" / "jobs" / "deadly")])
"""For processes that find the package in this checkout, and die of files called ``deadly://PATH``."""


def command(module: str, *arguments: Any) -> subprocess.Popen[str]:
    """Starts ``python -m MODULE ARGUMENTS``, which dies of deadly files."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
    )


def ended(process: subprocess.Popen[str], *, seconds: float = 300) -> int:
    """Waits for a process and returns its exit status; negative if a signal has ended it."""
    process.communicate(timeout=seconds)
    return process.returncode


def worker_at(folder: Path, *, seconds: float = 120) -> int:
    """Waits until a worker has begun a part, and returns the number of its process."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for mark in sorted((folder / "tries").glob("*.*")):
            if found := re.match(r"process (\d+)", mark.read_text()):
                return int(found[1])
        time.sleep(0.01)
    raise AssertionError(f"no worker has begun a part within {seconds:g} s")


def parts_done(folder: Path, count: int, *, seconds: float = 120) -> None:
    """Waits until so many parts are done."""
    until = time.monotonic() + seconds
    while len(list((folder / "parts").glob("0*.parquet"))) < count:
        assert time.monotonic() < until, f"fewer than {count} parts are done after {seconds:g} s"
        time.sleep(0.01)
