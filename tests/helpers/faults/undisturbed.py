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

    def values(self, what: str, **options: Any) -> Values:
        name = f"{what} {sorted(options.items())}"
        if name not in self._known:
            dataset = new_dataset(self._images)
            store = self._folder / f"store-{len(self._known)}"
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("LGCA_STORE_DIR", str(store))
                finished(self._folder, what, dataset.name, **options)
                dataset.reload()
                self._known[name] = values_of(dataset)
            dataset.delete()
        return self._known[name]

    def damage(self, dataset: Any, what: str, **options: Any) -> Damage:
        """What a dataset has lost against the undisturbed job; prints the first differences."""
        dataset.reload()
        return self.damage_of(values_of(dataset), what, **options)

    def damage_of(self, found: Values, what: str, **options: Any) -> Damage:
        """What values have lost against those of the undisturbed job; prints the first differences."""
        expected = self.values(what, **options)
        print(*differences(found, expected), sep="\n")
        return damage(found, expected)
