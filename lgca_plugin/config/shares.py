"""How often each class occurs, as a user gives it: a label field, a number for each class, or all classes alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

BALANCED = "balanced"
"""Shares of classes that all occur equally often."""
NO_SHARES = "none"
"""In a rescoring: the shares of the run are dropped."""
SHARES_SUM = 0.02
"""How far shares may be from a sum of 1, for they are rounded."""


@dataclass(frozen=True, kw_only=True)
class ClassShares:
    """How often each class occurs; with neither attribute, all classes equally often.

    Attributes:
        field: label field in which the classes are counted; None without one
        given: a share or a count of each class, in the order of the classes; None if there are none
    """

    field: str | None = None
    given: tuple[float, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the shares as a JSON-ready dict for :meth:`from_json`."""
        return {"field": self.field, "given": None if self.given is None else list(self.given)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> ClassShares:
        """Returns the shares of a dict that :meth:`to_json` returned."""
        given = document["given"]
        return cls(field=document["field"], given=None if given is None else tuple(float(value) for value in given))

    def counts(self, labels: Mapping[str, int], classes: Sequence[str], images: int) -> list[float]:
        """Returns how often each class occurs among some images.

        Args:
            labels: label to the number of images that have it in :attr:`field`
            classes: the classes
            images: number of images, by which shares become counts
        """
        if self.field is not None:
            return [float(labels.get(name, 0)) for name in classes]
        if self.given is None:
            return [images / len(classes)] * len(classes)
        total = sum(self.given)
        return [images * value / total for value in self.given] if _are_shares(self.given) else list(self.given)

    def of_classes(self, before: Sequence[str], classes: Sequence[str]) -> ClassShares:
        """Returns the same for the classes of a rescoring, in their order.

        Raises:
            ConfigError: if shares or counts were given for other classes
        """
        if self.given is None or tuple(before) == tuple(classes):
            return self
        if set(before) != set(classes):
            what = "the shares that the run has were given for its own classes"
            raise ConfigError(
                f"{what}: pass shares for the new ones, a label field, or {NO_SHARES!r}",
                app=f"{what}: give shares for the new ones, choose a label field, or drop them",
            )
        value = dict(zip(before, self.given, strict=True))
        return ClassShares(given=tuple(value[name] for name in classes))


def check_shares(shares: Any, classes: Sequence[str]) -> ClassShares:
    """Returns the shares that a user gives; that a field is a label field is not checked.

    Args:
        shares: name of a label field, a mapping of each class to its share or count, or ``"balanced"``
        classes: the classes

    Raises:
        ConfigError: if they are anything else, or leave out a class
    """
    if isinstance(shares, ClassShares):
        return shares
    if isinstance(shares, str) and shares.strip():
        return ClassShares() if shares == BALANCED else ClassShares(field=shares)
    if not isinstance(shares, Mapping):
        raise ConfigError(
            "shares must be a label field, a dict of each class and its share or count, or 'balanced'; "
            f"got {shown(shares)}",
            app=f"shares are a label field, a number for each class, or equal ones; got {shown(shares)}",
        )
    if not shares:
        raise ConfigError("shares is empty: give each class its share or count", app="give each class a share or count")
    unknown = [name for name in shares if name not in classes]
    if unknown:
        raise ConfigError(f"shares are given for {shown(unknown[0])}, which is none of the {len(classes):,} classes")
    missing = [name for name in classes if name not in shares]
    if missing:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise ConfigError(f"shares lack class {missing[0]!r}{more}: give it a number, 0 if there are no such images")
    for name, value in shares.items():
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float, np.number))
            or not (isfinite(value) and value >= 0)
        ):
            raise ConfigError(f"the share of class {name!r} must be a number of at least 0, got {shown(value)}")
    given = tuple(float(shares[name]) for name in classes)
    if not any(given):
        raise ConfigError("the shares of all classes are 0: at least one class has to occur")
    if not _are_shares(given) and not all(value.is_integer() for value in given):
        raise ConfigError(
            f"the shares of the classes sum to {sum(given):.4g}: shares have to sum to 1, counts to be whole numbers"
        )
    return ClassShares(given=given)


def _are_shares(given: Sequence[float]) -> bool:
    """Returns whether numbers are shares: they sum to 1 but for rounding, and are not a count of a single image."""
    return abs(sum(given) - 1) <= SHARES_SUM
