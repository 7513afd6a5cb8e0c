"""A sweep over settings on labelled, encoded images: the grid, the pass over the images, the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ConfigError
from ..number_text import interval_text, points_interval_text
from .selection import FOLDS, REPEATS, nested_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ..core.methods import Method
    from ..core.regions import RegionEmbeddings, RegionKind
    from .scorer import SettingsScorer
    from .selection import Choice, Estimate

    IntArray = NDArray[np.integer]

IMAGE_SCALES = (0.0, 2.0, 3.0, 4.0, 5.0)
TEXT_SCALES = (0.0, 2.0, 3.0, 4.0)
FEW_TEXT_SCALES = (0.0, 2.0, 4.0)  # of methods with many other settings
GLOBAL_WEIGHTS = (0.0, 0.5, 1.0)
DECISIVENESS = (5.0, 10.0, 15.0)
TEMPERATURES = (1.0, 1.5, 2.0)

HINTED = {"image_scale", "decisiveness", "temperature", "regions"}
"""Settings whose effect on the number of regions that decide is shown, one at a time, where there are no labels."""


def default_grid(methods: Sequence[Method], *, steps: int, regions: Sequence[RegionKind] = ()) -> list[Method]:
    """Returns settings around each method: every combination of values of the settings that it depends on.

    Weights by class vary ``decisiveness`` and ``temperature``, and where they are not by size ``regions``. Salience
    weights vary ``image_scale``, and all that are not by class ``global_weight``; chains vary ``step_weights`` too
    (equal, halved and doubled from step to step); weighted descriptions vary ``text_scale``. With all regions encoded
    these are 60 settings of WCA, 135 of LGCA, 81 of decisive WCA, 27 of decisive LGCA and one of CLIP.

    Args:
        methods: the presets, with distinct names
        steps: number of expansion steps that the images were encoded with
        regions: the kinds of regions that the images were encoded with; those of a method need not be among them

    Returns:
        the settings, by method; each has its method's name, and the method itself comes first of its name
    """
    return [setting for method in methods for setting in _around(method, steps, regions)]


def _around(method: Method, steps: int, regions: Sequence[RegionKind]) -> list[Method]:
    axes: dict[str, tuple[object, ...]] = {}
    if method.by_class:
        if method.weighting != "sized":
            axes["regions"] = tuple(regions)
        axes["decisiveness"], axes["temperature"] = DECISIVENESS, TEMPERATURES
    elif method.regions != "none":
        axes["global_weight"] = GLOBAL_WEIGHTS
        if method.weighting == "salience":
            axes["image_scale"] = IMAGE_SCALES
        if method.grows and steps:
            falling = tuple(2.0**-step for step in range(steps + 1))
            axes["step_weights"] = (None, falling, falling[::-1])
    if method.class_vectors == "weighted":
        axes["text_scale"] = FEW_TEXT_SCALES if method.by_class or method.grows else TEXT_SCALES
    own_first = [tuple(dict.fromkeys((getattr(method, name), *values))) for name, values in axes.items()]
    settings = []
    for values in product(*own_first):
        changes: dict[str, Any] = dict(zip(axes, values, strict=True))
        settings.append(replace(method, **changes))
    return settings


class Sweep:
    """Collects the results of settings on labelled images, batch by batch; stores one byte a setting and image.

    Args:
        scorer: of the settings to compare; those of one name form a group, whose first is its default
    """

    def __init__(self, scorer: SettingsScorer) -> None:
        self._scorer = scorer
        self._truth: list[IntArray] = []
        self._correct: list[NDArray[np.bool_]] = []
        self._effective = np.zeros(len(scorer.settings))
        self._used = np.zeros(len(scorer.settings))

    def add(self, images: RegionEmbeddings, truth: IntArray) -> None:
        """Scores b images under every setting against their ``[b]`` true class indices; -1 is never right."""
        scores = self._scorer.score(images)
        self._truth.append(np.asarray(truth))
        self._correct.append(scores.labels == np.asarray(truth))
        self._effective += scores.effective.sum(axis=1)
        self._used += scores.used.sum(axis=1)

    def report(self, *, folds: int = FOLDS, repeats: int = REPEATS, seed: int = 0) -> SweepReport:
        """Chooses a setting from each group and estimates its accuracy, see :func:`~.selection.nested_sweep`."""
        if not self._truth:
            raise ConfigError("there are no labelled samples to compare settings on")
        correct, truth = np.concatenate(self._correct, axis=1), np.concatenate(self._truth)
        groups = [setting.name for setting in self._scorer.settings]
        choices = nested_sweep(correct, groups, truth, folds=folds, repeats=repeats, seed=seed)
        results = self._results(correct.mean(axis=1).tolist())
        return SweepReport(results, tuple(choices), len(truth), folds, repeats, seed)

    def hint(self) -> SweepReport:
        """Returns the effective number of regions under every setting, which needs no labels."""
        if not self._truth:
            raise ConfigError("there are no samples to compare settings on")
        return SweepReport(self._results([None] * len(self._effective)), (), self._count, 0, 0, 0)

    @property
    def _count(self) -> int:
        return sum(len(of_batch) for of_batch in self._truth)

    def _results(self, accuracies: Sequence[float | None]) -> tuple[SettingResult, ...]:
        found = zip(
            self._scorer.settings, accuracies, self._effective / self._count, self._used / self._count, strict=True
        )
        return tuple(
            SettingResult(setting, accuracy, None if np.isnan(effective) else float(effective), float(used))
            for setting, accuracy, effective, used in found
        )


@dataclass(frozen=True)
class SettingResult:
    """The results of one setting.

    Attributes:
        setting: the preset
        accuracy: share of samples on which it is right; too high for the best of many settings; None without labels
        effective: effective number of regions, ``1 / sum_r a_r^2``, mean over the samples; needs no labels. Near 1, one
            region decides; near ``used``, the weights hardly matter. None if the setting uses no regions
        used: number of regions with a weight, mean over the samples
    """

    setting: Method
    accuracy: float | None
    effective: float | None
    used: float


@dataclass(frozen=True)
class SweepReport:
    """The result of a sweep.

    Attributes:
        results: one for each setting, in the order given
        choices: one for each group of settings; their settings are indices of ``results``; none without labels
        samples: number of samples compared on
        folds: number of folds of the nested cross-validation
        repeats: number of ways the samples were split
        seed: seed of the splits
        excluded: reason to the number of samples left out for it
    """

    results: tuple[SettingResult, ...]
    choices: tuple[Choice, ...]
    samples: int
    folds: int
    repeats: int
    seed: int
    excluded: dict[str, int] = field(default_factory=dict)

    @property
    def chosen(self) -> dict[str, Method]:
        """Group to its chosen setting."""
        return {choice.group: self.results[choice.chosen].setting for choice in self.choices}

    def to_json(self) -> dict[str, Any]:
        """Returns the report as a JSON-ready dict."""
        results = [{**asdict(result), "setting": result.setting.to_json()} for result in self.results]
        choices = [choice.to_json() for choice in self.choices]
        return {**asdict(self), "results": results, "choices": choices}

    def table(self) -> str:
        """Returns the choices as text, one line a group; without labels, the effective numbers of regions."""
        lines = self._choice_lines() if self.choices else self._hint_lines()
        left_out = [f"Left out: {count:,} {why}." for why, count in self.excluded.items()]
        return "\n".join([*lines, *left_out])

    def _hint_lines(self) -> list[str]:
        lines = [f"{'method':<12} {'effective':<11} setting"]
        defaults: dict[str, Method] = {}
        for result in self.results:
            default = defaults.setdefault(result.setting.name, result.setting)
            differing = {name for name, value in asdict(default).items() if value != getattr(result.setting, name)}
            if result.effective is not None and differing <= HINTED and len(differing) < 2:
                effective = f"{result.effective:.0f} of {result.used:.0f}"
                lines.append(f"{result.setting.name:<12} {effective:<11} {changes(result.setting, default)}")
        legend = (
            f"{self.samples} samples, no labels. Effective: regions that carry the weight, 1 / sum of squared weights, "
            "of those the setting uses. Near 1, one region decides; near all of them, the weights hardly matter."
        )
        return [*lines, legend]

    def _choice_lines(self) -> list[str]:
        titles = f"{'method':<12} {'default':<24} {'chosen, held out':<24} {'gain in points':<22} "
        lines = [titles + f"{'like the best':<14} {'effective':<11} chosen"]
        for choice in self.choices:
            result, gain = self.results[choice.chosen], choice.gain
            effective = "-" if result.effective is None else f"{result.effective:.0f} of {result.used:.0f}"
            alike = f"{len(choice.within_noise)} of {choice.settings}"
            lines.append(
                f"{choice.group:<12} {_interval(choice.default_accuracy):<24} {_interval(choice.nested):<24} "
                f"{points_interval_text((gain.value, gain.low, gain.high)):<22} {alike:<14} {effective:<11} "
                f"{changes(result.setting, self.results[choice.default].setting)}"
            )
        legend = (
            f"{self.samples} samples; nested cross-validation, {self.folds} folds, {self.repeats} repeats; 95% "
            "intervals. Like the best: settings that do not differ significantly from the chosen one. Effective: "
            "crops that carry the chosen setting's weight, of those it uses."
        )
        return [*lines, legend]


def changes(setting: Method, default: Method) -> str:
    """Returns the settings in which a preset differs from its default: ``"image_scale 2, text_scale 4"``."""
    before = asdict(default)
    differing = {name: value for name, value in asdict(setting).items() if value != before[name]}
    texts = [f"{name} {_number(value)}" for name, value in differing.items()]
    return ", ".join(texts) or "the default"


def _number(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        return "/".join(_number(item) for item in value)
    return "equal" if value is None else f"{value:g}"


def _interval(estimate: Estimate) -> str:
    return interval_text(estimate.value, estimate.low, estimate.high)
