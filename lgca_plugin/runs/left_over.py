"""What is left of a run whose record was deleted by other means, such as ``dataset.delete_run()``.

Its fields, saved views and evaluations are recognised by their names and kinds, so that they can be deleted or replaced
like a run, and its decisions are taken over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fiftyone_io.fields import (
    COMPUTED,
    DECISION,
    encodes_field,
    error_field,
    regions_field,
    triage_field,
)
from ..fiftyone_io.tokens import run_token
from .saved_views import VIEWS, view_name

if TYPE_CHECKING:
    import fiftyone as fo


def is_left_over(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns True if a run of this package was stored under a key, and its fields are there but not its record."""
    here = error_field(run_key) in dataset.get_field_schema()
    return here and run_key not in dataset.list_runs() and run_token(dataset, run_key) is not None


def fields_left_over(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns the fields of the predictions of such a run."""
    import fiftyone as fo

    schema = dataset.get_field_schema(flat=True)
    methods = [
        name
        for name, field in schema.items()
        if name.startswith(f"{run_key}_")
        and getattr(field, "document_type", None) is fo.Classification
        and f"{name}.margin" in schema
    ]
    others = (regions_field(run_key), encodes_field(run_key), error_field(run_key))
    return [*methods, *(name for name in others if name in schema)]


def results_left_over(dataset: fo.Dataset, run_key: str) -> dict[str, Any]:
    """Returns the entries of its record that its deletion needs."""
    schema = dataset.get_field_schema()
    names = (triage_field(run_key, name) for name in (*COMPUTED, DECISION))
    return {
        "triage_fields": [name for name in names if name in schema],
        "views": [view_name(run_key, kind) for kind in VIEWS],
        "evaluation": {"eval_keys": [f"{name}_eval" for name in fields_left_over(dataset, run_key)]},
        "made": {"group": True},
    }
