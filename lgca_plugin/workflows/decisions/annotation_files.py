"""The suspects of a triage as files that annotation tools import: CVAT and Label Studio."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET  # writes only
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ...errors import ConfigError, shown
from .decisions import Decision
from .suspect_rows import suspects_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .suspect_rows import SuspectRow

LOCAL_FILES = "/data/local-files/?d="
"""Address under which Label Studio serves the files of its own machine."""
CHOICES, PICTURE = "label", "image"
"""Names of the choice of a class and of the picture in Label Studio's labeling interface."""
_UNDECIDED = (None, Decision.SKIPPED)


@dataclass(frozen=True, kw_only=True)
class SuspectFile:
    """What a file of suspects is made of.

    Attributes:
        run_key: key of the run that suspects them
        rows: the suspects
        classes: the classes to choose from
        root: folder that the names of images are relative to
        prefix: what the names of images begin with instead; None takes what the tool needs
    """

    run_key: str
    rows: Sequence[SuspectRow]
    classes: Sequence[str]
    root: Path
    prefix: str | None = None

    def name(self, row: SuspectRow) -> str:
        """Returns the name of a suspect's image, relative to the root, with slashes."""
        return Path(os.path.relpath(row.filepath, self.root)).as_posix()


def common_folder(rows: Sequence[SuspectRow]) -> Path:
    """Returns the deepest folder that holds the images of all suspects."""
    folders = {os.path.dirname(os.path.abspath(row.filepath)) for row in rows}  # noqa: PTH100, PTH120 (links stay)
    try:
        return Path(os.path.commonpath(folders)) if folders else Path()
    except ValueError:  # on several drives
        return Path(PurePath(min(folders)).anchor)


def cvat_text(of: SuspectFile) -> str:
    """Returns suspects as "CVAT for images 1.1": a tag on each image, the suggested class until one is decided."""
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for name in of.classes:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = _xml(name)
        ET.SubElement(label, "attributes")
    for at, row in enumerate(of.rows):
        name = _xml(f"{of.prefix or ''}{of.name(row)}")
        image = ET.SubElement(root, "image", {"id": str(at), "name": name, **_size(row)})
        if row.label:
            ET.SubElement(image, "tag", label=_xml(row.label), source="auto" if row.decision is None else "manual")
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def label_studio_text(of: SuspectFile) -> str:
    """Returns suspects as tasks of Label Studio: the suggestion as a prediction, what was decided as an annotation."""
    tasks = []
    for row in of.rows:
        prefix = LOCAL_FILES if of.prefix is None else of.prefix
        data = {
            PICTURE: f"{prefix}{quote(of.name(row))}",
            "given": row.given,
            "suggested": row.suggested,
            "confidence": row.confidence,
            "label_quality": row.label_quality,
            "sample_id": row.sample_id,
        }
        suggestion = {"model_version": of.run_key, "score": row.confidence, "result": _choice(row.suggested, "s", row)}
        decided = row.decision not in (*_UNDECIDED, Decision.BAD_IMAGE) and row.label is not None
        annotations = [{"result": _choice(row.label or "", "d", row)}] if decided else []
        tasks.append({"data": data, "predictions": [suggestion], "annotations": annotations})
    return json.dumps(tasks, indent=1, ensure_ascii=False)


def label_studio_interface(of: SuspectFile) -> str:
    """Returns the labeling interface for the tasks of :func:`label_studio_text`."""
    view = ET.Element("View")
    ET.SubElement(view, "Header", value="Given: $given. Suggested: $suggested")
    ET.SubElement(view, "Image", name=PICTURE, value=f"${PICTURE}")
    choices = ET.SubElement(view, "Choices", name=CHOICES, toName=PICTURE, choice="single", required="true")
    for name in of.classes:
        ET.SubElement(choices, "Choice", value=_xml(name))
    ET.indent(view)
    return f"{ET.tostring(view, encoding='unicode')}\n"


def _choice(label: str, kind: str, row: SuspectRow) -> list[dict[str, Any]]:
    found = {"id": f"{kind}{row.sample_id}", "from_name": CHOICES, "to_name": PICTURE, "type": "choices"}
    return [{**found, "value": {"choices": [label]}}]


def _size(row: SuspectRow) -> dict[str, str]:
    """Returns the width and height of an image, from its file if they are not on the sample; nothing if that is gone.

    CVAT does not need them to find the image.
    """
    from fiftyone import ImageMetadata

    size = row.width, row.height
    if not all(size):
        try:
            found = ImageMetadata.build_for(row.filepath)
        except (OSError, ValueError, SyntaxError):  # Pillow's own errors are among them
            return {}
        size = found.width, found.height
    return dict(zip(("width", "height"), map(str, size), strict=True)) if all(size) else {}


def _xml(text: str) -> str:
    """Returns a text without the characters that XML can't hold."""
    return "".join(char if char in "\t\n\r" or char >= " " else "\ufffd" for char in text)


FORMATS: Mapping[str, Callable[[SuspectFile], str]] = {
    "csv": lambda of: suspects_csv(of.rows),
    "cvat": cvat_text,
    "label-studio": label_studio_text,
    "label-studio-interface": label_studio_interface,
}
"""Name of a file format to what writes it."""

ENDINGS = {".csv": "csv", ".xml": "cvat", ".json": "label-studio"}
"""File ending to the format that it stands for."""


def check_format(name: object) -> str:
    """Returns the name of a format of :data:`FORMATS`.

    Raises:
        ConfigError: if there is none of this name
    """
    if isinstance(name, str) and name in FORMATS:
        return name
    raise ConfigError(f"file_format must be one of {', '.join(map(repr, FORMATS))}, got {shown(name)}")
