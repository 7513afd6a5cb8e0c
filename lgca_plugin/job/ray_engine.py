"""A job on a Ray cluster: one actor a worker.

Of Ray its core alone is used, and not Ray Data: the folder says which parts are done, so that no blocks of rows have to
be kept, and a worker that is killed must not be given the same parts again and again, as Ray Data gives them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from ..encoder.precision import ALL_DEVICES
from ..errors import ConfigError, LgcaError
from .calls import PartCalls

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .calls import PartEnd
    from .workers import Wished

CORES_EACH = 2
"""Number of cores of a worker without a GPU, unless it is said."""

STARTS = 3
"""Number of times that a worker is started before the job ends, if it ends before it is ready."""


class RayActors:
    """Actors of the Ray cluster that this process is connected to; else it is connected to one, for the context.

    Without a number there are as many as the cluster has room for. They start as the cluster has room, also later:
    an actor that is not ready has no work, so nothing waits for a machine that is gone.

    Raises:
        ConfigError: if several devices are named; on entering, if Ray is not installed, or the cluster can't be reached
            or lacks what a worker needs
    """

    def __init__(self, wished: Wished) -> None:
        if wished.device == ALL_DEVICES or "," in (wished.device or ""):
            raise ConfigError(f"device is {wished.device!r}, but with ray each worker has GPUs of its own: set gpus")
        self._wished = wished
        self._own = False
        self._ray: Any = None
        self.count = 0
        self._options: dict[str, Any] = {}

    def __enter__(self) -> RayActors:
        try:
            import ray
        except ImportError as error:
            raise ConfigError("the engine ray needs the package ray: pip install 'ray>=2.50,<3'") from error
        self._ray = ray
        self._own = not ray.is_initialized()
        if self._own:
            try:
                ray.init(log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(f"the Ray cluster can't be reached: {error}") from error
        self._plan([one["Resources"] for one in ray.nodes() if one["Alive"]])
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._ray.shutdown()

    def _plan(self, machines: Sequence[Mapping[str, float]]) -> None:
        """Decides how many workers there are, and what each has of a machine, given what the machines have."""
        wished = self._wished
        devices = sum(one.get("GPU", 0.0) for one in machines)
        gpus = wished.gpus if wished.gpus is not None else float(devices > 0 and wished.uses_gpus)
        able = [one for one in machines if one.get("GPU", 0.0) >= gpus]
        if not able:
            raise ConfigError(f"each worker is to have {gpus:g} GPUs, and no machine of this Ray cluster has so many")
        cores = [max(1, int(one.get("CPU", 1))) for one in able]
        if gpus:
            places = [int(one["GPU"] / gpus) for one in able]
        else:
            each = wished.cpus or CORES_EACH if wished.count is None else max(1, sum(cores) // wished.count)
            places = [max(1, own // each) for own in cores]
        self.count = wished.count or sum(places)
        cpus = wished.cpus or min(own // count or 1 for own, count in zip(cores, places, strict=True))
        if cpus > max(cores):
            raise ConfigError(f"each worker is to have {cpus:,} cores, and no machine of this Ray cluster has so many")
        self._options = {"num_cpus": cpus, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}

    def do(self, folder: str, groups: Sequence[Sequence[int]]) -> Iterator[PartEnd]:
        """Does groups of parts, and yields how each part has ended; nothing of a group whose worker was killed.

        Raises:
            LgcaError: if workers end before they are ready
        """
        waiting = deque(groups)
        actors = [self._start(folder) for _ in range(min(self.count, len(groups)))]
        pending = {actor.ready.remote(): actor for actor in actors}  # what each actor is at
        at_work: set[Any] = set()  # those of a group
        failed_starts = 0
        try:
            while waiting or at_work:
                (done,), _ = self._ray.wait(list(pending), num_returns=1)
                actor = pending.pop(done)
                was_at_work = done in at_work
                at_work.discard(done)
                try:
                    ends = self._ray.get(done)
                except self._ray.exceptions.RayError as error:
                    failed_starts = 0 if was_at_work else failed_starts + 1
                    if failed_starts >= STARTS:
                        raise LgcaError(f"no worker of the Ray cluster gets ready: {_first_line(error)}") from error
                    actor = self._start(folder)
                    pending[actor.ready.remote()] = actor
                    continue
                failed_starts = 0
                if was_at_work:
                    yield from ends
                if waiting:
                    call = actor.do.remote(list(waiting.popleft()))
                    pending[call] = actor
                    at_work.add(call)
        finally:
            for actor in pending.values():
                self._ray.kill(actor)

    def _start(self, folder: str) -> Any:
        cpus, wished = int(self._options["num_cpus"]), self._wished
        remote = self._ray.remote(PartCalls).options(**self._options)
        return remote.remote(folder, cpus=cpus, device=wished.device, batch_size=wished.batch_size)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
