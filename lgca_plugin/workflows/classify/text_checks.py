"""What the texts of the classes are to the model: classes that are one to it are refused, the rest is a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...descriptions.class_texts import ClassTexts
from ...descriptions.names import reading
from ...errors import ConfigError
from ...method.core.equal_rows import equal_rows
from ...method.number_text import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from ...encoder.base import Encoder, TextEncoder

MAX_NAMED = 12
"""Maximum number of classes or words that a warning names."""
MAX_LENGTH = 60
"""Maximum length of a name in a warning."""


def equal_classes(
    texts: ClassTexts,
    class_vectors: Mapping[str, NDArray[np.floating]],
    encoder: TextEncoder,
    *,
    model: Encoder | None,
    name: str,
) -> ConfigError | None:
    """Returns the error about classes with one class vector, between which a method can't choose; None without any.

    Args:
        texts: the texts of the classes
        class_vectors: method to its ``[C, dim]`` class vectors
        encoder: what has embedded the texts
        model: the model, if it is loaded, which then knows the texts that are too long for it
        name: the model's name
    """
    compared: set[int] = set()
    for method, vectors in class_vectors.items():
        if id(vectors) in compared:  # methods share them
            continue
        compared.add(id(vectors))
        pairs = [(texts.classes[first], texts.classes[second]) for first, second in equal_rows(vectors)]
        if not pairs:
            continue
        if len(equal_rows(encoder.encode_texts([texts.label_prompt(one) for one in pairs[0]]))):
            untrained = model is not None and bool(
                model.unknown_words([reading(texts.names.of(one)) for one in pairs[0]])
            )
            return _equal_names(pairs, name, untrained=untrained)
        own = [text for one in pairs[0] for text in texts.descriptions[one]]
        return _equal_descriptions(pairs, name, method, cut=bool(model is not None and model.cut_texts(own)))
    return None


def _equal_names(pairs: Sequence[tuple[str, str]], model: str, *, untrained: bool) -> ConfigError:
    one = f"classes {_pair(pairs)} are one text to {model}"
    if untrained:
        return ConfigError(f"{one}, which was never trained on their words: take another model")
    problem = f"{one}, so no image can be told apart by them"
    return ConfigError(
        f"{problem}: merge these labels, or pass classes with one of each",
        app=f"{problem}: merge these labels, or type the classes, one of each",
    )


def _equal_descriptions(pairs: Sequence[tuple[str, str]], model: str, method: str, *, cut: bool) -> ConfigError:
    same = f"are the same as far as {model} reads them" if cut else f"are the same to {model}"
    remedy = "begin with what differs" if cut else "describe what differs, or merge these labels"
    return ConfigError(f"the descriptions of {_pair(pairs)} {same}, so {method} can't tell them apart: {remedy}")


def _pair(pairs: Sequence[tuple[str, str]]) -> str:
    first, second = pairs[0]
    more = len(pairs) - 1
    return f"{first!r} and {second!r}" + (f" (and {more:,} more {'pair' if more == 1 else 'pairs'})" if more else "")


def text_warnings(encoder: Encoder | None, texts: ClassTexts, *, described: bool) -> list[str]:
    """Returns what the user should know about the texts before trusting the result.

    ``encoder`` is None where all texts were stored; ``described`` is whether the user gave descriptions.
    """
    warnings = []
    if described and texts.from_templates:
        warnings.append(f"no descriptions for {named(texts.from_templates)}: the template ensemble stands in")
    if texts.unused:
        warnings.append(f"the descriptions of {named(texts.unused)} are not used: no class is called so")
    nameless = [name for name in texts.classes if name not in texts.names.display]
    if texts.names.display and nameless:
        warnings.append(f"no display name for {named(nameless)}: the model reads the names of these classes")
    if texts.bare:
        n_texts = texts.as_given + texts.in_sentences
        warnings.append(
            f"{len(texts.bare):,} of {n_texts:,} descriptions neither name their class nor are sentences, such as "
            f"{texts.bare[0]!r}, and are used as they are; description_style='attributes' puts each into a sentence "
            "with its class"
        )
    if encoder is not None:
        unknown = encoder.unknown_words(texts.all_texts())
        if unknown:
            warnings.append(
                f"{encoder.name} was never trained on these words, so texts with them get "
                f"meaningless vectors: {named(unknown)}"
            )
        warnings += _cut_warning(encoder, texts)
    return warnings


def _cut_warning(encoder: Encoder, texts: ClassTexts) -> list[str]:
    cut = set(encoder.cut_texts(texts.all_texts()))
    if not cut:
        return []
    counts = []
    for name in texts.classes:
        own = [texts.label_prompt(name), *texts.descriptions[name]]
        n_cut = sum(text in cut for text in own)
        if n_cut:
            counts.append(f"{name} ({n_cut:,} of {len(own) - 1:,})" if own[0] not in cut else f"{name} (its name)")
    limit = "" if encoder.context is None else f"{encoder.context} tokens, about {encoder.context * 3 // 4} words, "
    longer = f"{len(cut):,} texts are longer" if len(cut) > 1 else "one text is longer"
    return [f"{encoder.name} reads the first {limit}of a text, and {longer}: their end is not used in {named(counts)}"]


def named(names: Sequence[str]) -> str:
    """Returns names in a row, and how many more there are."""
    return first_of([name if len(name) <= MAX_LENGTH else f"{name[: MAX_LENGTH - 3]}..." for name in names], MAX_NAMED)
