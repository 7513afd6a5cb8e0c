"""The settings of a run: frozen, validated, to and from JSON."""

from __future__ import annotations

from .checks import (
    NOT_IN_NAMES,
    check_budget,
    check_classes,
    check_count,
    check_distinct,
    check_methods,
    check_run_key,
)
from .default_methods import default_methods, method_warnings, run_methods
from .regions import BUDGETS, DEFAULT_BUDGET, MAX_SEED, RegionConfig, RegionPlan
from .run_config import (
    CONFIG_VERSION,
    DEFAULT_SHOWN_CHAINS,
    SEVERAL_KINDS,
    FusedRunConfig,
    FusionConfig,
    RunConfig,
)
from .shares import BALANCED, NO_SHARES, ClassShares, check_shares
from .voters import Voter, voters_of

DEFAULT_RUN_KEY = "zeroshot"

DEMO_MARKER = "lgca_demo"
"""Key in ``dataset.info`` by which the demo dataset is recognized."""
SAVED_DESCRIPTIONS = "lgca_descriptions"
"""Key in ``dataset.info`` of class descriptions that are saved on a dataset: class name to texts."""

__all__ = [
    "BALANCED",
    "BUDGETS",
    "CONFIG_VERSION",
    "DEFAULT_BUDGET",
    "DEFAULT_RUN_KEY",
    "DEFAULT_SHOWN_CHAINS",
    "DEMO_MARKER",
    "MAX_SEED",
    "NOT_IN_NAMES",
    "NO_SHARES",
    "SAVED_DESCRIPTIONS",
    "SEVERAL_KINDS",
    "ClassShares",
    "FusedRunConfig",
    "FusionConfig",
    "RegionConfig",
    "RegionPlan",
    "RunConfig",
    "Voter",
    "check_budget",
    "check_classes",
    "check_count",
    "check_distinct",
    "check_methods",
    "check_run_key",
    "check_shares",
    "default_methods",
    "method_warnings",
    "run_methods",
    "voters_of",
]
