"""Reading class descriptions: from a dict or a JSON file, in either public style, matched to class names forgivingly.

Two styles are in use: whole sentences ("A Persian typically has a long, thick coat.", as CuPL writes them), and short
attributes ("a black nose", as "classification by description" has them), which are put into a sentence with the class.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_FILE_BYTES = 20 * 1024**2
MAX_TEXT_LENGTH = 2_000
_NAMED = 5

_ARTICLES = ("a ", "an ", "the ")
_VERBS = re.compile(r"(can|may|might|is|are|has|have|often|typically|usually|sometimes|comes?|looks?)\b", re.IGNORECASE)
_USES = re.compile(r"(used|made|covered|found|located|designed|shaped)\b", re.IGNORECASE)


def read_descriptions(source: Mapping[str, Sequence[str]] | str | Path) -> dict[str, tuple[str, ...]]:
    """Reads descriptions and checks them.

    Args:
        source: class name to texts, or the path of a JSON file with such an object, UTF-8 and at most 20 MB

    Returns:
        class name to its distinct texts, stripped, in the order given

    Raises:
        ConfigError: if the file can't be read, or something in it has another shape; the message says what and where
    """
    if not isinstance(source, (str, Path)):
        return check_descriptions(source)
    path = Path(source)
    shown = repr(str(source))
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ConfigError(
                f"descriptions file {shown} has {size / 1024**2:.0f} MB, and at most {MAX_FILE_BYTES // 1024**2} "
                "are read: is it the right file?"
            )
        return parse_descriptions(path.read_bytes(), name=shown)
    except OSError as error:
        raise ConfigError(f"descriptions file {shown} can't be read: {error.strerror or error}") from error


def parse_descriptions(data: bytes | str, *, name: str) -> dict[str, tuple[str, ...]]:
    """Reads descriptions from the contents of a JSON file.

    Args:
        data: the file's bytes, or its text
        name: what the file is called in an error message

    Returns:
        class name to its distinct texts

    Raises:
        ConfigError: if the contents are not UTF-8, not JSON, or have another shape
    """
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"descriptions {name} are longer than {MAX_FILE_BYTES // 1024**2} MB: is it the right file?")
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"descriptions {name} are not UTF-8 text (byte {error.start}); save the file as UTF-8"
        ) from error
    try:
        document = json.loads(text, object_pairs_hook=_merged)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"descriptions {name} are not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"descriptions {name} are nested too deeply to be class descriptions") from error
    return check_descriptions(document)


def check_descriptions(document: Any) -> dict[str, tuple[str, ...]]:
    """Checks that a document maps class names to lists of texts.

    Args:
        document: anything

    Returns:
        class name to its distinct texts, stripped

    Raises:
        ConfigError: if the document has another shape
    """
    wanted = 'descriptions must map each class to a list of texts, like {"duck": ["a flat bill", "webbed feet"]}'
    if not hasattr(document, "items"):
        raise ConfigError(f"{wanted}; got {_kind(document)}")
    if not document:
        raise ConfigError(f"{wanted}; got an empty one")
    checked: dict[str, tuple[str, ...]] = {}
    for name, texts in document.items():
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{wanted}; got a class name that is {name!r}")
        if isinstance(texts, (str, bytes)) or hasattr(texts, "items") or not hasattr(texts, "__iter__"):
            raise ConfigError(f"descriptions of {name!r} must be a list of texts, got {_kind(texts)}")
        listed = list(texts)
        for position, text in enumerate(listed, 1):
            if not isinstance(text, str) or not text.strip():
                problem = "blank" if isinstance(text, str) else _kind(text)
                raise ConfigError(f"descriptions of {name!r} must be texts, and number {position} is {problem}")
            if len(text) > MAX_TEXT_LENGTH:
                raise ConfigError(
                    f"description {position} of {name!r} has {len(text)} characters; the limit is {MAX_TEXT_LENGTH}"
                )
        checked[name] = tuple(dict.fromkeys(text.strip() for text in listed))
    return checked


def match_descriptions(
    classes: Sequence[str], given: Mapping[str, Sequence[str]]
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Finds each class's descriptions and puts attributes into sentences.

    Names match whatever their case, underscores, hyphens, leading articles and numbering ("001."). Where most texts of
    the whole document end in a full stop, all are taken as sentences, else as attributes.

    Args:
        classes: the candidate classes
        given: class name to its texts, as :func:`read_descriptions` returns it

    Returns:
        class to its sentences, for the classes that were found with at least one text; and the names in ``given`` that
        no class matched

    Raises:
        ConfigError: if no class was found, or two names in ``given`` mean the same class
    """
    by_key: dict[str, str] = {}
    for name in given:
        other = by_key.setdefault(name_key(name), name)
        if other != name:
            raise ConfigError(f"descriptions name one class twice, as {other!r} and {name!r}; merge them")
    sentences = _are_sentences(text for texts in given.values() for text in texts)
    found: dict[str, tuple[str, ...]] = {}
    for name in classes:
        texts = given.get(by_key.get(name_key(name), ""), ())
        if texts:
            found[name] = tuple(text if sentences else attribute_sentence(name, text) for text in texts)
    if not found:
        shown = ", ".join(repr(name) for name in list(given)[:_NAMED])
        more = ", ..." if len(given) > _NAMED else ""
        raise ConfigError(f"descriptions match none of the classes; they describe {shown}{more}")
    wanted = {name_key(name) for name in classes}
    return found, [name for key, name in by_key.items() if key not in wanted]


def name_key(name: str) -> str:
    """Gives the form of a class name under which names are compared.

    Example:
        >>> name_key("001.Black_footed_Albatross") == name_key("the black-footed albatross")
        True
    """
    key = " ".join(re.split(r"[\s_\-]+", re.sub(r"^\d+\.\s*(?=\D)", "", name.casefold()))).strip()
    for article in _ARTICLES:
        if key.startswith(article):
            return key.removeprefix(article)
    return key


def spoken(name: str) -> str:
    """Gives a class name as it is put into sentences: underscores, which stand for spaces in labels, become spaces."""
    return " ".join(name.replace("_", " ").split())


def attribute_sentence(name: str, attribute: str) -> str:
    """Puts an attribute into a sentence with its class, unless it mentions the class itself.

    Example:
        >>> attribute_sentence("Blue_Jay", "a black nose")
        'Blue Jay, which has a black nose.'
        >>> attribute_sentence("banded", "can be any color")
        'banded, which can be any color.'
    """
    if f" {name_key(name)} " in f" {name_key(attribute)} ":
        return attribute
    attribute = attribute.rstrip(".")
    link = "" if _VERBS.match(attribute) else "is " if _USES.match(attribute) else "has "
    return f"{spoken(name)}, which {link}{attribute}."


def _are_sentences(texts: Iterable[str]) -> bool:
    ends = [text.endswith((".", "!", "?")) for text in texts]
    return 2 * sum(ends) > len(ends)


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuses an object that names a key twice, of which plain JSON reading would silently keep the last."""
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ConfigError(f"descriptions name {doubled!r} twice; merge the two lists")
    return document


def _kind(value: Any) -> str:
    if value is None:
        return "nothing (null)"
    kinds = {
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")
