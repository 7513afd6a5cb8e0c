"""Sets of images with their classes and texts: folders by class, drawn or a user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.demo.classes import DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import ClassTexts, class_texts
from lgca_plugin.descriptions.files import match_descriptions, read_descriptions
from lgca_plugin.descriptions.names import name_key
from lgca_plugin.descriptions.style import AUTO, GIVEN, SENTENCES, names_class

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
NAMED, ATTRIBUTES = "named", "attributes"
TEXTS = (NAMED, ATTRIBUTES)
"""All texts of a class, each with its name, and those that do not mention it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images, what they show, and the texts of the classes.

    Attributes:
        name: of the set
        group: of sets of the same kind, whose images are counted together
        files: the n images
        truth: ``[n]`` index of the class of each
        classes: the class names
        descriptions: class name to its texts, or the path of a file with them; None for the template ensemble
        style: how the descriptions are read, see :mod:`lgca_plugin.descriptions.style`
        seed: of drawings
    """

    name: str
    group: str
    files: tuple[Path, ...]
    truth: NDArray[np.int64]
    classes: tuple[str, ...]
    descriptions: Mapping[str, Sequence[str]] | Path | None = None
    style: str = AUTO
    seed: int | None = None

    def first(self, count: int) -> ImageSet:
        """Returns a set of at most ``count`` images; classes take turns."""
        turn = np.zeros(len(self.files), np.int64)
        for label in range(len(self.classes)):
            own = np.flatnonzero(self.truth == label)
            turn[own] = np.arange(len(own))
        rows = np.sort(np.lexsort((self.truth, turn))[:count])
        return replace(self, files=tuple(self.files[row] for row in rows.tolist()), truth=self.truth[rows])

    def texts(self) -> dict[str, ClassTexts]:
        """Returns the texts of the classes, by :data:`TEXTS`.

        Texts that do not mention their class are left out where there are no descriptions, or a class has none of them.
        """
        found = {NAMED: class_texts(self.classes, self.descriptions, self.style)}
        if self.descriptions is not None:
            given, _ = match_descriptions(self.classes, read_descriptions(self.descriptions), GIVEN)
            bare = {name: [text for text in own if not names_class(name, text)] for name, own in given.items()}
            if all(bare.get(name) for name in self.classes):
                found[ATTRIBUTES] = class_texts(self.classes, bare, SENTENCES)
        return found


def of_files(
    name: str,
    labelled: Iterable[tuple[Path, str]],
    classes: Sequence[str],
    *,
    descriptions: Mapping[str, Sequence[str]] | Path | None = None,
    group: str | None = None,
    seed: int | None = None,
) -> ImageSet:
    """Returns a set of labelled files.

    Args:
        name: of the set
        labelled: the files and their class names
        classes: all class names
        descriptions: class name to its texts, or the path of a file with them; a class takes the spelling that its name
            has there, such as "Black-footed Albatross" for "Black footed Albatross"
        group: of sets of the same kind
        seed: of drawings

    Returns:
        the set

    Raises:
        SystemExit: if there is no file
    """
    index = {own: position for position, own in enumerate(classes)}
    pairs = list(labelled)
    if not pairs:
        raise SystemExit(f"there are no images of {name}")
    described = {} if descriptions is None else {name_key(own): own for own in read_descriptions(descriptions)}
    return ImageSet(
        name=name,
        group=group or name,
        files=tuple(file for file, _ in pairs),
        truth=np.array([index[own] for _, own in pairs], np.int64),
        classes=tuple(described.get(name_key(own), own) for own in classes),
        descriptions=descriptions,
        style=AUTO,
        seed=seed,
    )


def of_folder(folder: Path, *, descriptions: Mapping[str, Sequence[str]] | Path | None = None) -> ImageSet:
    """Returns the images of a folder that has one folder for each class, named as the class is.

    Underscores in names stand for spaces, and a number before a dot is left out: ``001.Black_footed_Albatross``.

    Raises:
        SystemExit: if there are fewer than two classes, or no images
    """
    folders = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if len(folders) < 2:
        raise SystemExit(f"{folder} must hold a folder of images for each class, and has {len(folders)} folders")
    classes = [class_name(path.name) for path in folders]
    labelled = ((file, own) for path, own in zip(folders, classes, strict=True) for file in images_in(path))
    return of_files(folder.name, labelled, classes, descriptions=descriptions)


def of_drawings(folder: Path, group: str, seed: int) -> ImageSet:
    """Returns a set that :func:`.drawn.draw` has drawn."""
    found = of_folder(folder, descriptions=DESCRIPTIONS)
    return replace(found, group=group, seed=seed, style=GIVEN)


def images_in(folder: Path) -> list[Path]:
    """Lists the image files of a folder, by name."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)


def class_name(folder: str) -> str:
    """Returns the class name in the name of a folder.

    Example:
        >>> class_name("001.Black_footed_Albatross")
        'Black footed Albatross'
    """
    return " ".join(re.sub(r"^\d+\.", "", folder).replace("_", " ").split())
