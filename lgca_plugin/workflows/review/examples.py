"""Examples of a class for a person who does not know it: typical samples, and the one nearest to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...method.labels.typical import typical_rows
from .pools import class_pools, image_vectors, still_undoubted

if TYPE_CHECKING:
    from ...fiftyone_io.thumbnails import Box
    from ...runs.record import RunRecord

EXAMPLES = 3
"""Number of typical samples of a class."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """A sample of a class whose label nobody doubts; ``nearest`` is True for the one most similar to the picture.

    ``around`` is the box that it is about, None for the whole picture.
    """

    sample_id: str
    filepath: str
    around: Box | None
    label: str
    nearest: bool = False


def class_examples(run: RunRecord, label: str, near: str | None = None) -> tuple[Example, ...]:
    """Returns examples of a class among the samples whose label nobody doubts.

    Nobody doubts a label that all methods give as well, that is no suspect, and that no person has changed or taken for
    a bad image. Of these, the samples whose image vectors are nearest to the mean of their class are typical; near
    duplicates are left out where there are others. Of a large class, 256 samples chosen at random are considered.

    Args:
        run: the run
        label: the class
        near: id of a sample; the example that is most similar to it is added

    Returns:
        at most three typical samples, the most central first, then the nearest one; fewer, or none, if there are fewer

    Raises:
        ConfigError: if the run has not been triaged
    """
    pool = class_pools(run, [label])[label]
    there = still_undoubted(run, label, pool.ids)
    rows = [row for row, id_ in enumerate(pool.ids) if id_ in there and id_ != near]
    if not rows:
        return ()
    if pool.vectors is None:
        chosen, nearest = rows[:EXAMPLES], None
    else:
        vectors = pool.vectors[rows]
        own = None if near is None else image_vectors(run, [near]).get(near)
        at = None if own is None else int(np.argmax(vectors @ own))
        typical = typical_rows(vectors, EXAMPLES, without=() if at is None else (at,))
        chosen, nearest = [rows[row] for row in typical], None if at is None else rows[at]
    ids = [pool.ids[row] for row in chosen]
    examples = [_example(id_, there[id_], label) for id_ in ids]
    if nearest is not None:
        id_ = pool.ids[nearest]
        examples.append(_example(id_, there[id_], label, nearest=True))
    return tuple(examples)


def _example(id_: str, shown: tuple[str, Box | None], label: str, *, nearest: bool = False) -> Example:
    return Example(sample_id=id_, filepath=shown[0], around=shown[1], label=label, nearest=nearest)
