"""The App's view of patches: operators and panels work on the boxes that it shows, as on the images of a dataset.

In such a view the context of an operator or an event is wrapped: its dataset is the companion of the label field, whose
samples have the ids of the patches. What is shown in the grid stays a view of patches of the user's dataset.
"""

from __future__ import annotations

from typing import Any

import fiftyone as fo
import fiftyone.operators as foo

from ....lgca_plugin.fiftyone_io.boxes.companion import BoxField, find_companion, viewed_boxes
from ....lgca_plugin.fiftyone_io.boxes.patches import boxes_in, update_patches
from ....lgca_plugin.fiftyone_io.boxes.refresh import begin_companion

PATCHES = "fiftyone.core.stages.ToPatches"

Stage = dict[str, Any]


class BoxContext(foo.ExecutionContext):
    """The context of an operator or an event in a view of patches: FiftyOne's own, with the boxes as its dataset.

    Args:
        ctx: FiftyOne's context
        field: the label field
        companion: the companion of the label field of the view
        patches: name of the dataset that FiftyOne has generated for the view, as far as the App has sent it

    Attributes:
        patches_stage: the stage that shows all patches of the field
    """

    def __init__(self, ctx: Any, field: BoxField, companion: Any, patches: str | None) -> None:
        self.__dict__.update(vars(ctx))
        self._whole = ctx
        self._companion = companion
        self._box_operations = _BoxOperations(ctx.ops, field, patches)
        self.patches_stage = fo.ToPatches(field.name)

    @property
    def dataset(self) -> Any:
        """The companion of the label field."""
        return self._companion

    @property
    def view(self) -> Any:
        """The boxes of the view."""
        return boxes_in(self._companion, self._whole.view)

    @property
    def ops(self) -> Any:
        """The App's operations."""
        return self._box_operations

    def target_view(self, *args: Any, **options: Any) -> Any:
        """Returns the boxes of the view that the user has chosen."""
        return boxes_in(self._companion, self._whole.target_view(*args, **options))


class _BoxOperations:
    """The App's operations; what reloads the grid first brings the patches in it up to date."""

    def __init__(self, ops: Any, field: BoxField, patches: str | None) -> None:
        self._ops, self._field, self._patches = ops, field, patches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ops, name)

    def reload_samples(self) -> Any:
        """Shows in the grid what was written on the labels."""
        update_patches(self._field, self._patches)
        return self._ops.reload_samples()

    def reload_dataset(self) -> Any:
        """Shows in grid and sidebar what was written on the labels, new attributes too."""
        update_patches(self._field, self._patches)
        return self._ops.reload_dataset()


def on_boxes(ctx: Any, *, begin: bool = False) -> Any:
    """Returns the context of a view of patches as one of its boxes, if there are runs on them; else the context itself.

    Args:
        ctx: the context of an operator or an event
        begin: also where there are none yet, for an operator that makes one
    """
    field, patches = shown_boxes(ctx)
    if field is None:
        return ctx
    companion = begin_companion(field) if begin else find_companion(field.dataset, field.name)
    return ctx if companion is None else BoxContext(ctx, field, companion, patches)


def shown_boxes(ctx: Any) -> tuple[BoxField | None, str | None]:
    """Returns the label field whose patches the App shows, and the name of the dataset that is generated for them."""
    dataset = None if isinstance(ctx, BoxContext) else ctx.dataset
    if dataset is None:
        return None, None
    for stage in ctx.request_params.get("view") or []:
        if is_patches(stage):
            kwargs = dict(stage["kwargs"])
            return BoxField.of(dataset, kwargs["field"]), (kwargs.get("_state") or {}).get("name")
    name = ctx.request_params.get("view_name")
    if name and dataset.has_saved_view(name):
        view = dataset.load_saved_view(name)
        return viewed_boxes(view), None
    return None, None


def is_patches(stage: Stage) -> bool:
    """Returns whether a stage of the App makes patches of images."""
    return stage.get("_cls") == PATCHES


def without_state(stage: Stage) -> Stage:
    """Returns a stage of the App without the name of the dataset that FiftyOne has generated for it."""
    if not is_patches(stage):
        return stage
    return {**stage, "kwargs": [pair for pair in stage["kwargs"] if pair[0] != "_state"]}
