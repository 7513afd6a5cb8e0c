"""What a run has encoded, over all its calls, right also after a kill.

The record of a run has the counts once a call has ended. For a call that is killed, they stand beside the run's token:
before a batch of samples is written, the counts without it and what it adds for each of its samples. So the next call
can count those of its samples that were written.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.tokens import delete_counts, read_counts, write_counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...engine.embeddings import EncodedImage
    from ...runs.record import RunRecord


@dataclass
class Counts:
    """Numbers of images and encodes, and the time, over all calls of a run.

    Attributes:
        images_encoded: images of which anything was encoded
        images_recalled: images with all embeddings in the store
        encodes: encodes of whole images and regions
        seconds: time of the calls, of a killed one until it last began to write
        stopped_after: number of crops to number of images that stopped there; empty under a full budget
    """

    images_encoded: int = 0
    images_recalled: int = 0
    encodes: int = 0
    seconds: float = 0.0
    stopped_after: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> Counts:
        """Returns the counts in a run's results, as far as they are there."""
        own = cls()
        names = asdict(own)
        given = {name: results[name] for name in names if name in results}
        own = cls(**{**names, **given})
        own.stopped_after = dict(own.stopped_after)
        return own

    def add(self, encodes: int, crops: str | None) -> None:
        """Adds an image that took so many encodes, and under an adaptive budget stopped after so many crops."""
        self.images_encoded += encodes > 0
        self.images_recalled += encodes == 0
        self.encodes += encodes
        if crops is not None:
            self.stopped_after[crops] = self.stopped_after.get(crops, 0) + 1


class RunCounts:
    """The counts of a run that is at work.

    Args:
        run: the run
        crops: number of crops after which an image stopped, by its budget level; empty under a full budget
        finished: returns those of some sample ids whose samples have their predictions
    """

    def __init__(self, run: RunRecord, crops: Sequence[str], finished: Callable[[Sequence[str]], set[str]]) -> None:
        self._run = run
        self._crops = crops
        self._started = time.perf_counter()
        stored = read_counts(run.dataset, run.token)
        self._counts = Counts.of(run.results if stored is None else stored)
        batch = {} if stored is None else stored["batch"]
        self._add(batch[id_] for id_ in (finished(list(batch)) if batch else ()))
        self._before = self._counts.seconds

    def write(self, images: Iterable[EncodedImage[str]], write: Callable[[], None]) -> None:
        """Calls ``write``, which writes the samples of some images, and counts these."""
        batch = {image.id: [image.encodes, self._crops[image.level] if self._crops else None] for image in images}
        if batch:
            write_counts(self._run.dataset, self._run.token, {**asdict(self.current()), "batch": batch})
        write()
        self._add(batch.values())

    def current(self) -> Counts:
        """Returns the counts of what is written, and the time until now."""
        self._counts.seconds = self._before + time.perf_counter() - self._started
        return self._counts

    def close(self) -> None:
        """Removes the counts from beside the token, once they are in the run's record."""
        delete_counts(self._run.dataset, self._run.token)

    def _add(self, images: Iterable[Sequence[Any]]) -> None:
        for encodes, crops in images:
            self._counts.add(encodes, crops)
