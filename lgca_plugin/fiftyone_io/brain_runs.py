"""The similarity indexes and visualizations that a run has registered with FiftyOne; they are deleted with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import fiftyone as fo

RUN = "lgca_run"
"""Name of the setting in which a similarity index or visualization holds the key of its run."""


def brain_keys(dataset: fo.Dataset, run_key: str, kind: str | None = None) -> list[str]:
    """Returns the brain keys of what a run has registered on a dataset, of one kind (``"similarity"``) or of all."""
    return list(dataset.list_brain_runs(type=kind, **{RUN: run_key}))


def delete_brain_runs(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes what a run has registered on a dataset."""
    for key in brain_keys(dataset, run_key):
        dataset.delete_brain_run(key)
