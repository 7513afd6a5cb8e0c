"""TODO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.fields import method_field

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo


def delete_evaluations(dataset: fo.Dataset, results: Mapping[str, Any]) -> list[str]:
    """Deletes the FiftyOne evaluations that belong to a run, with their fields, and nothing else.

    Args:
        dataset: the dataset
        results: the run's record

    Returns:
        the keys of those that there were; one that somebody has renamed is theirs now
    """
    own = [key for key in (results.get("evaluation") or {}).get("eval_keys", ()) if is_own_evaluation(dataset, key)]
    for key in own:
        dataset.delete_evaluation(key)
    return own


def eval_key(run_key: str, method: str) -> str:
    """Names the FiftyOne evaluation of a method, and the field with its outcome on each sample."""
    return f"{method_field(run_key, method)}_eval"


def is_own_evaluation(dataset: fo.Dataset, key: str) -> bool:
    """Tells whether an evaluation that a run has recorded is still the one that it made."""
    if key not in dataset.list_evaluations():
        return False
    config = dataset.get_evaluation_info(key).config
    return f"{getattr(config, 'pred_field', None)}_eval" == key
