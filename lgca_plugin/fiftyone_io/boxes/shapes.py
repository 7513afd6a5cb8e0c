"""The box around a label of Detections, Polylines or Keypoints, as a MongoDB document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTS = {"Detections": "detections", "Polylines": "polylines", "Keypoints": "keypoints"}
"""Kind of a label field with boxes to the name of the list in it."""

SEVERAL = {"Classifications": "classifications"}
"""The same of labels that are about the whole picture."""

WHOLE = (0.0, 0.0, 1.0, 1.0)

NO_BOX = (0.0, 0.0, 0.0, 0.0)
CROWD = "the box is marked as a crowd, so it may hold several objects"
NO_POINTS = "the label has no box and no points"


def box_around(label: Mapping[str, Any]) -> tuple[tuple[float, float, float, float], str | None]:
    """Returns the relative ``(x, y, width, height)`` of a label, and why it can't be used, None if nothing is known.

    That of points is the smallest box around them.
    """
    if label.get("iscrowd"):
        return _given(label) or NO_BOX, CROWD
    box = _given(label) or _around_points(label.get("points"))
    return (NO_BOX, NO_POINTS) if box is None else (box, None)


def _given(label: Mapping[str, Any]) -> tuple[float, float, float, float] | None:
    box = label.get("bounding_box")
    if not isinstance(box, list) or len(box) != 4:
        return None
    x, y, width, height = (float(one) for one in box)
    return x, y, width, height


def _around_points(points: Any) -> tuple[float, float, float, float] | None:
    """Returns the smallest box around the points of a polyline's shapes, or of a keypoint, without those that hide."""
    shapes = points if isinstance(points, list) else []
    flat = [pair for shape in shapes for pair in (shape if shape and isinstance(shape[0], list) else [shape])]
    found = np.array([pair for pair in flat if len(pair) == 2], dtype=np.float64).reshape(-1, 2)
    found = found[np.isfinite(found).all(axis=1)]
    if not len(found):
        return None
    (left, top), (right, bottom) = found.min(axis=0).tolist(), found.max(axis=0).tolist()
    return left, top, right - left, bottom - top


def labels_in(document: Mapping[str, Any], path: str) -> list[dict[str, Any]]:
    """Returns the list of labels at a path inside a sample's document; empty if it is missing."""
    found: Any = document
    for part in path.split("."):
        found = (found or {}).get(part)
    return found or []
