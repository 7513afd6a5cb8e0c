"""The methods of a run for which none are named: the published ones, and the decisive one that fits its crops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..method.core.methods import METHODS
from .checks import check_methods

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..method.core.methods import Method
    from .regions import RegionConfig

LARGE_CROPS = 0.5
"""Smallest side of a crop, as a share of the image's shorter side, from which ``wca_d`` is ahead of ``lgca_d``."""
PUBLISHED = ("clip", "wca", "lgca")
"""The published methods, which were the default ones up to release 0.2."""


def default_methods(regions: RegionConfig) -> tuple[str, ...]:
    """Returns the names of the methods that a run has if none are named: at most 87 encodes an image at the defaults.

    Beside the published ones, that is decisive WCA, or decisive LGCA where crops may be small.
    """
    return (*PUBLISHED, "wca_d" if regions.scale_min >= LARGE_CROPS else "lgca_d")


def run_methods(
    methods: Sequence[str | Method] | str | Method | None, regions: RegionConfig, own: Sequence[Method] = ()
) -> tuple[Method, ...]:
    """Returns the presets of the methods of a run; raises ConfigError as :func:`.checks.check_methods` does.

    Args:
        methods: names or presets; None for the default ones
        regions: the regions of the run
        own: the methods that the run has already, if it is continued. It keeps those that were the default ones of an
            earlier release
    """
    if methods is None and tuple(own) == tuple(METHODS[name] for name in PUBLISHED):
        return tuple(own)
    return check_methods(default_methods(regions) if methods is None else methods, own)


def _is_decisive_wca(method: Method) -> bool:
    return method.name == "wca_d" and method.regions == "crops"


def method_warnings(methods: Iterable[Method], regions: RegionConfig) -> list[str]:
    """Returns a warning of a method that does not fit the size of the crops, if there is one."""
    if regions.scale_min >= LARGE_CROPS or not any(map(_is_decisive_wca, methods)):
        return []
    warning = (
        f"crops from {regions.scale_min:g} of the image's shorter side are too small for wca_d: where crops were "
        f"smaller than {LARGE_CROPS}, it lost up to 16 points of accuracy; lgca_d is the method for them"
    )
    return [warning]
