"""The process that faults happen to: performs one job on a dataset, and prints how far it has come.

Its lines: ``ready`` once the dataset is loaded, ``at DONE LABEL`` at every progress, ``done``, or ``failed ERROR``.
Importing takes 8 s, so a server process does it once, and every job is a fork of it with a connection of its own.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.odm.database as connection
from pymongo import monitoring

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.progress import drive
from lgca_plugin.runs.lease import Lease
from lgca_plugin.workflows.classify.classify import iter_classify
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify
from tests.helpers.faults import damage, world
from tests.helpers.fusion.two_encoders import noisy_encoder

lgca.load_encoder("demo")


def say(line: str) -> None:
    print(line.replace("\n", " "), flush=True)


def report(step: lgca.Progress) -> None:
    say(f"at {step.done} {step.label}")


def classify(
    dataset: Any,
    write_images: int = 4,
    patience: float = 60.0,
    pause: float = 0.05,
    noisy: bool = False,
    **options: Any,
) -> None:
    """Classifies, with a pause in seconds after every progress: else 48 images are done before a fault comes."""
    given = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", **options}
    if "regions" in given:
        given["regions"] = lgca.RegionConfig(**given["regions"])
    request = check_classify(ClassifyOptions(samples=dataset, **given))

    def report_and_pause(step: lgca.Progress) -> None:
        report(step)
        time.sleep(pause)

    encoder = noisy_encoder() if noisy else lgca.load_encoder("demo")
    steps = iter_classify(request, encoder=encoder, write_images=write_images, patience=patience)
    drive(steps, report_and_pause, unit="")


def classify_under_lease(dataset: Any, seconds: float) -> None:
    """Classifies under a lease that expires after some seconds without a sign of life."""
    options = ClassifyOptions(samples=dataset, classes=CLASSES, descriptions=DESCRIPTIONS, run_key="zs")
    with Lease.take(dataset, "zs", "classify", seconds=seconds, every=min(5.0, seconds / 4)) as lease:
        request, encoder = check_classify(options), lgca.load_encoder("demo")
        drive(iter_classify(request, encoder=encoder, write_images=4, lease=lease), report, unit="images")


def find(dataset: Any, **options: Any) -> None:
    given = {"descriptions": DESCRIPTIONS, "run_key": "zs", "encoder": lgca.load_encoder("demo"), **options}
    lgca.find_wrong_labels(dataset, ground_truth="ground_truth", progress=report, **given)


def rescore(dataset: Any, run_key: str = "zs", **options: Any) -> None:
    lgca.load_run(dataset, run_key).rescore(progress=report, **options)


def fuse(dataset: Any, runs: list[str], run_key: str = "zs") -> None:
    """Fuses, unless the call before was through when it was killed."""
    if run_key in lgca.list_runs(dataset) and lgca.load_run(dataset, run_key).summary()["status"] == "done":
        return
    lgca.fuse([lgca.load_run(dataset, key) for key in runs], run_key=run_key, progress=report)


def triage(dataset: Any, run_key: str = "zs", **options: Any) -> None:
    lgca.load_run(dataset, run_key).triage(ground_truth="ground_truth", progress=report, **options)


def decide(dataset: Any, run_key: str = "zs") -> None:
    """Accepts every second suggestion, and decides that the other labels, and two that are not suspected, are right."""
    queue = lgca.load_run(dataset, run_key).last_triage()
    suspects = sorted(queue.suspects(decided=None).values("id"))
    others = sorted(set(dataset.values("id")) - set(suspects))
    queue.decide(suspects[::2], "accepted")
    queue.decide([*suspects[1::2], *others[:2]], "label right")


def delete(dataset: Any, run_key: str = "zs") -> None:
    if run_key in lgca.list_runs(dataset):
        lgca.delete_run(dataset, run_key)


def values(dataset: Any, path: str) -> None:
    """Writes every value of a dataset to a file."""
    Path(path).write_text(json.dumps(damage.values_of(dataset), default=str))


JOBS = {
    job.__name__: job for job in (classify, classify_under_lease, find, rescore, fuse, triage, decide, delete, values)
}


class KillAt(monitoring.CommandListener):
    """Kills its own process before the n-th write to the database; never for 0."""

    WRITES = frozenset({"insert", "update", "delete", "findAndModify", "create", "createIndexes", "drop"})

    def __init__(self, number: int) -> None:
        self.armed = False
        self._left = number

    def started(self, event: Any) -> None:
        if self.armed and self._left and event.command_name in self.WRITES:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass


def connect(uri: str) -> None:
    """Connects this process to a database anew, as a forked one has to."""
    connection._disconnect()
    fo.config.database_uri = uri
    connection.establish_db_conn(fo.config)


def main(job: str, dataset: str, options: dict[str, Any], setting: dict[str, Any]) -> None:
    """Does a job; ``setting`` has ``env``, ``out`` and ``err`` (files), ``limits``, ``kill_at`` and ``images``."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(setting[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    os.environ.update(setting["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    kills = KillAt(setting["kill_at"])
    monitoring.register(kills)
    connect(os.environ["FIFTYONE_DATABASE_URI"])
    if "images" in setting:  # a database of the job's own
        world.new_dataset(setting["images"], name=dataset)
    loaded = fo.load_dataset(dataset)
    for name, limit in setting["limits"].items():
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() * (name == "RLIMIT_AS")
        resource.setrlimit(getattr(resource, name), (used + limit, used + limit))
    kills.armed = True
    say("ready")
    try:
        JOBS[job](loaded, **options)
    except Exception as error:  # noqa: BLE001 (printed, and its status is 1)
        traceback.print_exc()
        say(f"failed {type(error).__name__}: {error}")
        sys.exit(1)
    say("done")
