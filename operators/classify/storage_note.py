"""What a run keeps on disk, and whether there is room for it."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from ...lgca_plugin.config import RegionPlan, check_methods
from ...lgca_plugin.encoder.architectures import embedding_dim
from ...lgca_plugin.errors import ConfigError, StoreError
from ...lgca_plugin.prediction.predictor import WHOLE, vector_key
from ...lgca_plugin.store.limits import default_limit
from ...lgca_plugin.store.store import Store, store_exists

BYTES_A_NUMBER = 4  # float32, and int32 in boxes


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def store_room(_ctx: Any) -> list[Any]:
    """Looks up how many bytes the store of embeddings holds, how many it may hold, and what is wrong with it.

    The limit is None where it is not valid, so that nothing can be run.
    """
    try:
        limit = default_limit()
    except ConfigError as error:
        return [0, None, str(error)]
    if not store_exists():
        return [0, limit, None]
    try:
        with Store() as store:
            return [store.used_bytes, limit, None]
    except StoreError as error:
        return [0, limit, str(error)]


def kept_line(chosen: dict[str, Any], images: int, room: list[Any]) -> str:
    """Says how much a run keeps on disk, and how full the store is.

    Args:
        chosen: ``methods``, ``regions``, ``encoder`` and ``store_regions`` of the form, all valid
        images: how many images
        room: see :func:`store_room`
    """
    used, limit, problem = room
    per_image = bytes_per_image(chosen)
    what = "Embeddings" if chosen["store_regions"] else "Image vectors, without the embeddings of crops,"
    size = "an unknown size, for this model's config is not on this machine"
    if per_image is not None:
        size = f"at most {size_text(images * per_image)}"
    state = problem or f"the store holds {size_text(used)} of {size_text(limit)}"
    return f"{what} kept on disk: {size}; {state}"


def add_room_problem(inputs: Any, chosen: dict[str, Any], images: int, room: list[Any]) -> None:
    """Says what happens where the store has no room for all that a run would keep; arguments as above."""
    used, limit, problem = room
    if limit is None:
        prop = inputs.view("room", types.Error(label=problem))
        prop.invalid = True
        prop.error_message = problem
        return
    nbytes = images * (bytes_per_image(chosen) or 0)
    if problem or used + nbytes <= limit:
        return
    line = f"The store of embeddings may hold {size_text(limit)}"
    if nbytes > limit:
        line += ": not all embeddings of this run can be kept"
    else:
        line += ": embeddings of crops of runs used longest ago are deleted to make room"
    inputs.view("room", types.Warning(label=line, description="LGCA_STORE_GB sets another limit, in gigabytes"))


def bytes_per_image(chosen: dict[str, Any]) -> int | None:
    """Works out how much of an image is kept at most; None where the length of its embeddings is not known."""
    dim = embedding_dim(chosen["encoder"][0])
    if dim is None:
        return None
    methods = check_methods(chosen["methods"])
    plan = RegionPlan.of(methods, chosen["regions"])
    vectors = {WHOLE, *(name for name in (vector_key(method, plan) for method in methods) if name)}
    regions = sum(plan.counts) if chosen["store_regions"] else 0
    return BYTES_A_NUMBER * (dim * (1 + len(vectors) + regions) + 4 * regions)


def size_text(nbytes: int) -> str:
    """Puts a size into words, in decimal units."""
    for size, unit in ((1000**3, "GB"), (1000**2, "MB"), (1000, "kB")):
        if nbytes >= size:
            return f"{nbytes / size:,.{1 if nbytes < 10 * size else 0}f} {unit}"
    return f"{nbytes} bytes"
