"""What a form says of class names and texts before a run: how they will be used, and what a model may not read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..method.number_text import first_of
from .files import match_descriptions
from .names import CONTEXT, alike, in_other_letters, too_long
from .style import AUTO, GIVEN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_NAMED = 8
"""Maximum number of names in a sentence."""
MAX_LENGTH = 100
"""Maximum length of a text that is shown as an example."""


@dataclass(frozen=True, kw_only=True)
class TextPreview:
    """How descriptions will be used.

    Attributes:
        line: how many are used as they are and how many in a sentence, with an example of each
        warnings: sentences for the user
        problem: why they can't be used; None if they can
    """

    line: str = ""
    warnings: tuple[str, ...] = ()
    problem: str | None = None


def name_warnings(classes: Sequence[str]) -> list[str]:
    """Returns what a model may not read of the names of the classes."""
    warnings = []
    names = tuple(classes)
    pairs = alike(names)
    if pairs:
        (first, second), more = pairs[0], len(pairs) - 1
        others = f" (and {more:,} more {'pair' if more == 1 else 'pairs'})" if more else ""
        warnings.append(
            f"most models read {first!r} and {second!r}{others} as one text, and can't tell them apart: merge these "
            "labels, or type the classes, one of each"
        )
    foreign = in_other_letters(names)
    if foreign:
        warnings.append(
            f"models that were trained on English texts can't know {_named(foreign)}: give English names, or take a "
            "multilingual model"
        )
    return warnings


def preview_texts(classes: Sequence[str], given: Mapping[str, Sequence[str]], style: str = AUTO) -> TextPreview:
    """Returns how the descriptions of some classes will be used."""
    return _preview(tuple(classes), tuple((name, tuple(texts)) for name, texts in given.items()), style)


@lru_cache(maxsize=4)
def _preview(classes: tuple[str, ...], given: tuple[tuple[str, tuple[str, ...]], ...], style: str) -> TextPreview:
    try:
        texts, unused = match_descriptions(classes, dict(given), GIVEN)
        used, _ = match_descriptions(classes, dict(given), style)
    except ConfigError as error:
        return TextPreview(problem=error.app)
    pairs = [pair for name in texts for pair in zip(texts[name], used[name], strict=True)]
    as_given = [text for text, sentence in pairs if text == sentence]
    sentences = [sentence for text, sentence in pairs if text != sentence]
    warnings = []
    undescribed = [name for name in classes if name not in texts]
    if undescribed:
        warnings.append(f"no descriptions for {_named(undescribed)}: templates stand in")
    if unused:
        warnings.append(f"the descriptions of {_named(unused)} are not used: no class is called so")
    warnings += _equal_warning(used)
    n_long = {name: too_long(sentences) for name, sentences in used.items()}
    cut, n_cut = [name for name, n in n_long.items() if n], sum(n_long.values())
    if n_cut:
        longer = f"one text of {cut[0]} is longer" if n_cut == 1 else f"{n_cut:,} texts of {_named(cut)} are longer"
        warnings.append(
            f"{longer} than the {CONTEXT} tokens, about {CONTEXT * 3 // 4} words, that most models read: the end is "
            "not used"
        )
    return TextPreview(line=_line(as_given, sentences), warnings=tuple(warnings))


def _equal_warning(used: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the warning that classes have the same descriptions, if any have."""
    alike: dict[frozenset[str], list[str]] = {}
    for name, sentences in used.items():
        alike.setdefault(frozenset(text.casefold().strip() for text in sentences), []).append(name)
    equal = next((names for names in alike.values() if len(names) > 1), None)
    if equal is None:
        return []
    same = f"the descriptions of {_named(equal)} are the same, so crops can't tell them apart"
    return [f"{same}: describe what differs, or merge these labels"]


def _line(as_given: Sequence[str], sentences: Sequence[str]) -> str:
    total = len(as_given) + len(sentences)
    if not (sentences and as_given):
        how = "put into a sentence with its class" if sentences else "used as it is"
        first = _shown([*sentences, *as_given][0])
        return f"One text, {how}: {first}" if total == 1 else f"{total:,} texts, each {how}, such as {first}"
    return (
        f"{total:,} texts: {len(sentences):,} put into a sentence with their class, such as {_shown(sentences[0])}, "
        f"and {len(as_given):,} used as {'it is' if len(as_given) == 1 else 'they are'}, such as {_shown(as_given[0])}"
    )


def _shown(text: str) -> str:
    short = text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."
    return f"\u201c{short}\u201d"


def _named(names: Sequence[str]) -> str:
    return first_of(names, MAX_NAMED)
