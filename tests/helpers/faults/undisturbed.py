"""Datasets of the same images after jobs that nothing has disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.faults.damage import Values, damage, differences, values_of
from tests.helpers.faults.process import finished
from tests.helpers.faults.report import Damage
from tests.helpers.faults.world import new_dataset

CLASSIFY: tuple[str, dict[str, Any]] = ("classify", {})
"""The job that most faults disturb."""


class Reference:
    """The values of datasets of the same images after jobs that nothing has disturbed; each is done once.

    Args:
        images: drawn birds
        folder: takes the stores and the files of the processes
    """

    def __init__(self, images: Sequence[Any], folder: Path) -> None:
        self._images = images
        self._folder = folder
        self._known: dict[str, Values] = {}

    def after(self, *jobs: tuple[str, dict[str, Any]]) -> Values:
        """The values after some jobs, one after the other."""
        name = repr(jobs)
        if name not in self._known:
            dataset = new_dataset(self._images)
            store = self._folder / f"store-{len(self._known)}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LGCA_STORE_DIR", str(store))
                for what, options in jobs:
                    finished(self._folder, what, dataset.name, **options)
                dataset.reload()
                self._known[name] = values_of(dataset)
            dataset.delete()
        return self._known[name]

    def damage(self, dataset: Any, *jobs: tuple[str, dict[str, Any]]) -> Damage:
        """What a dataset has lost against undisturbed jobs; prints the first differences."""
        dataset.reload()
        return self.damage_of(values_of(dataset), *jobs)

    def damage_of(self, found: Values, *jobs: tuple[str, dict[str, Any]]) -> Damage:
        """What values have lost against those of undisturbed jobs; prints the first differences."""
        return self.compared(found, self.after(*jobs))

    @staticmethod
    def compared(found: Values, expected: Values) -> Damage:
        """What values have lost against those expected; prints the first differences."""
        print(*differences(found, expected), sep="\n")
        return damage(found, expected)
