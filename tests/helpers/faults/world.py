"""Datasets for faults, and the same ones with nothing disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone as fo
import pytest

from tests.helpers.faults.damage import Values, damage, differences, values_of
from tests.helpers.faults.process import finished
from tests.helpers.faults.report import Damage
from tests.helpers.runs import add_images


def new_dataset(images: Sequence[Any]) -> Any:
    """A dataset of drawn birds that outlives the process, with a field of the user's own."""
    dataset = add_images(fo.Dataset(persistent=True), images)
    dataset.set_values("note", [f"note {at}" for at in range(len(dataset))])
    return dataset


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
        found, expected = values_of(dataset), self.values(what, **options)
        print(*differences(found, expected), sep="\n")
        return damage(found, expected)
