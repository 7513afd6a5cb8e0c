"""What the form says of the classes: how many a label field gives, and which labels the chosen ones leave out."""

from __future__ import annotations

from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.errors import LgcaError
from ...lgca_plugin.fiftyone_io.samples import ImageSamples
from ...lgca_plugin.method.labels.left_out import left_out, left_out_warning
from ...lgca_plugin.workflows.classify.class_list import default_classes, own_classes
from ..shared.descriptions import add_name_notes
from ..shared.prompt_cache import cached_while_open

MOST_NAMED = 6


def view_target(ctx: Any) -> str:
    """Returns which of the dataset, the view and the selection is chosen, as the key of what is cached."""
    return str(ctx.params.get("view_target") or ctx.request_params.get("view_target"))


@cached_while_open
def field_labels(ctx: Any, _view_target: str, field: str) -> tuple[dict[str, int], tuple[str, ...]]:
    """Returns label to its number in the chosen view, and the classes of the field; both empty if there are none."""
    try:
        counts = ImageSamples.of(ctx.target_view(require_flat=True)).label_counts(field)
        return counts, default_classes(ctx.dataset, field)
    except LgcaError:
        return {}, ()


def chosen_classes(ctx: Any, typed: tuple[str, ...] | None, field: str | None) -> tuple[str, ...]:
    """Returns the classes: those typed, else those of a label field; empty without any."""
    return typed or (field_labels(ctx, view_target(ctx), field)[1] if field is not None else ())


def add_class_notes(inputs: Any, ctx: Any, typed: tuple[str, ...] | None, field: str | None) -> None:
    """Adds which labels of the chosen view the classes leave out, and how many classes a label field gives.

    Also what a model may not read of the classes' names.
    """
    add_name_notes(inputs, chosen_classes(ctx, typed, field))
    if field is None:
        return
    counts, found = field_labels(ctx, view_target(ctx), field)
    classes = found if typed is None else typed
    if not classes:
        return
    if typed is None:
        whose = "the dataset's own list" if own_classes(ctx.dataset, field) else f"all labels of {field} in the dataset"
        more = f", and {len(classes) - MOST_NAMED:,} more" if len(classes) > MOST_NAMED else ""
        line = f"{len(classes):,} classes, {whose}: {', '.join(classes[:MOST_NAMED])}{more}"
        inputs.view("field_classes", types.Notice(label=line))
    warning = left_out_warning(left_out(classes, counts))
    if warning is not None:
        inputs.view("left_out", types.Warning(label=warning))
