"""Deleting runs, from the dataset alone or with their stored embeddings, and their evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.app_layout import remove_from_app
from ..fiftyone_io.boxes.companion import is_companion, run_dataset
from ..fiftyone_io.boxes.mirror import remove_attributes
from ..fiftyone_io.brain_runs import delete_brain_runs
from ..fiftyone_io.database import reload_if_changed
from ..fiftyone_io.fields import DECISION, check_not_read_only, delete_fields, triage_field
from ..fiftyone_io.tokens import delete_token, run_token, set_token
from ..store.store import Store, store_exists
from .decision_tags import remove_decision_tags
from .lease import Lease
from .record import read_results
from .registry import original_key, owned_fields
from .saved_views import delete_views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

DELETE = "delete"

EVALUATED = "evaluated_field"
"""Entry of an evaluation in a run's record: the field of Classifications that was made of labels that are texts."""


def delete_run(dataset: fo.Dataset, run_key: str) -> None:
    """Deletes a run of any release.

    Deleted are its record, its fields, those of its triage including decisions and their tags, its saved views, its
    evaluations, its similarity indexes and visualizations, its stored embeddings, and the weights of a fused run.
    Embeddings that another run uses, too, and corrected labels are not. Of a run on boxes the attributes
    of the labels go, too, and with the last such run the dataset of the boxes.

    Raises:
        RunNotFoundError: if the dataset has no such run
        RunHeldError: if a call is at work on it
        ConfigError: if one of its fields is read-only, before anything is deleted
        StoreError: if its embeddings can't be deleted; the rest is deleted nevertheless
    """
    with Lease.take(dataset := run_dataset(dataset), run_key, DELETE):
        token = delete_from_dataset(dataset, run_key)
    if is_companion(dataset) and not dataset.list_runs():
        remove_attributes(dataset)
        dataset.delete()
    if token is not None and store_exists():
        with Store() as store:
            store.delete_run(token)


def delete_from_dataset(
    dataset: fo.Dataset, run_key: str, *, keep: Sequence[str] = (), keep_record: bool = False
) -> str | None:
    """Deletes a run's record, saved views, evaluations and all fields but those to ``keep``.

    ``keep_record`` leaves the record, for :func:`lgca_plugin.runs.registry.register_run` to replace. Returns the token
    under which its embeddings are stored, which are not deleted.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if one of the fields is read-only, before anything is deleted
    """
    dataset = run_dataset(dataset)
    check_deletable(dataset, run_key, keep=keep)
    fields = owned_fields(dataset, run_key)
    results = read_results(dataset, run_key)
    key = original_key(dataset, run_key)
    token = run_token(dataset, key)
    delete_token(dataset, key)  # first, so that a process that still writes to the run stops
    try:
        deleted = [field for field in fields if field not in keep]
        if triage_field(key, DECISION) in deleted:
            remove_decision_tags(dataset, key)
        delete_views(dataset, results.get("views") or ())
        delete_evaluations(dataset, results)
        delete_fields(dataset, deleted)
        remove_from_app(dataset, key, deleted, results.get("made") or {})
        if not keep_record:  # a search in vectors of the replaced run still works, and is registered anew at will
            delete_brain_runs(dataset, key)
        if run_key in dataset.list_runs() and not keep_record:
            dataset.delete_run(run_key)
    except BaseException:
        if token is not None:  # what is left is still the run, with its embeddings: it can be deleted again
            set_token(dataset, key, token)
        raise
    delete_token(dataset, key)  # who has loaded the run meanwhile has made a new one
    return token


def check_deletable(
    dataset: fo.Dataset, run_key: str, *, keep: Sequence[str] = (), so: str = "the run can't be deleted"
) -> None:
    """Checks that nothing will refuse when a run is deleted, with all fields but those to ``keep``.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if one of the fields is read-only; ``so`` is the consequence in words
    """
    dataset = run_dataset(dataset)
    reload_if_changed(dataset)
    evaluations = own_evaluations(dataset, read_results(dataset, run_key))
    check_not_read_only(dataset, {*owned_fields(dataset, run_key), *evaluations}.difference(keep), so)


def delete_evaluations(dataset: fo.Dataset, results: Mapping[str, Any]) -> list[str]:
    """Deletes the FiftyOne evaluations that a run's results list, and returns their keys; renamed ones are left.

    With them goes the field that was made for them of labels that are texts.
    """
    own = own_evaluations(dataset, results)
    for key in own:
        dataset.delete_evaluation(key)
    made = (results.get("evaluation") or {}).get(EVALUATED)
    delete_fields(dataset, [made] if made else [])
    return own


def own_evaluations(dataset: fo.Dataset, results: Mapping[str, Any]) -> list[str]:
    """Returns the keys of the FiftyOne evaluations that a run's results list and that are still there."""
    keys = (results.get("evaluation") or {}).get("eval_keys", ())
    return [key for key in keys if is_own_evaluation(dataset, key)]


def is_own_evaluation(dataset: fo.Dataset, key: str) -> bool:
    """Returns True if the evaluation under a key is the one that a run made."""
    if key not in dataset.list_evaluations():
        return False
    config = dataset.get_evaluation_info(key).config
    return f"{getattr(config, 'pred_field', None)}_eval" == key
