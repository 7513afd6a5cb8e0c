"""Choosing methods of a run: the three that are compared, and the one whose regions are displayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ConfigError
from .methods import CONTROLS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .methods import Method


COMPARED = {"none": "the whole image", "crops": "crops", "chains": "crops that grow"}
"""What the three compared methods look at, by ``Method.regions``, in their order."""

_PREFERRED = ("clip", "wca", "lgca")


def compared_methods(
    methods: Sequence[Method], names: Sequence[str] | None = None, *, run_key: str
) -> tuple[Method, Method, Method]:
    """Returns the methods on the whole image, on crops and on crops that grow: those named, else the published ones.

    Without names and published methods, the first of each kind, controls last. Raises ConfigError if a kind is missing,
    or ``names`` does not hold one of each.
    """
    own = {method.name: method for method in methods}
    for name in names or ():
        if name not in own:
            raise ConfigError(f"there is no method {name!r} in run {run_key!r}; choose from {', '.join(own)}")
    found = []
    for regions, looks_at in COMPARED.items():
        of_kind = [method for method in methods if method.regions == regions]
        named = [method for method in of_kind if method.name in (names or ())]
        if names is not None and len(named) != 1:
            raise ConfigError(
                "methods must name three, one that looks at the whole image, one at crops and one at crops that grow; "
                f"got {list(names)!r}, with {len(named)} that look at {looks_at}"
            )
        if not of_kind:
            raise ConfigError(
                f"run {run_key!r} has no method that looks at {looks_at}, and a triage compares three: "
                "classify or rescore with methods=('clip', 'wca', 'lgca') first"
            )
        of_kind.sort(key=lambda method: (method.name not in _PREFERRED, method.name in CONTROLS))
        found.append(named[0] if named else of_kind[0])
    whole, crops, chains = found
    return whole, crops, chains


def explained_method(methods: Sequence[Method]) -> Method | None:
    """Returns the method that displayed regions explain: LGCA, else the first with chains, else with crops."""
    ranks = {"lgca": 0, "chains": 1, "crops": 2}
    explaining = [method for method in methods if method.regions in ranks]
    return min(explaining, key=lambda method: ranks.get(method.name, ranks[method.regions]), default=None)
