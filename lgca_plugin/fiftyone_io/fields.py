"""The fields of a run and of its triage: their names, their declarations, and how the App shows them."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

from ..method.core.methods import explained_method
from .database import merge_schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import fiftyone as fo

    from ..method.core.methods import Method

CASE = "case"
MISLEADING = "misleading"
STABILITY = "stability"
LABEL_QUALITY = "label_quality"
SUGGESTION = "suggestion"
DECISION = "decision"

COMPUTED = (CASE, MISLEADING, STABILITY, LABEL_QUALITY, SUGGESTION)
"""Fields that every triage computes again; ``DECISION`` is written by people."""

CALIBRATED = "calibrated"
"""Attribute of a method's label that a triage writes, as ``LABEL_QUALITY`` is."""

REGION_ATTRIBUTES = {
    "step": "IntField",
    "similarity": "FloatField",
    "weight": "FloatField",
    "contribution": "FloatField",
    "misleading": "BooleanField",
}
"""Attributes of a displayed region, beside those of every Detection, to the kind of their field."""

RESERVED_NAMES = ("regions", "encodes", "error", *COMPUTED, DECISION)
"""Names that no method may have: those of a run's other fields, without the run's key."""

_GOLDEN_ANGLE = 0.618033988749895
_COLORED_CHAINS = 64


def method_field(run_key: str, method: str) -> str:
    """Returns the field of a method's predictions."""
    return f"{run_key}_{method}"


def regions_field(run_key: str) -> str:
    """Returns the field of the displayed regions."""
    return f"{run_key}_regions"


def encodes_field(run_key: str) -> str:
    """Returns the field of the number of encodes of an image under an adaptive budget."""
    return f"{run_key}_encodes"


def error_field(run_key: str) -> str:
    """Returns the field of the reason why a sample has no result."""
    return f"{run_key}_error"


def eval_key(run_key: str, method: str) -> str:
    """Returns the key of a method's evaluation, which is also the field with its outcome on each sample."""
    return f"{method_field(run_key, method)}_eval"


def triage_field(run_key: str, name: str) -> str:
    """Returns one of the fields that a triage of a run writes."""
    return f"{run_key}_{name}"


def run_fields(run_key: str, methods: Sequence[Method], *, adaptive: bool = False) -> list[str]:
    """Returns the fields of a run in the App's order: of regions if a method uses any, of encodes if ``adaptive``."""
    names = [method_field(run_key, method.name) for method in methods]
    if explained_method(methods) is not None:
        names.append(regions_field(run_key))
    if adaptive:
        names.append(encodes_field(run_key))
    return [*names, error_field(run_key)]


def conflicting_fields(
    dataset: fo.Dataset, run_key: str, methods: Sequence[Method], own: Sequence[str], *, adaptive: bool = False
) -> list[str]:
    """Returns the fields that a run would write, that exist, and that the run it replaces does not ``own``."""
    schema = dataset.get_field_schema()
    return [name for name in run_fields(run_key, methods, adaptive=adaptive) if name in schema and name not in own]


def declare_fields(dataset: fo.Dataset, run_key: str, methods: Sequence[Method], *, adaptive: bool = False) -> None:
    """Declares a run's fields; those that exist are left as they are."""
    import fiftyone as fo

    # In one schema, nested fields included: for every schema FiftyOne reads and writes the whole dataset record.
    schema: dict[str, fo.Field] = {}
    for method in methods:
        margin = _named("margin", fo.FloatField())
        schema[method_field(run_key, method.name)] = fo.EmbeddedDocumentField(fo.Classification, fields=[margin])
    path = regions_field(run_key)
    if path in run_fields(run_key, methods):
        attributes = [_named(name, getattr(fo, kind)()) for name, kind in REGION_ATTRIBUTES.items()]
        boxes = fo.ListField(fo.EmbeddedDocumentField(fo.Detection, fields=attributes))
        schema[path] = fo.EmbeddedDocumentField(fo.Detections, fields=[_named("detections", boxes)])
    if adaptive:
        schema[encodes_field(run_key)] = fo.IntField()
    schema[error_field(run_key)] = fo.StringField()
    merge_schema(dataset, schema)


def _named(name: str, field: fo.Field) -> fo.Field:
    """Sets the name of a field inside a document, as FiftyOne does."""
    field.name = field.db_field = name
    return field


def arrange_app(
    dataset: fo.Dataset, run_key: str, methods: Sequence[Method], *, adaptive: bool = False
) -> dict[str, bool]:
    """Groups a new run's fields in the App's sidebar, and colors labels by value and boxes by chain.

    The user's arrangement stays: if there is a sidebar group of the run's name, the fields are added to it, and in an
    existing color scheme only the entry of the boxes is set. Returns what was created (``groups``, ``group``,
    ``scheme``), for :func:`delete_fields` to remove.
    """
    import fiftyone as fo

    config = dataset.app_config
    paths = run_fields(run_key, methods, adaptive=adaptive)
    made = {"groups": not config.sidebar_groups, "group": False, "scheme": False}
    groups = config.sidebar_groups or fo.DatasetAppConfig.default_sidebar_groups(dataset)
    for group in groups:
        group.paths = [path for path in group.paths if path.split(".")[0] not in paths]
    own = next((group for group in groups if group.name == run_key), None)
    if own is None:
        made["group"] = True
        own = fo.SidebarGroupDocument(name=run_key, paths=[], expanded=True)
        position = next((i for i, group in enumerate(groups) if group.name == "labels"), len(groups) - 1) + 1
        groups.insert(position, own)
    own.paths = [*own.paths, *paths]
    config.sidebar_groups = groups

    if regions_field(run_key) in paths:
        made["scheme"] = config.color_scheme is None
        scheme = config.color_scheme or fo.ColorScheme(color_by="value")
        others = [entry for entry in scheme.fields or [] if entry.get("path") != regions_field(run_key)]
        scheme.fields = [*others, _chain_colors(run_key)]
        config.color_scheme = scheme
    dataset.save()
    return made


def add_to_group(dataset: fo.Dataset, run_key: str, fields: Sequence[str]) -> None:
    """Adds fields to the end of a run's group in the App's sidebar, if it still exists."""
    config = dataset.app_config
    groups = config.sidebar_groups or []
    own = next((group for group in groups if group.name == run_key), None)
    if own is None or all(field in own.paths for field in fields):
        return
    for group in groups:
        group.paths = [path for path in group.paths if group is own or path.split(".")[0] not in fields]
    own.paths = [*own.paths, *(field for field in fields if field not in own.paths)]
    config.sidebar_groups = groups
    dataset.save()


def delete_fields(dataset: fo.Dataset, run_key: str, fields: Sequence[str], made: Mapping[str, bool]) -> None:
    """Deletes a run's fields, and what :func:`arrange_app` created if nothing else uses it now."""
    import fiftyone as fo

    schema = dataset.get_field_schema()
    present = [field for field in fields if field in schema]
    if present:
        dataset.delete_sample_fields(present)
    config = dataset.app_config
    groups = config.sidebar_groups or []
    for group in groups:
        group.paths = [path for path in group.paths if path.split(".")[0] not in fields]
    groups = [group for group in groups if group.paths or group.name != run_key or not made.get("group")]
    if made.get("groups") and _layout(groups) == _layout(fo.DatasetAppConfig.default_sidebar_groups(dataset)):
        groups = []
    config.sidebar_groups = groups or None
    scheme = config.color_scheme
    if scheme is not None and scheme.fields:
        scheme.fields = [entry for entry in scheme.fields if entry.get("path") not in fields]
        if made.get("scheme") and not scheme.fields and scheme.color_by == "value":
            config.color_scheme = None
    dataset.save()


def _layout(groups: Sequence[fo.SidebarGroupDocument]) -> list[tuple[str, list[str]]]:
    return [(group.name, sorted(group.paths)) for group in groups]


def _chain_colors(run_key: str) -> dict[str, Any]:
    colors = []
    for chain in range(_COLORED_CHAINS):
        red, green, blue = colorsys.hls_to_rgb((chain * _GOLDEN_ANGLE) % 1.0, 0.55, 0.85)
        color = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
        colors.append({"value": str(chain), "color": color})
    return {"path": regions_field(run_key), "colorByAttribute": "index", "valueColors": colors}
