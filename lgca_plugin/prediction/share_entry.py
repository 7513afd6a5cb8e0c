"""What the record of a run holds of known shares of the classes: the counts, and what they add to the logits."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ENTRY = "shares"
"""Name of the entry in a run's record."""


@dataclass(frozen=True, kw_only=True)
class ShareEntry:
    """The entry of a run whose labels follow known shares of the classes.

    Attributes:
        counts: how often each class was taken to occur, in the order of the classes
        images: number of images whose mean probabilities were brought towards these shares
        offsets: method name to what is added to the logits of each class
        changed: method name to the number of images whose label the shares have changed
    """

    counts: tuple[float, ...]
    images: int
    offsets: Mapping[str, tuple[float, ...]]
    changed: Mapping[str, int]

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> ShareEntry | None:
        """Returns the entry in a run's results, None without one; raises ConfigError if it can't be read."""
        stored = results.get(ENTRY)
        if not stored:
            return None
        try:
            return cls(
                counts=tuple(map(float, stored["counts"])),
                images=int(stored["images"]),
                offsets={name: tuple(map(float, values)) for name, values in stored["offsets"].items()},
                changed=dict(stored["changed"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError("the shares of the classes in this run's record can't be read: rescore it") from error

    def to_results(self) -> dict[str, Any]:
        """Returns the entry as an item of a run's results."""
        return {
            ENTRY: {**asdict(self), "counts": list(self.counts), "offsets": {k: [*v] for k, v in self.offsets.items()}}
        }


def stored_offsets(results: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Returns method name to ``[C]`` what a run adds to the logits of each class; nothing without known shares."""
    entry = ShareEntry.of(results)
    return {} if entry is None else {name: np.array(values) for name, values in entry.offsets.items()}
