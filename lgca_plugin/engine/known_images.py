"""Images whose embeddings are all known, brought through the expansion steps many at a time, before any is decoded.

One by one, that takes several times as long. So a run that may know its images first
asks for some dozens of them at once; what is not all known goes on to be decoded, as if nobody had asked. Where
a run knows none of its images, asking would have every file read twice; so it ends when it was in vain.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ImageError
from ..images.files import content_hash, read_bytes, reading_threads
from .batched_replay import replay_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..config import RegionPlan
    from ..images.files import ImageSource
    from .embeddings import EncodedImage, FailedImage, KnownRegions

Id = TypeVar("Id")

AT_ONCE = 32
"""So many images are asked for at once."""

IN_VAIN = 2
"""After so many times in a row without one that is known, nobody asks any more."""


@dataclass(frozen=True)
class Recalled:
    """An image whose embeddings were all known, at the end of its steps.

    Attributes:
        result: what has become of it, under whatever id
        nbytes: memory that it holds
    """

    result: EncodedImage[Any] | FailedImage[Any]
    nbytes: int


def recall_ahead(
    images: Iterable[tuple[Id, ImageSource]], recall: Callable[[str], KnownRegions | None], plan: RegionPlan
) -> Generator[tuple[Id, ImageSource | Recalled], None, None]:
    """Recalls images in threads, some dozens at a time and a little ahead of the caller.

    Args:
        images: pairs of an id and a path or the bytes of an image file; read lazily
        recall: gives what is known of the image whose file has this content hash; called in any thread
        plan: which regions are wanted, of a full budget

    Yields:
        the images in their order, each with what it is, or as it was where that is not all known; the generator has to
        be closed before what ``recall`` asks is
    """
    source, fruitless = iter(images), 0
    workers = reading_threads()
    ask = partial(_ask, recall=recall, plan=plan)
    with ThreadPoolExecutor(workers, thread_name_prefix="lgca-recall") as pool:
        asked: deque[Future[list[tuple[Id, ImageSource | Recalled]]]] = deque()
        while fruitless < IN_VAIN:
            while len(asked) <= workers and (some := list(islice(source, AT_ONCE))):
                asked.append(pool.submit(ask, some))
            if not asked:
                return
            answer = asked.popleft().result()
            fruitless = 0 if any(isinstance(item, Recalled) for _, item in answer) else fruitless + 1
            yield from answer
        for future in asked:
            yield from future.result()
    yield from source


def _ask(
    images: Sequence[tuple[Id, ImageSource]], recall: Callable[[str], KnownRegions | None], plan: RegionPlan
) -> list[tuple[Id, ImageSource | Recalled]]:
    known: list[tuple[str, str, KnownRegions]] = []
    for index, (_, source) in enumerate(images):
        try:
            hashed = content_hash(read_bytes(source))
        except ImageError:  # whoever loads it will say so
            continue
        found = recall(hashed)
        if found is not None:
            known.append((str(index), hashed, found))
    batch = replay_batch(known, plan) if known else None
    answer: list[tuple[Id, ImageSource | Recalled]] = list(images)
    for image in batch.images() if batch is not None else ():
        answer[int(image.id)] = images[int(image.id)][0], Recalled(image, image.regions.nbytes + image.whole.nbytes)
    return answer
