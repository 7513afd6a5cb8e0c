"""The FiftyOne evaluations of a run: their keys, and deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.fields import method_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo


def delete_evaluations(dataset: fo.Dataset, results: Mapping[str, Any]) -> list[str]:
    """Deletes the FiftyOne evaluations of a run, with their fields.

    Args:
        dataset: the dataset
        results: the results in the run's record

    Returns:
        the keys of those that were deleted; evaluations that the user renamed are left
    """
    own = [key for key in (results.get("evaluation") or {}).get("eval_keys", ()) if is_own_evaluation(dataset, key)]
    for key in own:
        dataset.delete_evaluation(key)
    return own


def eval_key(run_key: str, method: str) -> str:
    """Returns the key of a method's evaluation, which is also the field with its outcome on each sample."""
    return f"{method_field(run_key, method)}_eval"


def is_own_evaluation(dataset: fo.Dataset, key: str) -> bool:
    """Returns True if the evaluation under a key is the one that a run made."""
    if key not in dataset.list_evaluations():
        return False
    config = dataset.get_evaluation_info(key).config
    return f"{getattr(config, 'pred_field', None)}_eval" == key
