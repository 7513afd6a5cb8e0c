"""The pictures of the review panel, as data URIs that are kept in memory: most are shown again and again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ....lgca_plugin.cache import ResultCache
from ....lgca_plugin.fiftyone_io.boxes.companion import around, around_columns
from ....lgca_plugin.fiftyone_io.samples import read_projections
from ....lgca_plugin.fiftyone_io.thumbnails import Box, marked_uri, thumbnail_uri
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.review.examples import class_examples

LARGE, SMALL = 640, 200
"""Longer sides of the suspect's picture and of the others, in pixels."""

_URIS: ResultCache[str | None] = ResultCache(400)
"""About 15 KB each."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A small picture.

    Attributes:
        uri: None where the file can't be read
        name: the file's name
        nearest: whether it is the one most similar to the suspect
        path: the file
        around: the box that it is about; None for the whole picture
    """

    sample_id: str
    uri: str | None
    name: str
    nearest: bool = False
    path: str = ""
    around: Box | None = None


def file_name(path: str) -> str:
    """Returns the name of a file, whatever system its path is from."""
    return PurePath(path.replace("\\", "/")).name


def marked_picture(path: str, box: Box | None, around: Box | None = None) -> str | None:
    """Returns a large picture, of a box and its surroundings if it is about one, with a region marked.

    None where the file can't be read.
    """
    return _cached(path, ("marked", box, around), lambda: marked_uri(path, box=box, side=LARGE, around=around))


def large_picture(picture: Picture) -> Picture:
    """Returns a picture as large as that of a suspect."""
    return replace(picture, uri=marked_picture(picture.path, None, picture.around))


def example_pictures(run: Run, label: str, near: str) -> tuple[Picture, ...]:
    """Returns typical pictures of a class, and the one nearest to a sample."""
    return tuple(
        _picture(example.sample_id, example.filepath, example.around, nearest=example.nearest)
        for example in class_examples(run, label, near=near)
    )


def pictures_of(dataset: Any, ids: Sequence[str]) -> tuple[Picture, ...]:
    """Returns the pictures of samples, in this order, without those that are gone."""
    found = read_projections(dataset, list(ids), {"filepath": 1, **around_columns(dataset)})
    shown = {id_: (one["filepath"], around(dataset, one)) for id_, one in found.items()}
    return tuple(_picture(id_, *shown[id_]) for id_ in ids if id_ in shown)


def _picture(sample_id: str, path: str, box: Box | None, *, nearest: bool = False) -> Picture:
    uri = _cached(path, ("small", box), lambda: thumbnail_uri(path, side=SMALL, around=box))
    return Picture(sample_id=sample_id, uri=uri, name=file_name(path), nearest=nearest, path=path, around=box)


def _cached(path: str, kind: Any, make: Any) -> str | None:
    """Returns a picture from memory as long as its file stays the same."""
    written = None
    with suppress(OSError):
        written = Path(path).stat().st_mtime_ns
    return _URIS.get((path, written, kind), make)
