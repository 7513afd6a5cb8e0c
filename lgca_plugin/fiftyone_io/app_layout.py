"""How the App shows a run: its group in the sidebar, the fields that are ticked at first, and the colors.

What the user has arranged stays: fields are added to a group of the run's name if there is one, and in an existing
color scheme or choice of ticked fields only the run's own entries are set.
"""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING, Any

from ..method.core.methods import explained_method, learned_method
from .database import save_dataset
from .fields import DECISION, SUGGESTION, SUSPECT, method_field, regions_field, run_fields, triage_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import fiftyone as fo

    from ..method.core.methods import Method

PANEL_SHARE = 0.4
"""Share of a window's width that a panel beside the grid gets.

FiftyOne gives it half, which leaves thumbnails too small to judge, and hides the button above the grid.
"""

GIVEN_COLOR = "#5b8def"
SUSPECT_COLOR = "#f2994a"
SUGGESTION_COLOR = "#e2b93b"
DECISION_COLOR = "#e05c8a"
METHOD_COLORS = ("#9b7ede", "#3bb3a6", "#7cb342", "#4fc3f7", "#8d9aa8", "#b08968", "#b0bec5")

# The App colors either all fields by their values, or none. It takes the values from an attribute of the label, and
# with this one, the same for all labels of a field, a field of labels has one color and boxes keep theirs by chain.
_CONSTANT_ATTRIBUTE = "_cls"
_CONSTANT_VALUE = "Classification"

_GOLDEN_ANGLE = 0.618033988749895
_COLORED_CHAINS = 64


def ticked_fields(
    run_key: str, methods: Sequence[Method], ground_truth: str | None, schema: Iterable[str]
) -> list[str]:
    """Returns the fields that the grid shows after a run: the given label and the suspects' suggestion.

    Without given labels it is the prediction of one method: the learned one, else the one that the boxes explain.
    """
    if ground_truth is None:
        shown = learned_method(methods) or explained_method(methods) or methods[0]
        return [method_field(run_key, shown.name)]
    suspect = triage_field(run_key, SUSPECT)
    return [ground_truth, *([suspect] if suspect in schema else [])]


def without_pills(fields: Sequence[str], ticked: Sequence[str], hidden: Iterable[str]) -> list[str]:
    """Returns fields without those of other runs, the ``hidden`` ones, that a run ticks of its own: one run a time."""
    names = {f"_{SUSPECT}", *(f"_{path.rpartition('_')[2]}" for path in ticked)}
    others = {path for path in hidden if f"_{path.rpartition('_')[2]}" in names}
    return [path for path in fields if path not in others]


def arrange_app(
    dataset: fo.Dataset,
    run_key: str,
    methods: Sequence[Method],
    *,
    adaptive: bool = False,
    ground_truth: str | None = None,
    hidden: Sequence[str] = (),
) -> dict[str, bool]:
    """Groups a new run's fields in the App's sidebar, colors labels by field and boxes by chain, and chooses the ticks.

    ``hidden`` are the fields of other runs, which the App does not show at first either. Returns what was created
    (``groups``, ``group``, ``scheme``), for :func:`remove_from_app` to remove.
    """
    import fiftyone as fo

    config = dataset.app_config
    paths = run_fields(run_key, methods, adaptive=adaptive)
    made = {"groups": not config.sidebar_groups, "group": False, "scheme": config.color_scheme is None}
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

    entries = [_one_color(method_field(run_key, m.name), color) for m, color in zip(methods, _colors(), strict=False)]
    if regions_field(run_key) in paths:
        entries.append(_chain_colors(run_key))
    _set_colors(config, entries, ground_truth)
    _set_ticks(dataset, ticked_fields(run_key, methods, ground_truth, dataset.get_field_schema()), [*paths, *hidden])
    save_dataset(dataset)
    return made


def show_triage(
    dataset: fo.Dataset,
    run_key: str,
    methods: Sequence[Method],
    fields: Sequence[str],
    *,
    ground_truth: str | None,
    hidden: Sequence[str] = (),
) -> None:
    """Adds a triage's ``fields`` to the run's group in the App's sidebar, and shows its suspects on the grid."""
    paint = {SUGGESTION: SUGGESTION_COLOR, SUSPECT: SUSPECT_COLOR, DECISION: DECISION_COLOR}
    entries = [_one_color(triage_field(run_key, name), color) for name, color in paint.items()]
    _set_colors(dataset.app_config, entries, ground_truth)
    if ground_truth is not None:
        ticked = ticked_fields(run_key, methods, ground_truth, dataset.get_field_schema())
        _set_ticks(dataset, ticked, [*run_fields(run_key, methods), *fields, *hidden])
    save_dataset(dataset)
    add_to_group(dataset, run_key, fields)


def add_to_group(dataset: fo.Dataset, run_key: str, fields: Sequence[str]) -> None:
    """Adds fields to a run's group in the App's sidebar, if it still exists: that of the suspects first."""
    config = dataset.app_config
    groups = config.sidebar_groups or []
    own = next((group for group in groups if group.name == run_key), None)
    if own is None or all(field in own.paths for field in fields):
        return
    for group in groups:
        group.paths = [path for path in group.paths if group is own or path.split(".")[0] not in fields]
    new = [field for field in fields if field not in own.paths]
    first = [field for field in new if field == triage_field(run_key, SUSPECT)]
    own.paths = [*first, *own.paths, *(field for field in new if field not in first)]
    config.sidebar_groups = groups
    save_dataset(dataset)


def remove_from_app(dataset: fo.Dataset, run_key: str, fields: Sequence[str], made: Mapping[str, bool]) -> None:
    """Removes a run's fields from the App's layout, and what :func:`arrange_app` created if nothing else uses it now.

    The fields must have been deleted from the dataset.
    """
    import fiftyone as fo

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
        entries = [entry for entry in scheme.fields if entry.get("path") not in fields]
        own = [entry for entry in entries if entry.get("colorByAttribute") == _CONSTANT_ATTRIBUTE]
        if all(entry == _one_color(str(entry.get("path")), GIVEN_COLOR) for entry in own):  # no other run is colored
            entries = [entry for entry in entries if entry not in own]
        scheme.fields = entries
        if made.get("scheme") and not scheme.fields and scheme.color_by == "value":
            config.color_scheme = None
    active = config.active_fields
    if active is not None and not active.exclude:
        active.paths = [path for path in active.paths if path.split(".")[0] not in fields]
        if set(active.paths) == set(fo.DatasetAppConfig.default_active_fields(dataset).paths):
            config.active_fields = None
    save_dataset(dataset)


def app_arrangement(dataset: fo.Dataset) -> dict[str, Any]:
    """Returns the ``groups`` of the sidebar and the color scheme, ``colors``, as JSON types; no colors are None."""
    import fiftyone as fo

    config = dataset.app_config
    groups = config.sidebar_groups or fo.DatasetAppConfig.default_sidebar_groups(dataset)
    colors = None
    if config.color_scheme is not None:
        stored = config.color_scheme.to_dict()
        colors = {"id": str(stored.pop("_id", "")), **{name: stored[name] for name in stored if name != "_cls"}}
    groups = [{"name": group.name, "paths": list(group.paths), "expanded": group.expanded} for group in groups]
    return {"groups": groups, "colors": colors}


def _layout(groups: Sequence[fo.SidebarGroupDocument]) -> list[tuple[str, list[str]]]:
    return [(group.name, sorted(group.paths)) for group in groups]


def _set_ticks(dataset: fo.Dataset, ticked: Sequence[str], hidden: Sequence[str]) -> None:
    """Ticks fields in the sidebar and leaves others unticked, for everybody who opens the dataset from now on."""
    import fiftyone as fo

    config = dataset.app_config
    active = config.active_fields
    if active is None or not (active.paths or active.exclude):  # the App's default: all fields of labels
        active = fo.DatasetAppConfig.default_active_fields(dataset)
        active.paths = [path for path in active.paths if path.split(".")[0] not in hidden]
    elif active.exclude:
        active.paths = [*active.paths, *(path for path in hidden if path not in active.paths)]
    else:  # what the user has chosen stays
        active.paths = without_pills(active.paths, ticked, hidden)
    if active.exclude:
        active.paths = [path for path in active.paths if path not in ticked]
    else:
        active.paths = [*active.paths, *(path for path in ticked if path not in active.paths)]
    config.active_fields = active


def _set_colors(config: fo.DatasetAppConfig, entries: Sequence[Mapping[str, Any]], ground_truth: str | None) -> None:
    """Sets entries of the color scheme; the given labels get a color unless the user has chosen one."""
    import fiftyone as fo

    scheme = config.color_scheme or fo.ColorScheme(color_by="value")
    paths = {entry["path"] for entry in entries}
    others = [entry for entry in scheme.fields or [] if entry.get("path") not in paths]
    if ground_truth is not None and all(entry.get("path") != ground_truth for entry in others):
        others.append(_one_color(ground_truth, GIVEN_COLOR))
    scheme.fields = [*others, *entries]
    config.color_scheme = scheme


def _colors() -> Iterable[str]:
    while True:
        yield from METHOD_COLORS


def _one_color(path: str, color: str) -> dict[str, Any]:
    """Returns the entry of a field of labels that has one color, whether the App colors by field or by value."""
    values = [{"value": _CONSTANT_VALUE, "color": color}]
    return {"path": path, "fieldColor": color, "colorByAttribute": _CONSTANT_ATTRIBUTE, "valueColors": values}


def _chain_colors(run_key: str) -> dict[str, Any]:
    colors = []
    for chain in range(_COLORED_CHAINS):
        red, green, blue = colorsys.hls_to_rgb((chain * _GOLDEN_ANGLE) % 1.0, 0.55, 0.85)
        color = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
        colors.append({"value": str(chain), "color": color})
    return {"path": regions_field(run_key), "colorByAttribute": "index", "valueColors": colors}
