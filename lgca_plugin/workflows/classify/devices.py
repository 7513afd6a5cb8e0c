"""The images of a classification on several devices of this machine, a process each."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from ...devices.processes import IMAGES_AT_ONCE, DeviceProcesses
from ...devices.worker import DeviceWork
from ...engine.engine import encode_images
from ...prediction.share_entry import stored_offsets
from ...progress import Progress
from ...runs.stored_run import shared_fingerprint
from ...store.limits import default_folder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from ...devices.messages import Scored
    from ...engine.engine import Recall
    from ...engine.stats import EngineStats
    from .plan import ClassifyPlan
    from .sample_ids import Image


def start_devices(plan: ClassifyPlan) -> DeviceProcesses | None:
    """Starts a process on each device of a run with several, as far as there are images; None for one device."""
    devices = plan.devices[: -(-len(plan.todo) // IMAGES_AT_ONCE)]
    if len(devices) < 2:
        return None
    assert plan.encoder.source is not None  # noqa: S101 (checked with the devices)
    existing = plan.request.existing
    work = DeviceWork(
        device=devices[0],
        cpus=1,
        encoder_source=plan.encoder.source,
        config=plan.config.to_json(),
        class_vectors=plan.predictor.class_vectors,
        offsets={} if existing is None else stored_offsets(existing.results),
        store=str(default_folder()),
        store_fingerprint=None if plan.encoder.fingerprint is None else shared_fingerprint(plan.config),
    )
    return DeviceProcesses(work, devices)


def loading(processes: DeviceProcesses | None) -> Generator[Progress, None, None]:
    """Yields progress until all processes have loaded the model; raises LgcaError if one can't."""
    for devices in () if processes is None else processes.loading():
        yield Progress(0, 0, f"Loading the model on {', '.join(devices)}")


def scored_images(
    plan: ClassifyPlan,
    images: Iterable[Image],
    processes: DeviceProcesses | None,
    stats: EngineStats,
    *,
    batch_size: int | None,
    recall: Recall | None,
) -> Generator[Scored, None, None]:
    """Encodes images, in processes or here, and yields each, with its prediction if it has one."""
    if processes is not None:
        yield from processes.encode(images, stats, batch_size=batch_size)
        return
    outcomes = encode_images(
        images,
        encoder=plan.encoder,
        plan=plan.request.region_plan,
        batch_size=batch_size,
        stats=stats,
        recall=recall,
        can_stop=plan.predictor.can_stop,
    )
    with closing(outcomes):
        for outcome in outcomes:
            yield outcome, None
