"""Deleting runs, from the dataset alone or with their stored embeddings, and their evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.app_layout import remove_from_app
from ..fiftyone_io.database import root_dataset
from ..fiftyone_io.fields import delete_fields
from ..fiftyone_io.tokens import delete_token, run_token
from ..store.store import Store, store_exists
from .lease import Lease
from .record import read_results
from .registry import owned_fields
from .saved_views import delete_views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

DELETE = "delete"


def delete_run(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes a run of any release.

    Deleted are its record, its fields, those of its triage including decisions, its saved views, its evaluations and
    its stored embeddings. Embeddings that another run uses, too, and corrected labels are not.

    Raises:
        RunNotFoundError: if the dataset has no such run
        RunHeldError: if a call is at work on it
        StoreError: if its embeddings can't be deleted; the rest is deleted nevertheless
    """
    with Lease.take(root_dataset(dataset), run_key, DELETE):
        token = delete_from_dataset(dataset, run_key)
    if token is not None and store_exists():
        with Store() as store:
            store.delete_run(token)


def delete_from_dataset(dataset: fo.Dataset, run_key: str, *, keep: Sequence[str] = ()) -> str | None:
    """Deletes a run's record, saved views, evaluations and all fields but those to ``keep``.

    Returns the token under which its embeddings are stored, which are not deleted.

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
    deleted = [field for field in fields if field not in keep]
    delete_fields(dataset, deleted)
    remove_from_app(dataset, run_key, deleted, results.get("made") or {})
    dataset.delete_run(run_key)
    return token


def delete_evaluations(dataset: fo.Dataset, results: Mapping[str, Any]) -> list[str]:
    """Deletes the FiftyOne evaluations that a run's results list, and returns their keys; renamed ones are left."""
    own = [key for key in (results.get("evaluation") or {}).get("eval_keys", ()) if is_own_evaluation(dataset, key)]
    for key in own:
        dataset.delete_evaluation(key)
    return own


def is_own_evaluation(dataset: fo.Dataset, key: str) -> bool:
    """Returns True if the evaluation under a key is the one that a run made."""
    if key not in dataset.list_evaluations():
        return False
    config = dataset.get_evaluation_info(key).config
    return f"{getattr(config, 'pred_field', None)}_eval" == key
