"""Suspects that can be decided together: same given label, same suggested label, and alike to look at."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from .pools import class_pools, image_vectors
from .suspects import undecided

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...runs.record import RunRecord
    from .suspects import Suspect

MAX_LOOK_ALIKES = 24
"""Maximum number of suspects of a group: as many as a person can look at on one screen."""
MAX_COMPARED = 512
"""Maximum number of suspects that are compared with one, the next ones of the queue."""


def look_alikes(run: RunRecord, suspects: Sequence[Suspect], sample_id: str) -> tuple[str, ...]:
    """Returns the undecided suspects that look like one, itself first, then the most similar.

    Alike are images whose vectors are nearer to each other (1 - cosine) than the median of two undoubted samples of the
    suggested class: two such images look as much alike as images of one class do. If that class has no two such
    samples, those of the given class count.

    Args:
        run: the run
        suspects: all suspects in the order of the queue
        sample_id: a suspect

    Returns:
        at most 24 ids; the sample's own alone if no other is alike or vectors are not stored; none if it is no suspect
    """
    own = next((one for one in suspects if one.sample_id == sample_id), None)
    if own is None:
        return ()
    pair = own.given, own.suggested
    others = [one.sample_id for one in undecided(suspects) if (one.given, one.suggested) == pair]
    others = [id_ for id_ in others if id_ != sample_id][:MAX_COMPARED]
    limit = _limit(run, own) if others else float("nan")
    if isnan(limit):
        return (sample_id,)
    vectors = image_vectors(run, [sample_id, *others])
    if sample_id not in vectors:
        return (sample_id,)
    distances = {id_: 1 - float(vectors[id_] @ vectors[sample_id]) for id_ in others if id_ in vectors}
    alike = sorted((id_ for id_, distance in distances.items() if distance < limit), key=distances.__getitem__)
    return (sample_id, *alike[: MAX_LOOK_ALIKES - 1])


def _limit(run: RunRecord, suspect: Suspect) -> float:
    """Returns the distance below which suspects are alike; nan if neither class has two undoubted samples."""
    pools = class_pools(run, [label for label in (suspect.suggested, suspect.given) if label])
    limits = (pool.median_distance for pool in pools.values())
    return next((limit for limit in limits if not isnan(limit)), float("nan"))
