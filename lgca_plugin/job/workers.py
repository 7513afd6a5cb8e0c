"""The workers of a job, as it is asked for them and as an engine has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..encoder.precision import ALL_DEVICES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from .calls import PartEnd


@dataclass(frozen=True, kw_only=True)
class Wished:
    """The workers that somebody wishes to have; None leaves it to the engine.

    Attributes:
        count: number of worker processes
        cpus: number of cores that each may use
        gpus: number of GPUs of each; fractions share one
        device: where the model runs, in processes of this machine also several; None takes the best device that each
            worker has
        batch_size: crops in one call of the encoder; None takes the job's
    """

    count: int | None = None
    cpus: int | None = None
    gpus: float | None = None
    device: str | None = None
    batch_size: int | None = None

    @property
    def uses_gpus(self) -> bool:
        """Whether the workers are to run on GPUs, where there are any."""
        return self.device in (None, ALL_DEVICES) or str(self.device).startswith("cuda")


class Engine(Protocol):
    """Workers that do groups of parts; a context manager.

    Attributes:
        count: number of workers
    """

    count: int

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def do(self, folder: str, groups: Sequence[Sequence[int]]) -> Iterator[PartEnd]:
        """Does groups of parts, and yields how each part has ended; nothing of a group whose worker was killed."""
        ...
