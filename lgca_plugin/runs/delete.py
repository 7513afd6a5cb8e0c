"""Deleting runs: from the dataset alone, or with their stored embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..fiftyone_io.database import root_dataset
from ..fiftyone_io.fields import delete_fields
from ..fiftyone_io.tokens import delete_token, run_token
from ..store.store import Store, store_exists
from .evaluations import delete_evaluations
from .registry import owned_fields, read_results
from .saved_views import delete_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo


def delete_run(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes a run of any release.

    Deleted are its record, its fields, those of its triage including decisions, its saved views, its evaluations and
    its stored embeddings. Embeddings that another run uses, too, and corrected labels are not.

    Raises:
        RunNotFoundError: if the dataset has no such run
        StoreError: if its embeddings can't be deleted; the rest is deleted nevertheless
    """
    token = delete_from_dataset(dataset, run_key)
    if token is not None and store_exists():
        with Store() as store:
            store.delete_run(token)


def delete_from_dataset(dataset: fo.Dataset, run_key: str, *, keep: Sequence[str] = ()) -> str | None:
    """Deletes a run's record, fields, saved views and evaluations, but not its stored embeddings.

    Args:
        dataset: the dataset
        run_key: the run's key
        keep: fields that are not deleted

    Returns:
        the token under which its embeddings are stored

    Raises:
        RunNotFoundError: if the dataset has no such run
    """
    dataset = root_dataset(dataset)
    fields = owned_fields(dataset, run_key)
    results = read_results(dataset, run_key)
    token = run_token(dataset, run_key)
    delete_token(dataset, run_key)  # first, so that a process that still writes to the run stops
    delete_views(dataset, results.get("views") or ())
    delete_evaluations(dataset, results)
    delete_fields(dataset, run_key, [field for field in fields if field not in keep], results.get("made") or {})
    dataset.delete_run(run_key)
    return token
