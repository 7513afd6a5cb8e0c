"""What a form or a call proposes where the user has named nothing: the label field, and a free run key."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..config import DEFAULT_RUN_KEY
from ..errors import ConfigError, LgcaError
from ..fiftyone_io.boxes.companion import box_fields, run_dataset, several_label_fields
from ..fiftyone_io.fields import (
    BEST_ANSWER,
    COMPUTED,
    DECISION,
    classification_fields,
    is_corrected_copy,
    method_field,
    run_fields,
    triage_field,
    usual_label_fields,
)
from ..fiftyone_io.label_fields import fields_like_labels, is_single_label_field, is_text, text_fields
from ..method.core.methods import without_controls
from .record import read_results, stored_triage
from .registry import PACKAGE, list_runs, prediction_fields, read_config

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo

    from ..method.core.methods import Method

USUAL_NAMES = ("ground_truth", "label", "labels", "gt", "class", "category")
"""Names of a field of given labels, the most usual first."""
USUAL_TEXTS = ("class_name", "classname", "label_name", "category_name", "species", "breed", "target")
"""More names by which a field of texts is one of labels: others hold what is no label, such as ``split``."""
PREDICTIONS = r"(^|_)(predictions?|predicted|preds?)(_|$)"
"""Part of the name of a field of predictions."""


def label_fields(dataset: fo.Dataset, include: str | None = None) -> list[str]:
    """Returns the dataset's label fields without those of runs, except for ``include``: Classifications first.

    Those of texts follow: with a usual name, then those whose first values look like class names.
    """
    owned: set[str] = set()
    for run_key in dataset.list_runs(package=PACKAGE):
        owned |= usual_label_fields(run_key)
        with suppress(LgcaError):
            owned.update(prediction_fields(dataset, run_key))
    texts = [name for name in text_fields(dataset) if name not in owned]
    likely = [name for name in texts if is_likely(dataset, name)]
    texts = [*likely, *fields_like_labels(dataset, [name for name in texts if name not in likely])]
    found = [name for name in (*classification_fields(dataset), *texts) if name == include or name not in owned]
    named = include is not None and include not in found and is_single_label_field(dataset, include)
    return [*found, *([include] if include is not None and named else [])]


def is_likely(dataset: fo.Dataset, field: str) -> bool:
    """Returns True if a label field holds Classifications, or has a name that is usual for labels."""
    return not is_text(dataset, field) or _last(field) in _usual_names(dataset, field)


def _usual_names(dataset: fo.Dataset, field: str) -> tuple[str, ...]:
    return (*USUAL_NAMES, *USUAL_TEXTS) if is_text(dataset, field) else USUAL_NAMES


def _last(field: str) -> str:
    return field.rpartition(".")[2].lower()


def given_label_fields(dataset: fo.Dataset, *, several: bool = False) -> list[str]:
    """Returns the fields of given labels, the likeliest first: no field of a run, and no corrected copy of another.

    Those with a name of predictions are the last. Texts are left out where nothing but the values makes them labels and
    there are boxes. With ``several``, those of several labels a sample are among them, behind those of one.
    """
    corrected = {
        stored_triage(read_results(dataset, key)).get("corrected_field") for key in dataset.list_runs(package=PACKAGE)
    }
    fields = [name for name in label_fields(dataset) if name not in corrected and not is_corrected_copy(dataset, name)]
    lists = several_label_fields(dataset) if several else []
    lists = [name for name in lists if name not in corrected and not is_corrected_copy(dataset, name)]
    if not any(is_likely(dataset, name) for name in fields) and (lists or box_fields(dataset)):
        fields = []
    fields += lists

    def rank(name: str) -> tuple[Any, ...]:
        names = _usual_names(dataset, name)
        known = names.index(_last(name)) if _last(name) in names else len(names)
        return not is_likely(dataset, name), is_predicted(name), name in lists, is_text(dataset, name), known

    return sorted(fields, key=rank)


def prediction_choices(dataset: fo.Dataset) -> list[str]:
    """Returns the fields that may hold predictions: the user's own, those named so first, then those of runs.

    Those of a run are of its methods, without the controls; the copies that a run of such fields keeps are left out.
    """
    corrected = {
        stored_triage(read_results(dataset, key)).get("corrected_field") for key in dataset.list_runs(package=PACKAGE)
    }
    own = [name for name in label_fields(dataset) if name not in corrected and not is_corrected_copy(dataset, name)]
    own = [name for name in own if is_predicted(name) or not is_text(dataset, name)]
    own.sort(key=lambda name: not is_predicted(name))
    there = set(classification_fields(dataset))
    for key in reversed(list_runs(dataset)):
        with suppress(LgcaError):
            config = read_config(dataset, key)
            if config.voters is None:
                names = without_controls(method.name for method in config.methods)
                own += [field for field in (method_field(key, name) for name in names) if field in there]
    return list(dict.fromkeys(own))


def is_predicted(field: str) -> bool:
    """Returns True if a field has a name that is usual for a model's predictions."""
    return re.search(PREDICTIONS, field.lower()) is not None


def given_label_field(dataset: fo.Dataset) -> str:
    """Returns the field of given labels: the only one, or the one with the most usual name.

    Raises:
        ConfigError: if there is none, or there are several without a usual name
    """
    fields = given_label_fields(dataset, several=True)
    boxes = box_fields(dataset) if not fields else []
    if boxes:
        what = f"the labels of this dataset are on boxes, in {', '.join(boxes)}"
        raise ConfigError(
            f"{what}: pass those of one field, as dataset.to_patches({boxes[0]!r})",
            app=f"{what}: show the patches of {boxes[0]!r} in the grid, with the button of squares above it, and "
            "open this again",
        )
    if not fields:
        raise ConfigError(
            "there are no labels to check: this dataset has no field with one class label for each image (a "
            "Classification or a text), and none with labels of boxes"
        )
    first = fields[0]
    others = [name for name in fields if not is_predicted(name) and is_text(dataset, name) == is_text(dataset, first)]
    unusual = _last(first) not in _usual_names(dataset, first)
    listed = ", ".join(fields)
    if not is_likely(dataset, first):
        raise ConfigError(f"only texts may hold labels, in {listed}; choose the one to check as ground_truth")
    if len(others) != 1 and len(fields) > 1 and unusual:
        raise ConfigError(f"several fields hold labels: {listed}; choose the one to check as ground_truth")
    return first


def no_given_labels(dataset: fo.Dataset) -> str | None:
    """Returns why there are no labels to check, for the App; None if there is a field that may hold some."""
    try:
        given_label_field(dataset)
    except ConfigError as error:
        return None if given_label_fields(dataset) else error.app
    return None


def free_run_key(dataset: fo.Dataset, methods: Sequence[Method], wanted: str = DEFAULT_RUN_KEY) -> str:
    """Returns ``wanted``, or with the first number from 2 on that makes it a key without a run and without fields."""
    dataset = run_dataset(dataset)
    taken = {*dataset.list_runs(), *dataset.get_field_schema()}
    number, key = 1, wanted
    while taken.intersection([key, *_fields(key, methods)]):
        number += 1
        key = f"{wanted}_{number}"
    return key


def _fields(run_key: str, methods: Sequence[Method]) -> list[str]:
    """Returns all fields that a run may write, those of its triage included."""
    return [
        *run_fields(run_key, methods, adaptive=True),
        *(triage_field(run_key, name) for name in (*COMPUTED, BEST_ANSWER, DECISION)),
    ]
