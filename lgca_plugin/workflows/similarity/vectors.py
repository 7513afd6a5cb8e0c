"""The stored image vectors of a run's method."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...errors import ConfigError, shown
from ...fiftyone_io.samples import image_samples
from ...prediction.vector_keys import WHOLE, vector_key
from ...runs.stored_run import stored_run
from ...store.store import Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ...method.core.methods import Method
    from ...runs.record import RunRecord

PREFERRED = ("lgca", "wca", "clip")


class ImageVectors(NamedTuple):
    """The image vectors of n samples.

    Attributes:
        sample_ids: n sample ids, in the order in which the run has stored them
        vectors: ``[n, d]`` float32 unit vectors
    """

    sample_ids: list[str]
    vectors: NDArray[np.float32]


def image_vectors_of_run(run: RunRecord, method: str | None = None, *, by_class: bool = True) -> ImageVectors:
    """Returns what :meth:`lgca_plugin.Run.vectors` does; ``by_class=False`` refuses vectors that depend on the classes.

    Raises:
        ConfigError: if there are none
        StoreError: if the store can't be read
    """
    chosen = vector_method(run, method, by_class=by_class)
    with Store() as store:
        stored = stored_run(store, run)
        key = WHOLE if chosen is None else vector_key(chosen, run.config.region_plan, run.config.descriptions_hash)
        if key is None or key not in stored.vector_keys:
            name = WHOLE if chosen is None else chosen.name
            raise ConfigError(
                f"the image vectors of {name!r} of run {run.key!r} are not stored: rescore the run, which stores them"
            )
        column = stored.vector_keys.index(key)
        there = set(image_samples(run.dataset).values("id"))
        ids: list[str] = []
        parts: list[NDArray[np.float32]] = []
        for some, vectors in store.image_vectors(stored):
            rows = [row for row, id_ in enumerate(some) if id_ in there]
            ids += [some[row] for row in rows]
            parts.append(vectors[rows, column])
    if not ids:
        raise ConfigError(f"run {run.key!r} has no image vectors in the store: classify again, starting over")
    return ImageVectors(ids, np.concatenate(parts))


def vector_method(run: RunRecord, name: str | None, *, by_class: bool) -> Method | None:
    """Returns the method of a name, by default the first of LGCA, WCA and CLIP; None for the whole image's vectors.

    Raises:
        ConfigError: if the run has no such method, or it has no vectors to compare images by
    """
    methods = {method.name: method for method in run.config.methods if method.weighting != "learned"}
    usable = [own for own, method in methods.items() if by_class or not method.by_class]
    if name is None:
        chosen = next((own for own in PREFERRED if own in usable), None)
        return None if chosen is None else methods[chosen]
    if name not in methods:
        raise ConfigError(
            f"method {shown(name)} has no image vectors in run {run.key!r}; choose from {', '.join(methods)}"
        )
    if name not in usable:
        raise ConfigError(
            f"the image vectors of {name} depend on the classes of the run, so that they are not for other texts; "
            f"choose from {', '.join(usable) or 'no method'}"
        )
    return methods[name]
