"""What the form of ``lgca_rescore`` knows of a dataset's runs, asked once for as long as the form is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import fiftyone.operators as foo

from ...lgca_plugin.api import load_run
from ...lgca_plugin.config import RegionPlan, RunConfig
from ...lgca_plugin.errors import ConfigError, LgcaError
from ...lgca_plugin.fiftyone_io.samples import Target
from ...lgca_plugin.method.core.methods import METHODS
from ...lgca_plugin.runs.stored_texts import stored_run
from ...lgca_plugin.store.store import Store
from ..shared.run_choice import known_runs, newest, remembered


@dataclass(frozen=True)
class Source:
    """A run that is to be rescored.

    Attributes:
        key: the run's key
        config: what the run was asked to do
        possible: names of the methods that need no more regions than were encoded
        samples: how many of its samples are in the store of embeddings
        bare: how many of them lack the embeddings of their regions
        vector_keys: the image vectors that are in the store
        problem: why the run can't be rescored, if it can't
    """

    key: str
    config: RunConfig
    possible: tuple[str, ...]
    samples: int
    bare: int
    vector_keys: tuple[str, ...]
    problem: str | None

    @property
    def steps(self) -> int:
        """How many expansion steps were encoded."""
        return self.config.region_plan.steps


def read_source(ctx: Any) -> Source:
    """Reads which run is to be rescored, and looks up what is known of it.

    Raises:
        ConfigError: if there is no such run, or another release wrote its record
    """
    runs = known_runs(ctx)
    key = ctx.params.get("run") or newest(runs)
    problems = {name: problem for name, _, problem in runs}
    if key not in problems:
        raise ConfigError(f"run must name a zero-shot run of this dataset, got {key!r}; it has {', '.join(problems)}")
    if problems[key]:
        raise ConfigError(problems[key])
    config, state = remembered(ctx, _stored_state, key)
    config = RunConfig.from_json(config)
    return Source(key=key, config=config, possible=possible_methods(config), **state)


def possible_methods(config: RunConfig) -> tuple[str, ...]:
    """Lists the methods that need no more regions than a run has encoded: its own, then others."""
    had = config.region_plan
    names = [method.name for method in config.methods]
    for method in METHODS.values():
        needed = RegionPlan.of((method,), config.regions)
        encoded = needed.n_crops <= max(had.n_crops, had.n_chains) and needed.n_chains <= had.n_chains
        if encoded and method.name not in names:
            names.append(method.name)
    return tuple(names)


@foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)
def _stored_state(ctx: Any, key: str) -> list[Any]:
    """Gives a run's config, and what the store holds of it as keyword arguments of :class:`Source`."""
    run = load_run(ctx.dataset, key)
    state = {"samples": 0, "bare": 0, "vector_keys": (), "problem": None}
    try:
        with Store() as store:
            stored = stored_run(store, run)
            held, with_regions = store.sample_ids(stored), store.with_regions(stored)
    except LgcaError as error:
        return [run.config.to_json(), {**state, "problem": str(error)}]
    present = Target.whole(run.dataset).stored(held, [])
    regions = sum(run.config.region_plan.counts)
    state.update(samples=len(present), vector_keys=stored.vector_keys)
    state["bare"] = len(set(present) - with_regions) if regions else 0
    lacking = int(run.results.get("predicted", 0)) - len(held)
    if lacking > 0:
        state["problem"] = (
            f"{lacking:,} predicted samples of run {key!r} are not in the store of embeddings; "
            "classify with the same settings, starting over, to encode them again"
        )
    return [run.config.to_json(), state]
