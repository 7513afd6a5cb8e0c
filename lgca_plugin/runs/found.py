"""What the record of a run holds if a search for wrong labels has made it: with it a second search finds the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import LgcaError
from .registry import list_runs, load_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

    from .record import RunRecord

ENTRY = "find"
"""Name of the entry in a run's record."""


@dataclass(frozen=True, kw_only=True)
class SearchEntry:
    """The entry of a search for wrong labels.

    Attributes:
        ground_truth: field of the labels that were checked
        own_classes: whether the caller has named the classes; otherwise they follow the labels
        own_descriptions: whether the caller has given the descriptions; otherwise they follow those on the dataset
        at: start of the latest search, in seconds since 1970; files that are older have been seen
    """

    ground_truth: str
    own_classes: bool
    own_descriptions: bool
    at: float

    @classmethod
    def of(cls, results: Mapping[str, Any]) -> SearchEntry | None:
        """Returns the entry in a run's results; None if no search has made the run."""
        stored = results.get(ENTRY)
        return None if not stored else cls(**stored)

    def to_results(self) -> dict[str, Any]:
        """Returns the entry as an item of a run's results."""
        return {ENTRY: asdict(self)}

    def changed(self, *, classes: bool, descriptions: bool) -> SearchEntry:
        """Returns the entry after a rescoring in place with other classes or descriptions, which then stay."""
        return replace(
            self,
            own_classes=self.own_classes or classes,
            own_descriptions=self.own_descriptions or descriptions,
        )


def searched_runs(dataset: fo.Dataset, ground_truth: str, encoder: str) -> list[RunRecord]:
    """Returns the runs that searches have made on a label field with an encoder, by its name; the latest first."""
    found = []
    for key in reversed(list_runs(dataset)):
        try:
            run = load_run(dataset, key)
            entry = SearchEntry.of(run.results)
        except (LgcaError, TypeError):  # of another release
            continue
        if entry is not None and (entry.ground_truth, run.config.encoder) == (ground_truth, encoder):
            found.append(run)
    return found
