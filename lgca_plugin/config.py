"""The settings of a run: frozen, validated, to and from JSON."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .errors import ConfigError, shown
from .method.core.boxes import chain_counts, matching_chains
from .method.core.methods import METHODS, Method
from .method.core.regions import CropCounts
from .method.core.stopping import level_sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_RUN_KEY = "zeroshot"
DEFAULT_SHOWN_CHAINS = 3
DEFAULT_METHODS = ("clip", "wca", "lgca")
DEFAULT_BUDGET = "full"
BUDGETS = (DEFAULT_BUDGET, "adaptive")
"""All images take all crops, or each stops when its labels are safe."""
CONFIG_VERSION = 1
MAX_SEED = 2**128 - 1
NOT_IN_NAMES = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that no class name has: control characters, lone surrogates, line and paragraph separators."""

DEMO_MARKER = "lgca_demo"
"""Key in ``dataset.info`` by which the demo dataset is recognized."""
SAVED_DESCRIPTIONS = "lgca_descriptions"
"""Key in ``dataset.info`` of class descriptions that are saved on a dataset: class name to texts."""


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
    ``steps``, if no method uses them. With the budget ``"adaptive"`` an image may stop at any of :attr:`levels`.
    """

    n_crops: int
    n_chains: int
    steps: int
    regions: RegionConfig
    budget: str = DEFAULT_BUDGET

    @classmethod
    def of(cls, methods: tuple[Method, ...], regions: RegionConfig, budget: str = DEFAULT_BUDGET) -> RegionPlan:
        """Returns the plan of ``methods``."""
        kinds = {method.regions for method in methods}
        return cls(
            n_crops=regions.crops if "crops" in kinds else 0,
            n_chains=regions.n_chains if "chains" in kinds else 0,
            steps=regions.steps if "chains" in kinds else 0,
            regions=regions,
            budget=budget,
        )

    @cached_property
    def levels(self) -> tuple[RegionPlan, ...]:
        """The budget levels: plans of a full budget, the smallest first, at which an image may stop.

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


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything needed to repeat a run on the same images; the class descriptions are in the run's results.

    ``encoder_fingerprint`` is a hash of weights and preprocessing, ``ground_truth`` the label field from which the
    classes were taken, or with which they are compared, if any. With ``logits`` the labels have those of all classes.
    At most ``shown_chains`` chains of an image are written as boxes. Crops are resized ``"exact"`` or ``"fast"``.
    """

    classes: tuple[str, ...]
    descriptions_hash: str
    methods: tuple[Method, ...]
    regions: RegionConfig
    encoder: str
    encoder_fingerprint: str
    precision: str
    ground_truth: str | None = None
    logits: bool = False
    shown_chains: int = DEFAULT_SHOWN_CHAINS
    resize: str = "exact"
    budget: str = DEFAULT_BUDGET

    @property
    def region_plan(self) -> RegionPlan:
        """The regions that the run's methods need."""
        return RegionPlan.of(self.methods, self.regions, self.budget)

    def to_json(self) -> dict[str, Any]:
        """Returns the config as a JSON-ready dict for :meth:`from_json`."""
        document = asdict(self)
        document["classes"] = list(self.classes)
        document["methods"] = [method.to_json() for method in self.methods]
        return {"version": CONFIG_VERSION, **document}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RunConfig:
        """Returns the config of a dict that :meth:`to_json` returned.

        Raises:
            ConfigError: if its version or keys are others, or a value is none that a run can have
        """
        try:
            return cls._parsed(dict(document))
        except ConfigError:
            raise
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this run's config can't be read: {error}") from error

    @classmethod
    def _parsed(cls, values: dict[str, Any]) -> RunConfig:
        version = values.pop("version", None)
        if version != CONFIG_VERSION:
            raise ConfigError(f"this run's config is of version {shown(version)}; this release reads {CONFIG_VERSION}")
        for name, only in (("resize", "exact"), ("budget", DEFAULT_BUDGET)):  # runs of earlier releases had no other
            values.setdefault(name, only)
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise ConfigError(f"this run's config has other keys than expected: {sorted(set(values) ^ expected)}")
        check_budget(values["budget"])
        values["classes"] = tuple(values["classes"])
        kinds: dict[Any, type] = {"str": str, "bool": bool, "int": int}
        wrong = [
            field.name for field in fields(cls) if not isinstance(values[field.name], kinds.get(field.type, object))
        ]
        if wrong or not all(isinstance(name, str) for name in values["classes"]):
            raise ConfigError(f"this run's {(wrong or ['classes'])[0]} can't be read")
        if unknown := set(values["regions"]) - {field.name for field in fields(RegionConfig)}:
            raise ConfigError(f"this run's regions have a setting {sorted(unknown)[0]!r}, unknown to this release")
        values["regions"] = RegionConfig(**values["regions"])
        values["methods"] = tuple(Method.from_json(method) for method in values["methods"])
        return cls(**values)

    def differences(self, other: RunConfig) -> list[str]:
        """Returns the names of the settings in which two configs differ."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(other, field.name)]


def check_run_key(run_key: str) -> str:
    """Returns ``run_key``, which names fields; refuses what is no identifier, or longer than 64 characters."""
    if not isinstance(run_key, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", run_key):
        raise ConfigError(
            "run_key names fields, so it must start with a letter and hold only letters, digits and _; "
            f"got {shown(run_key)}"
        )
    if len(run_key) > 64:
        raise ConfigError(f"run_key must have at most 64 characters, got {len(run_key)}")
    return run_key


def check_budget(budget: str) -> str:
    """Returns ``budget``; refuses what is none of :data:`BUDGETS`."""
    if budget not in BUDGETS:
        raise ConfigError(f"budget must be one of {', '.join(BUDGETS)}, got {shown(budget)}")
    return budget


def check_classes(classes: Any) -> tuple[str, ...]:
    """Returns ``classes`` as a tuple of at least two distinct names, stripped, each one line; refuses anything else."""
    if isinstance(classes, str) or not hasattr(classes, "__iter__"):
        raise ConfigError(f"classes must be a list of names, got {shown(classes)}")
    if isinstance(classes, (set, frozenset)):  # its order differs from process to process
        classes = sorted(classes, key=str)
    names: list[str] = []
    for position, name in enumerate(classes, 1):
        if not isinstance(name, str):
            raise ConfigError(f"classes must be text, got {shown(name)} at position {position}")
        if not name.strip():
            raise ConfigError(f"class {position} of classes is blank; remove it or give it a name")
        if any(unicodedata.category(character) in NOT_IN_NAMES for character in name.strip()):
            raise ConfigError(
                f"class {name!r} has a line break or control character in it, or half a character; remove it"
            )
        names.append(name.strip())
    check_distinct(names)
    if len(names) < 2:
        raise ConfigError(f"classification needs at least two classes, got {shown(names)}")
    return tuple(names)


def check_distinct(
    names: Sequence[str], message: str = "class {!r} is given twice; class names must be distinct"
) -> None:
    """Refuses names of which one is repeated, with a message that shows it."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(message.format(name))


def check_methods(methods: Any) -> tuple[Method, ...]:
    """Returns the presets of ``methods``, names or presets of the caller's own: at least one, with distinct names."""
    if isinstance(methods, (str, Method)):
        methods = (methods,)
    if not hasattr(methods or (), "__iter__"):
        raise ConfigError(f"methods must be a list of names or presets, got {shown(methods)}")
    if isinstance(methods, (set, frozenset)):  # its order differs from process to process
        methods = sorted(methods, key=lambda method: getattr(method, "name", str(method)))
    presets: list[Method] = []
    for method in methods or ():
        if isinstance(method, Method):
            presets.append(method)
        elif isinstance(method, str) and method in METHODS:
            presets.append(METHODS[method])
        else:
            raise ConfigError(f"unknown method {shown(method)}; choose from {', '.join(METHODS)} or pass a Method")
    if not presets:
        raise ConfigError(f"methods is empty; choose from {', '.join(METHODS)}")
    check_distinct([preset.name for preset in presets], "methods must have distinct names, got {!r} twice")
    return tuple(presets)


def _check_int(name: str, value: Any, *, at_least: int, at_most: int | None = None) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} must be a whole number, got {shown(value)}")
    if value < at_least or (at_most is not None and value > at_most):
        limits = f"at least {at_least}" + (f" and at most {at_most}" if at_most is not None else "")
        raise ConfigError(f"{name} must be {limits}, got {shown(value)}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{name} must be a finite number, got {shown(value)}")
