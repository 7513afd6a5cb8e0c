"""The texts behind a class vector: label prompt, descriptions, or the template ensemble."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError
from ..method.core.scores import class_vector
from .files import match_descriptions, read_descriptions, readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ..encoder.base import TextEncoder
    from ..method.core.methods import ClassVectors, Method

LABEL_PROMPT = "a photo of a {}."


@dataclass(frozen=True, kw_only=True)
class ClassTexts:
    """The texts of every class.

    The classes in ``from_templates`` were given no descriptions, and have the texts of the template ensemble;
    ``unused`` holds described names that are no class of the run.
    """

    classes: tuple[str, ...]
    descriptions: dict[str, tuple[str, ...]]
    from_templates: tuple[str, ...]
    unused: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Hash of classes and descriptions."""
        document = json.dumps([[name, self.descriptions[name]] for name in self.classes])
        return hashlib.blake2b(document.encode(), digest_size=16).hexdigest()

    def all_texts(self) -> list[str]:
        """Lists all texts that are encoded: label prompts and descriptions."""
        labels = [label_prompt(name) for name in self.classes]
        return labels + [text for name in self.classes for text in self.descriptions[name]]

    def class_vectors(self, encoder: TextEncoder, method: Method) -> NDArray[np.float32]:
        """Returns a method's class vectors, ``[C, dim]`` float32 unit vectors, in the order of ``classes``.

        The encoder should cache the texts' embeddings for further methods.
        """
        labels = encoder.encode_texts([label_prompt(name) for name in self.classes])
        if method.class_vectors == "label":
            return labels
        texts = [text for name in self.classes for text in self.descriptions[name]]
        ends = np.cumsum([len(self.descriptions[name]) for name in self.classes])
        by_class = np.split(encoder.encode_texts(texts), ends[:-1])
        return np.stack(
            [
                class_vector(vectors, label, kind=method.class_vectors, text_scale=method.text_scale)
                for vectors, label in zip(by_class, labels, strict=True)
            ]
        ).astype(np.float32)

    def by_method(self, encoder: TextEncoder, methods: Sequence[Method]) -> dict[str, NDArray[np.float32]]:
        """Returns method name to its ``[C, dim]`` class vectors; equal ones share one array."""
        distinct: dict[tuple[ClassVectors, float], NDArray[np.float32]] = {}
        vectors = {}
        for method in methods:
            kind = (method.class_vectors, method.text_scale if method.class_vectors == "weighted" else 0.0)
            if kind not in distinct:
                distinct[kind] = self.class_vectors(encoder, method)
            vectors[method.name] = distinct[kind]
        return vectors


def label_prompt(name: str) -> str:
    """Returns a class's label prompt, with spaces for underscores."""
    return LABEL_PROMPT.format(readable(name))


def templates() -> tuple[str, ...]:
    """Returns the template ensemble: seven of OpenAI's ImageNet prompts, selected by OpenAI, shipped with open_clip."""
    from open_clip import SIMPLE_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in SIMPLE_IMAGENET_TEMPLATES)


def class_texts(
    classes: Sequence[str], descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
) -> ClassTexts:
    """Returns the texts of every class: its descriptions, or the template ensemble if there are none.

    Descriptions are read by :func:`~.files.read_descriptions` and matched by :func:`~.files.match_descriptions`.

    Raises:
        ConfigError: if the descriptions can't be read, are not such an object, or match no class, or if two classes
            have the same prompt
    """
    found: dict[str, tuple[str, ...]] = {}
    unused: list[str] = []
    if descriptions is not None:
        found, unused = match_descriptions(classes, read_descriptions(descriptions))
    prompts: dict[str, str] = {}
    for name in classes:
        other = prompts.setdefault(label_prompt(name), name)
        if other != name:
            raise ConfigError(f"classes {other!r} and {name!r} read the same in a prompt; merge them or rename one")
    undescribed = [name for name in classes if not found.get(name)]
    ensemble = templates() if undescribed else ()  # only then: they import open_clip, and so torch
    return ClassTexts(
        classes=tuple(classes),
        descriptions={
            name: found.get(name) or tuple(template.format(readable(name)) for template in ensemble) for name in classes
        },
        from_templates=tuple(name for name in classes if name not in found),
        unused=tuple(unused),
    )
