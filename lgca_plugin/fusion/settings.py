"""The settings of a fusion: frozen, validated, to and from JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ..errors import ConfigError, shown

FUSED_LABELS = 1000
"""Minimum number of labels for cross-validation to choose a fused part; with fewer it gains nothing."""

Loss = Literal["cross_entropy", "generalized"]
MAX_SEED = 2**63 - 1
"""Largest seed that torch takes."""


@dataclass(frozen=True, kw_only=True)
class FusionSettings:
    """How encoders are fused, and how that is learnt.

    Attributes:
        anchored: True keeps each encoder's vectors in its own space; False is HADA as published: one new space,
            learnt from nothing
        graph: whether nodes look at each other; False leaves the features of each node alone
        fused_part: whether an anchored model also learns one space of all encoders' vectors; None leaves the choice to
            cross-validation, where there are many labels
        loss: ``"generalized"`` cross-entropy (Zhang and Sabuncu 2018, arXiv 1805.07836, q = 0.7) trusts single labels
            less
        folds: number of parts of the labels; each is answered by a model that was trained on the others
        steps: numbers of training steps of the graph, of which cross-validation chooses one
        seed: seed of the folds, the first weights and the batches
        expansion_steps: number of expansion steps that have a feature of their own
    """

    anchored: bool = True
    graph: bool = True
    fused_part: bool | None = None
    loss: Loss = "cross_entropy"
    folds: int = 5
    steps: tuple[int, ...] = (0, 25, 50, 100, 200, 400)
    seed: int = 0
    expansion_steps: int = 2

    def __post_init__(self) -> None:
        if self.loss not in get_args(Loss):
            raise ConfigError(f"loss must be one of {', '.join(get_args(Loss))}, got {shown(self.loss)}")
        if isinstance(self.folds, bool) or not isinstance(self.folds, int) or not 2 <= self.folds <= 20:
            raise ConfigError(f"folds must be a whole number from 2 to 20, got {shown(self.folds)}")
        whole = all(isinstance(step, int) and not isinstance(step, bool) and step >= 0 for step in self.steps)
        if not self.steps or not whole or list(self.steps) != sorted(set(self.steps)):
            raise ConfigError(
                f"steps must be different whole numbers of at least 0, ascending; got {shown(self.steps)}"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed must be a whole number from 0 to {MAX_SEED:,}, got {shown(self.seed)}")

    def to_json(self) -> dict[str, Any]:
        """Returns the settings as a JSON-ready dict."""
        return {**asdict(self), "steps": list(self.steps)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> FusionSettings:
        """Returns the settings of a dict that :meth:`to_json` returned; raises ConfigError if it can't be read."""
        if unknown := set(document) - {field.name for field in fields(cls)}:
            raise ConfigError(f"a fusion has no setting {sorted(unknown)[0]!r} in this release")
        try:
            return cls(**{**document, "steps": tuple(document["steps"])})
        except (KeyError, TypeError) as error:
            raise ConfigError(f"the settings of this fusion can't be read: {error}") from error
