"""The run that is rescored: its settings, and which of its embeddings are stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RegionPlan, RunConfig
from ...lgca_plugin.descriptions.class_names import ClassNames
from ...lgca_plugin.errors import LgcaError
from ...lgca_plugin.fiftyone_io.samples import ImageSamples
from ...lgca_plugin.method.core.methods import METHODS
from ...lgca_plugin.runs.stored_run import check_has_encoder, stored_run
from ...lgca_plugin.store.store import Store
from ..shared.descriptions import RunTexts
from ..shared.prompt_cache import cached_while_open
from ..shared.run_choice import newest_run, read_run


@dataclass(frozen=True)
class Source:
    """A run to rescore.

    Attributes:
        key: its key
        config: its settings
        available_methods: names of the methods that need no more regions than were encoded
        samples: number of its samples in the store of embeddings
        without_regions: number of these that lack the embeddings of their regions
        vector_keys: the image vectors in the store
        problem: why it can't be rescored, if so
        texts: its texts
        names: how its classes are named to the model
    """

    key: str
    config: RunConfig
    available_methods: tuple[str, ...]
    samples: int = 0
    without_regions: int = 0
    vector_keys: tuple[str, ...] = ()
    problem: str | None = None
    texts: RunTexts = field(default_factory=RunTexts)
    names: ClassNames = field(default_factory=ClassNames)

    @property
    def steps(self) -> int:
        """Number of expansion steps that were encoded."""
        return self.config.region_plan.steps


def read_source(ctx: Any) -> Source:
    """Reads the chosen run, which must exist and be readable, and what is stored of it."""
    key, _ = read_run(ctx, ctx.params.get("run") or newest_run(ctx, looking=True))
    return _stored_source(ctx, key)


def available_methods(config: RunConfig) -> tuple[str, ...]:
    """Returns the names of the methods that need no more regions than a run has encoded: its own, then others."""
    encoded = config.region_plan
    names = [method.name for method in config.methods]
    for method in METHODS.values():
        needed = RegionPlan.of((method,), config.regions, config.budget)
        enough = needed.n_crops <= max(encoded.n_crops, encoded.n_chains) and needed.n_chains <= encoded.n_chains
        if enough and method.name not in names:
            names.append(method.name)
    return tuple(names)


@cached_while_open
def _stored_source(ctx: Any, key: str) -> Source:
    run = load_run(ctx.dataset, key)
    source = Source(key, run.config, available_methods(run.config), texts=RunTexts.of(run))
    source = replace(source, names=ClassNames.of_results(run.results))
    try:
        check_has_encoder(run)
        with Store() as store:
            stored = stored_run(store, run)
            held, with_regions = store.sample_ids(stored), store.samples_with_regions(stored)
    except LgcaError as error:
        return replace(source, problem=error.app)
    present = ImageSamples.whole(run.dataset).stored(held, [])
    problem = None
    lacking = int(run.results.get("predicted", 0)) - len(held)
    if lacking > 0:
        problem = (
            f"{lacking:,} predicted samples of run {key!r} are not in the store of embeddings; "
            "classify with the same settings, starting over, to encode them again"
        )
    return replace(
        source,
        samples=len(present),
        without_regions=len(set(present) - with_regions) if sum(run.config.region_plan.counts) else 0,
        vector_keys=tuple(stored.vector_keys),
        problem=problem,
    )
