"""Datasets for faults."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import fiftyone as fo

from tests.helpers.runs import add_images


def new_dataset(images: Sequence[Any], name: str | None = None) -> Any:
    """A dataset of drawn birds that outlives the process, with a field of the user's own."""
    dataset = add_images(fo.Dataset(name, persistent=True), images)
    dataset.set_values("note", [f"note {at}" for at in range(len(dataset))])
    return dataset
