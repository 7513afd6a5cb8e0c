"""The texts behind a class vector: label prompt, descriptions, or the template ensemble."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import ConfigError
from ..method.core.scores import class_vector
from .class_names import LABEL_PROMPT, ClassNames
from .files import match_descriptions, read_descriptions
from .style import AUTO, GIVEN, is_attribute_sentence, is_whole, names_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..encoder.base import TextEncoder
    from ..method.core.methods import ClassVectors, Method

__all__ = ["LABEL_PROMPT", "ClassTexts", "class_texts", "templates"]


class ClassVectorSource(Protocol):
    """What scoring needs of the texts of classes: :class:`ClassTexts` embeds them, others have their vectors."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes."""
        ...

    @property
    def digest(self) -> str:
        """Hash of the texts."""
        ...

    def by_method(self, encoder: TextEncoder, methods: Sequence[Method]) -> dict[str, NDArray[np.float32]]:
        """Returns method name to its ``[C, dim]`` class vectors, float32 unit vectors in the order of ``classes``."""
        ...


@dataclass(frozen=True, kw_only=True)
class ClassTexts:
    """The texts of every class.

    The classes in ``from_templates`` were given no descriptions, and have the texts of the template ensemble;
    ``unused`` holds described names that are no class of the run.

    Attributes:
        style: how the descriptions were read, one of :data:`~.style.STYLES` or ``GIVEN``; None without any
        as_given: number of descriptions that are used as they were given
        in_sentences: number of those that were put into a sentence with their class
        example: one of the latter, as it was given and in its sentence
        bare: of a dict that code passed, the texts that look like attributes, and are used as they are
        names: how the classes are named to the model
    """

    classes: tuple[str, ...]
    descriptions: dict[str, tuple[str, ...]]
    from_templates: tuple[str, ...]
    unused: tuple[str, ...] = ()
    style: str | None = None
    as_given: int = 0
    in_sentences: int = 0
    example: tuple[str, str] | None = None
    bare: tuple[str, ...] = ()
    names: ClassNames = field(default_factory=ClassNames)

    def label_prompt(self, name: str) -> str:
        """Returns a class's label prompt."""
        return self.names.label_prompt(name)

    def use(self) -> dict[str, Any]:
        """Returns how the descriptions are used, for the run's record; empty without any."""
        if self.style is None:
            return {}
        use = {"style": self.style, "as_given": self.as_given, "in_sentences": self.in_sentences}
        return use if self.example is None else {**use, "example": list(self.example)}

    def use_of_kept(self, use: Mapping[str, Any]) -> dict[str, Any]:
        """Returns how the descriptions are used that were kept of a run's, for the new run's record.

        Args:
            use: that of the run's descriptions, of :meth:`use`
        """
        kept = [
            (name, text) for name in self.classes if name not in self.from_templates for text in self.descriptions[name]
        ]
        if not kept or not use:
            return {}
        inside = (
            sum(is_attribute_sentence(self.names.of(name), text) for name, text in kept) if use["in_sentences"] else 0
        )
        return {**use, "as_given": len(kept) - inside, "in_sentences": inside}

    @property
    def digest(self) -> str:
        """Hash of classes and descriptions, and of the label prompts where they are not the usual ones."""
        parts: list[Any] = [[name, self.descriptions[name]] for name in self.classes]
        prompts, usual = ([names.label_prompt(name) for name in self.classes] for names in (self.names, ClassNames()))
        if prompts != usual:
            parts.append(prompts)
        document = json.dumps(parts)
        return hashlib.blake2b(document.encode(), digest_size=16).hexdigest()

    def all_texts(self) -> list[str]:
        """Lists all texts that are encoded: label prompts and descriptions."""
        labels = [self.label_prompt(name) for name in self.classes]
        return labels + [text for name in self.classes for text in self.descriptions[name]]

    def class_vectors(self, encoder: TextEncoder, method: Method) -> NDArray[np.float32]:
        """Returns a method's ``[C, dim]`` class vectors, as :meth:`by_method` does."""
        return self.by_method(encoder, [method])[method.name]

    def by_method(self, encoder: TextEncoder, methods: Sequence[Method]) -> dict[str, NDArray[np.float32]]:
        """Returns method name to its ``[C, dim]`` class vectors, float32 unit vectors in the order of ``classes``.

        Equal ones share one array.

        Raises:
            ConfigError: if the texts of a class have no common direction
        """
        labels = encoder.encode_texts([self.label_prompt(name) for name in self.classes])
        described = self._described(encoder) if any(method.class_vectors != "label" for method in methods) else []
        distinct: dict[tuple[ClassVectors, float], NDArray[np.float32]] = {}
        vectors = {}
        for method in methods:
            kind = (method.class_vectors, method.text_scale if method.class_vectors == "weighted" else 0.0)
            if kind not in distinct:
                distinct[kind] = labels if kind[0] == "label" else _class_vectors(described, labels, method)
                self._check(distinct[kind], method)
            vectors[method.name] = distinct[kind]
        return vectors

    def _described(self, encoder: TextEncoder) -> list[NDArray[np.float32]]:
        """Returns the embeddings of each class's descriptions, ``[m, dim]``."""
        texts = [text for name in self.classes for text in self.descriptions[name]]
        ends = np.cumsum([len(self.descriptions[name]) for name in self.classes])
        return np.split(encoder.encode_texts(texts), ends[:-1])

    def _check(self, vectors: NDArray[np.float32], method: Method) -> None:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1) | ~vectors.any(axis=1))
        if len(bad):
            raise ConfigError(
                f"{len(bad):,} of {len(self.classes):,} classes have no class vector for {method.name}, such as "
                f"{self.classes[bad[0]]!r}: the embeddings of its texts are not finite, or cancel out"
            )


def _class_vectors(
    described: Sequence[NDArray[np.float32]], labels: NDArray[np.float32], method: Method
) -> NDArray[np.float32]:
    """Returns the ``[C, dim]`` class vectors of a method that takes descriptions."""
    return np.stack(
        [
            class_vector(vectors, label, kind=method.class_vectors, text_scale=method.text_scale)
            for vectors, label in zip(described, labels, strict=True)
        ]
    ).astype(np.float32)


def templates() -> tuple[str, ...]:
    """Returns the template ensemble: seven of OpenAI's ImageNet prompts, selected by OpenAI, shipped with open_clip."""
    from open_clip import SIMPLE_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in SIMPLE_IMAGENET_TEMPLATES)


def class_texts(
    classes: Sequence[str],
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    style: str = AUTO,
    *,
    had: Mapping[str, Sequence[str]] | None = None,
    names: ClassNames | None = None,
) -> ClassTexts:
    """Returns the texts of every class: its descriptions, or the template ensemble if there are none.

    Descriptions are read by :func:`~.files.read_descriptions` and matched by :func:`~.files.match_descriptions`, with
    ``style`` and ``had``. ``names`` is how the classes are named to the model; None for their own names.

    Raises:
        ConfigError: if the descriptions can't be read, are not such an object, or match no class, or if two classes
            have the same prompt
    """
    names = names or ClassNames()
    found: dict[str, tuple[str, ...]] = {}
    given: dict[str, tuple[str, ...]] = {}
    unused: list[str] = []
    if descriptions is not None:
        read = read_descriptions(descriptions)
        given, unused = match_descriptions(classes, read, GIVEN, names=names)
        found = match_descriptions(classes, read, style, had=had, names=names)[0]
    prompts: dict[str, str] = {}
    for name in classes:
        other = prompts.setdefault(names.label_prompt(name), name)
        if other != name:
            raise ConfigError(f"classes {other!r} and {name!r} read the same in a prompt; merge them or rename one")
    undescribed = [name for name in classes if not found.get(name)]
    ensemble = templates() if undescribed else ()  # only then: they import open_clip, and so torch
    return ClassTexts(
        classes=tuple(classes),
        descriptions={
            name: found.get(name) or tuple(template.format(names.of(name)) for template in ensemble) for name in classes
        },
        from_templates=tuple(name for name in classes if name not in found),
        unused=tuple(unused),
        names=names,
        **_use(given, found, style, names),
    )


def _use(
    given: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]], style: str, names: ClassNames
) -> dict[str, Any]:
    """Returns how descriptions are used, as the attributes of :class:`ClassTexts`."""
    pairs = [(name, pair) for name in given for pair in zip(given[name], found[name], strict=True)]
    changed = [pair for _, pair in pairs if pair[0] != pair[1]]
    bare = [
        text
        for name, (text, _) in pairs
        if style == GIVEN and not is_whole(text) and not names_class(names.of(name), text)
    ]
    return {
        "style": style if pairs else None,
        "as_given": len(pairs) - len(changed),
        "in_sentences": len(changed),
        "example": changed[0] if changed else None,
        "bare": tuple(bare),
    }
