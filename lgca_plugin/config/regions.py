"""Which regions of an image are encoded: the settings, and the plan of what a set of methods needs."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from ..errors import ConfigError, shown
from ..method.core.boxes import chain_counts, matching_chains
from ..method.core.methods import Method
from ..method.core.regions import CropCounts
from ..method.core.stopping import level_sizes

DEFAULT_BUDGET = "full"
ECONOMICAL = "economical"
BUDGETS = (DEFAULT_BUDGET, "adaptive", ECONOMICAL)
"""All images take all crops, or each stops when its labels are safe, of all crops or of a well spread part of them."""
ECONOMY = 3
"""One in so many crops, those that overlap least, is the most that an economical budget takes; never changed, since
runs are repeated by it."""
MAX_SEED = 2**128 - 1


@dataclass(frozen=True, kw_only=True)
class RegionConfig:
    """The regions of an image that are encoded. The defaults are WCA's published settings, and LGCA at WCA's cost.

    Attributes:
        crops: number of local crops of the crop methods (WCA's N)
        lgca_crops: number of crops that start a chain; None takes the maximum whose steps together cost at most as many
            encodes as ``crops`` (34 for 60)
        scale_min: smallest side of a crop, as a share of the image's shorter side
        scale_max: largest side of a crop, as a share of the image's shorter side
        steps: number of expansion steps (LGCA's T)
        keep: share of the regions, the most salient ones, that each step keeps
        growth: factor by which a step grows the side of a region
        seed: seed of the crops, which depend only on it and on the bytes of the image file
    """

    crops: int = 60
    lgca_crops: int | None = None
    scale_min: float = 0.5
    scale_max: float = 0.9
    steps: int = 2
    keep: float = 0.5
    growth: float = 1.5
    seed: int = 0

    def __post_init__(self) -> None:
        _check_int("crops", self.crops, at_least=1, at_most=10_000)
        if self.lgca_crops is not None:
            _check_int("lgca_crops", self.lgca_crops, at_least=1, at_most=10_000)
        _check_int("steps", self.steps, at_least=0, at_most=20)
        _check_int("seed", self.seed, at_least=0, at_most=MAX_SEED)
        for name in ("scale_min", "scale_max", "keep", "growth"):
            _check_number(name, getattr(self, name))
        if not 0 < self.scale_min <= 1 or not 0 < self.scale_max <= 1:
            raise ConfigError(
                "scale_min and scale_max are shares of the image's shorter side, above 0 and at most 1; "
                f"got {self.scale_min} and {self.scale_max}"
            )
        if self.scale_min > self.scale_max:
            raise ConfigError(f"scale_min must not exceed scale_max, got {self.scale_min} > {self.scale_max}")
        if not 0 < self.keep < 1:
            raise ConfigError(f"keep must be between 0 and 1, got {self.keep}")
        if not 1 < self.growth <= 100:
            raise ConfigError(f"growth must be greater than 1 (and at most 100), got {self.growth}")

    @property
    def n_chains(self) -> int:
        """Number of crops that start a chain, with None resolved."""
        if self.lgca_crops is not None:
            return self.lgca_crops
        return matching_chains(self.crops, keep=self.keep, steps=self.steps)


@dataclass(frozen=True, kw_only=True)
class RegionPlan:
    """The regions per image that a set of methods needs.

    Of the crops of step 0, the crop methods use ``n_crops``, and ``n_chains`` start a chain. These numbers are 0, like
    ``steps``, if no method uses them. With any budget but ``"full"`` an image may stop at any of :attr:`levels`.

    The crops are the first that are sampled, or, under an economical budget, those of ``spread_of`` sampled ones that
    overlap least, in the order of :func:`~lgca_plugin.method.core.boxes.spread_order`.
    """

    n_crops: int
    n_chains: int
    steps: int
    regions: RegionConfig
    budget: str = DEFAULT_BUDGET
    spread_of: int | None = None

    @classmethod
    def of(cls, methods: tuple[Method, ...], regions: RegionConfig, budget: str = DEFAULT_BUDGET) -> RegionPlan:
        """Returns the plan of ``methods``.

        The numbers of an economical budget follow from those of the settings alone, and not from the steps, so that
        they stay when a run is rescored with fewer steps.
        """
        kinds = {method.regions for method in methods}
        n_crops, n_chains, spread_of = regions.crops, regions.n_chains, None
        if budget == ECONOMICAL:
            spread_of = max(n_crops, n_chains)
            n_crops, n_chains = max(1, n_crops // ECONOMY), max(1, n_chains // ECONOMY)
        return cls(
            n_crops=n_crops if kinds & {"crops", "all"} else 0,
            n_chains=n_chains if kinds & {"chains", "all"} else 0,
            steps=regions.steps if kinds & {"chains", "all"} else 0,
            regions=regions,
            budget=budget,
            spread_of=spread_of,
        )

    @cached_property
    def levels(self) -> tuple[RegionPlan, ...]:
        """The budget levels: plans without levels of their own, the smallest first, at which an image may stop.

        The crops of each are the first crops of the next. A full budget, or one of few crops, has one level.
        """
        if self.budget == DEFAULT_BUDGET:
            return (self,)
        sizes = level_sizes(max(self.n_crops, self.n_chains))
        return tuple(
            replace(self, n_crops=min(size, self.n_crops), n_chains=min(size, self.n_chains), budget=DEFAULT_BUDGET)
            for size in sizes
        )

    @property
    def crop_counts(self) -> CropCounts:
        """How many of an image's crops the methods use."""
        return CropCounts(self.n_crops, self.n_chains)

    @property
    def adaptive(self) -> bool:
        """True if images may stop early."""
        return len(self.levels) > 1

    def at(self, level: int) -> RegionPlan:
        """Returns the plan of an image that has stopped at a level.

        The level may be one of a plan of more methods, which may have more levels: it is then the last.
        """
        return self.levels[min(level, len(self.levels) - 1)]

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Number of regions of each step, step 0 first; empty if no method uses regions.

        The methods share one sequence of crops, of which each takes a prefix.
        """
        sampled = max(self.n_crops, self.n_chains)
        if not self.n_chains:
            return (sampled,) if sampled else ()
        return (sampled, *chain_counts(self.n_chains, keep=self.regions.keep, steps=self.steps)[1:])

    @property
    def encodes_per_image(self) -> int:
        """Maximum number of encodes per image, the whole image included: 87 for CLIP, WCA and LGCA at the defaults.

        Regions of an image that have become equal are encoded once.
        """
        return 1 + sum(self.counts)


def _check_int(name: str, value: Any, *, at_least: int, at_most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be a whole number, got {shown(value)}")
    if value < at_least or (at_most is not None and value > at_most):
        limits = f"at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
        raise ConfigError(f"{name} must be {limits}, got {shown(value)}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{name} must be a finite number, got {shown(value)}")
