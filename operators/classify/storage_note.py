"""How much a run stores on disk, and whether the store of embeddings has space left for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.config import DEFAULT_BUDGET, RegionPlan, check_methods
from ...lgca_plugin.encoder.architectures import embedding_dim
from ...lgca_plugin.errors import ConfigError, StoreError
from ...lgca_plugin.prediction.vector_keys import vector_keys
from ...lgca_plugin.store.limits import default_limit, fitting_images, region_bytes
from ...lgca_plugin.store.store import Store, store_exists
from ..shared.form import mark_invalid
from ..shared.prompt_cache import cached_while_open

BYTES_A_NUMBER = 4  # float32


@dataclass(frozen=True)
class Storage:
    """The bytes in the store of embeddings, and their limit; without a limit, which is not valid then, nothing runs."""

    used: int
    limit: int | None
    problem: str | None


@cached_while_open
def read_storage(_ctx: Any) -> Storage:
    """Returns the state of the store of embeddings."""
    try:
        limit = default_limit()
    except ConfigError as error:
        return Storage(0, None, error.app)
    if not store_exists():
        return Storage(0, limit, None)
    try:
        with Store() as store:
            return Storage(store.used_bytes, limit, None)
    except StoreError as error:
        return Storage(0, limit, error.app)


def storage_line(chosen: dict[str, Any], images: int, storage: Storage) -> str:
    """Returns a line on how much a run stores, and how full the store is; the ``chosen`` settings are all valid."""
    per_image = bytes_per_image(chosen)
    what = "Embeddings" if chosen["store_regions"] else "Image vectors, without the embeddings of crops,"
    size = "an unknown size, for this model's config is not on this machine"
    if per_image is not None:
        size = f"at most {size_text(images * per_image)}"
    state = storage.problem or f"the store holds {size_text(storage.used)} of {size_text(storage.limit or 0)}"
    return f"{what} stored on disk: {size}; {state}"


def add_storage_warning(inputs: Any, chosen: dict[str, Any], images: int, storage: Storage) -> None:
    """Warns if a run's embeddings exceed the free space; marks the form invalid if the limit's setting is."""
    if storage.limit is None:
        mark_invalid(inputs.view("storage", types.Error(label=storage.problem)), str(storage.problem))
        return
    nbytes = images * (bytes_per_image(chosen) or 0)
    if storage.problem or storage.used + nbytes <= storage.limit:
        return
    line = f"The store of embeddings may hold {size_text(storage.limit)}"
    note = "LGCA_STORE_GB sets another limit, in gigabytes"
    if nbytes > storage.limit:
        fitting = fitting_images(images, nbytes // images) or 0
        line += f", which at least {fitting:,} of {images:,} images fill: not all embeddings of this run can be stored"
        if chosen["store_regions"]:
            note += "; or switch “Store embeddings of crops” off, under Advanced settings: then no image has evidence"
    else:
        line += ": embeddings of crops of the least recently used runs are deleted to make space"
    inputs.view("storage", types.Warning(label=line, description=note))


def bytes_per_image(chosen: dict[str, Any]) -> int | None:
    """Returns how many bytes of an image are stored at most; None if the length of its embeddings is not known."""
    dim = embedding_dim(chosen["encoder"][0])
    if dim is None:
        return None
    methods = check_methods(chosen["methods"])
    plan = RegionPlan.of(methods, chosen["regions"], chosen.get("budget") or DEFAULT_BUDGET)
    vectors = len(vector_keys(methods, plan, texts=""))
    regions = sum(plan.counts) if chosen["store_regions"] else 0
    return BYTES_A_NUMBER * dim * (1 + vectors) + regions * region_bytes(dim)


def size_text(nbytes: int) -> str:
    """Returns a size in words, in decimal units."""
    for size, unit in ((1000**3, "GB"), (1000**2, "MB"), (1000, "kB")):
        if nbytes >= size:
            return f"{nbytes / size:,.{1 if nbytes < 10 * size else 0}f} {unit}"
    return f"{nbytes} bytes"
