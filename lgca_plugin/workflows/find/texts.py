"""The descriptions of a search: those given, those of the run that it goes on with, or those saved on the dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...config import SAVED_DESCRIPTIONS
from ...descriptions.files import match_descriptions, read_descriptions
from ...descriptions.style import AUTO, SENTENCES
from ...errors import ConfigError
from ...runs.stored_texts import known_texts, texts_of_release_0_1

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import fiftyone as fo

    from ...descriptions.class_names import ClassNames
    from ...runs.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class SearchTexts:
    """The descriptions of a search.

    Attributes:
        described: class to texts as the model reads them, for the classes that have any; the others get the template
            ensemble
        given: name to texts as they were given
        style: how ``given`` are read
        kept: whether they are those of the run that the search goes on with
    """

    described: dict[str, tuple[str, ...]] = field(default_factory=dict)
    given: Mapping[str, Sequence[str]] = field(default_factory=dict)
    style: str = SENTENCES
    kept: bool = False


def given_texts(
    descriptions: Mapping[str, Sequence[str]] | str | Path,
    style: str,
    classes: Sequence[str],
    previous: RunRecord | None,
    names: ClassNames,
) -> SearchTexts:
    """Returns the descriptions that the caller gives; with an empty dict none.

    Raises:
        ConfigError: if they can't be read, or match no class
    """
    if isinstance(descriptions, Mapping) and not descriptions:
        return SearchTexts()
    read = read_descriptions(descriptions)
    had = None if previous is None else texts_of_release_0_1(previous)
    described, _ = match_descriptions(classes, read, style, had=had, names=names)
    return SearchTexts(described=described, given=read, style=style)


def kept_texts(previous: RunRecord, classes: Sequence[str]) -> SearchTexts:
    """Returns the descriptions that the classes have or had in a run."""
    known = known_texts(previous)
    texts = {name: tuple(known[name]) for name in classes if name in known}
    return SearchTexts(described=texts, given=texts, kept=True)


def saved_texts(
    dataset: fo.Dataset, classes: Sequence[str], previous: RunRecord | None, names: ClassNames
) -> SearchTexts:
    """Returns the descriptions that are saved on a dataset; none if there are none, or they are for other classes."""
    saved = (dataset.info or {}).get(SAVED_DESCRIPTIONS)
    try:
        return given_texts(saved, AUTO, classes, previous, names) if saved else SearchTexts()
    except ConfigError:
        return SearchTexts()
