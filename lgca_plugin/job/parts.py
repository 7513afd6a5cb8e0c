"""Doing parts of a job in this process: what a task of Slurm, Kubernetes or a batch service runs."""

from __future__ import annotations

import re
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .description import read_job
from .folder import as_folder, need_arrow
from .worker import Worker

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from .tables import PartCounts

TERMINATED = 128 + signal.SIGTERM


def do_parts(
    folder: str | os.PathLike[str],
    which: Sequence[str | int],
    *,
    device: str | None = None,
    batch_size: int | None = None,
) -> Iterator[PartCounts]:
    """Does those of some parts that are missing, and yields what was counted of each.

    Args:
        folder: the job's folder
        which: numbers of parts; or texts: ``"17"``; ``"16-31"``; ``"3/100"``, every hundredth part from 3 on
        device: where the model runs; None takes the best device that there is
        batch_size: crops in one call of the encoder; None takes the job's

    Raises:
        ConfigError: if there is no job, or it has no such part
        ModelUnavailableError: if the model can't be loaded here
        LgcaError: if a part can't be done
    """
    need_arrow()
    opened = as_folder(folder)
    count = read_job(opened).parts
    numbers = list(dict.fromkeys(part for text in which for part in named_parts(str(text), count)))
    with ending_on_terminate():
        yield from Worker(opened, device=device, batch_size=batch_size).work(numbers)


def named_parts(text: str, count: int) -> Sequence[int]:
    """Returns the numbers of the parts of a job of ``count`` that a text names, as :func:`do_parts` takes it.

    Raises:
        ConfigError: if it names none
    """
    found = re.fullmatch(r"(\d+)(?:(-|/)(\d+))?", text)
    if found is not None:
        first, kind, second = int(found[1]), found[2], int(found[3] or 0)
        if kind == "/" and first < second:
            return range(first, count, second)
        if kind is None and first < count:
            return [first]
        if kind == "-" and first <= second and first < count:
            return range(first, min(second + 1, count))
    raise ConfigError(
        f"this job has the parts 0 to {count - 1:,}, and {text!r} names none: name a part, such as 17, a range, "
        "such as 16-31, or every hundredth from the third on, 3/100"
    )


@contextmanager
def ending_on_terminate() -> Iterator[None]:
    """Lets SIGTERM, by which schedulers end a process before they kill it, end this one as an error would.

    So what it was at is not taken for what has killed it.
    """

    def end(_: int, __: FrameType | None) -> None:
        sys.exit(TERMINATED)

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
