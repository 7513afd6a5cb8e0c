"""Class descriptions: where the texts behind a class vector come from."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError
from ..method.scores import class_vector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..method.scores import Method
    from .encoder import Encoder

LABEL_PROMPT = "a photo of a {}."
Descriptions = dict[str, tuple[str, ...]]


@dataclass(frozen=True, kw_only=True)
class ClassTexts:
    """The texts of every class.

    Attributes:
        classes: the class names
        descriptions: class name to its descriptions
        from_templates: the classes that nobody described, for which the template ensemble stands in
    """

    classes: tuple[str, ...]
    descriptions: Descriptions
    from_templates: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Hash of classes and descriptions."""
        document = json.dumps([[name, self.descriptions[name]] for name in self.classes])
        return hashlib.blake2b(document.encode(), digest_size=16).hexdigest()

    def all_texts(self) -> list[str]:
        """Lists every text that is encoded: label prompts and descriptions."""
        labels = [label_prompt(name) for name in self.classes]
        return labels + [text for name in self.classes for text in self.descriptions[name]]

    def class_vectors(self, encoder: Encoder, method: Method) -> NDArray[np.float32]:
        """Computes a method's class vectors.

        Args:
            encoder: embeds the texts; it is expected to keep them, so a second method costs little
            method: its ``class_vectors`` and ``text_scale`` are used

        Returns:
            ``[C, dim]`` float32 unit vectors, in the order of ``classes``
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


def label_prompt(name: str) -> str:
    """Gives a class's label prompt; underscores are read as spaces, as they stand for in labels."""
    return LABEL_PROMPT.format(_spoken(name))


def templates() -> tuple[str, ...]:
    """Gives the template ensemble: seven that OpenAI selected from its ImageNet prompts, as open_clip ships them."""
    from open_clip import SIMPLE_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in SIMPLE_IMAGENET_TEMPLATES)


def class_texts(
    classes: Sequence[str], descriptions: Mapping[str, Sequence[str]] | str | Path | None = None
) -> ClassTexts:
    """Finds the descriptions of every class; the template ensemble stands in where there are none.

    Args:
        classes: distinct class names
        descriptions: class name to its texts, or the path of a JSON file with such an object; names match whatever
            their case, underscores and hyphens. Texts that do not mention their class are put into a sentence with it.

    Returns:
        the texts of every class

    Raises:
        ConfigError: if the descriptions can't be read, have another shape, or match no class
    """
    given = {_key(name): texts for name, texts in _read(descriptions).items()}
    ensemble = templates()
    chosen: Descriptions = {}
    unmatched = []
    for name in classes:
        texts = given.get(_key(name))
        if texts:
            chosen[name] = tuple(_sentence(name, text) for text in texts)
        else:
            unmatched.append(name)
            chosen[name] = tuple(template.format(_spoken(name)) for template in ensemble)
    if given and len(unmatched) == len(classes):
        known = ", ".join(sorted(_read(descriptions))[:5])
        raise ConfigError(f"descriptions match none of the classes; they describe {known}, ...")
    return ClassTexts(classes=tuple(classes), descriptions=chosen, from_templates=tuple(unmatched))


def _read(descriptions: Mapping[str, Sequence[str]] | str | Path | None) -> dict[str, list[str]]:
    if descriptions is None:
        return {}
    document: Any = descriptions
    if isinstance(descriptions, (str, Path)):
        try:
            document = json.loads(Path(descriptions).read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"descriptions file {str(descriptions)!r} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"descriptions file {str(descriptions)!r} is not JSON in UTF-8") from error
    if not hasattr(document, "items"):
        raise ConfigError("descriptions must map each class name to a list of texts")
    result: dict[str, list[str]] = {}
    for name, texts in document.items():
        if isinstance(texts, str) or not hasattr(texts, "__iter__"):
            raise ConfigError(f"descriptions of {name!r} must be a list of texts, got {texts!r}")
        listed = list(texts)
        if not all(isinstance(text, str) and text.strip() for text in listed):
            raise ConfigError(f"descriptions of {name!r} must be texts that are not blank")
        result[str(name)] = [text.strip() for text in listed]
    return result


def _key(name: str) -> str:
    return " ".join(re.split(r"[\s_\-]+", name.casefold())).strip()


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _sentence(name: str, text: str) -> str:
    if _key(name) in _key(text) or text.endswith("."):
        return text
    return f"{_spoken(name)}, which has {text}."
