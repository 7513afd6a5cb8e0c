"""Class descriptions from a dict or a JSON file, matched to class names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.checks import is_whole_text
from ..errors import ConfigError, shown
from .class_names import ClassNames
from .names import name_key
from .style import AUTO, as_release_0_1, styled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FILE_BYTES = 20 * 1024**2
MAX_TEXT_LENGTH = 2_000


def read_descriptions(source: Mapping[str, Sequence[str]] | str | Path) -> dict[str, tuple[str, ...]]:
    """Returns checked descriptions.

    Args:
        source: class name to texts, or the path of a JSON file with such an object, UTF-8 and at most 20 MB

    Returns:
        class name to its distinct texts, stripped, in the order given

    Raises:
        ConfigError: if the file can't be read, or its content is not such an object; the message names the problem
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
    """Returns checked descriptions from the contents of a JSON file, which error messages call ``name``.

    Raises:
        ConfigError: if the contents are not UTF-8, not JSON, or no lists of texts by class
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
        document = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"descriptions {name} are not JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"descriptions {name} are nested too deeply to be class descriptions") from error
    except ConfigError:
        raise
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise ConfigError(f"descriptions {name} hold a number of thousands of digits, where texts belong") from error
    return check_descriptions(document)


def check_descriptions(document: Any) -> dict[str, tuple[str, ...]]:
    """Returns class name to its distinct texts, stripped.

    Raises:
        ConfigError: if the document does not map class names to lists of texts
    """
    expected = 'descriptions must map each class to a list of texts, like {"duck": ["a flat bill", "webbed feet"]}'
    if not hasattr(document, "items"):
        raise ConfigError(f"{expected}; got {_kind(document)}")
    if not document:
        raise ConfigError(f"{expected}; got an empty one")
    checked: dict[str, tuple[str, ...]] = {}
    for name, texts in document.items():
        if not isinstance(name, str) or not name.strip():
            raise ConfigError(f"{expected}; got a class name that is {shown(name)}")
        if not is_whole_text(name):
            raise ConfigError(f"class name {name!r} in the descriptions holds half a character; write it anew")
        if isinstance(texts, (str, bytes)) or hasattr(texts, "items") or not hasattr(texts, "__iter__"):
            raise ConfigError(f"descriptions of {name!r} must be a list of texts, got {_kind(texts)}")
        listed = list(texts)
        for position, text in enumerate(listed, 1):
            if not isinstance(text, str) or not text.strip():
                problem = "blank" if isinstance(text, str) else _kind(text)
                raise ConfigError(f"descriptions of {name!r} must be texts, and number {position} is {problem}")
            if not is_whole_text(text):
                raise ConfigError(f"description {position} of {name!r} holds half a character; write it anew")
            if len(text) > MAX_TEXT_LENGTH:
                raise ConfigError(
                    f"description {position} of {name!r} has {len(text)} characters; the limit is {MAX_TEXT_LENGTH}"
                )
        checked[name] = tuple(dict.fromkeys(text.strip() for text in listed))
    return checked


def match_descriptions(
    classes: Sequence[str],
    given: Mapping[str, Sequence[str]],
    style: str = AUTO,
    *,
    had: Mapping[str, Sequence[str]] | None = None,
    names: ClassNames | None = None,
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Returns each class's descriptions, with attributes put into sentences.

    Names match regardless of case, underscores, hyphens, leading articles and numbering ("001."), but a class that is
    named exactly has its own texts, also beside one of nearly the same name.

    Args:
        classes: the class names
        given: name to its texts
        style: one of :data:`~.style.STYLES`, or ``GIVEN``
        had: class to its texts in a run of release 0.1, if that is continued: where these are what that release made of
            ``given``, its style is kept
        names: how the classes are named to the model; texts may be given under these names, too

    Returns:
        class to its sentences, for classes with at least one text; and the names in ``given`` that match no class

    Raises:
        ConfigError: if no class matches, or two names in ``given`` match the same class
    """
    by_key: dict[str, str] = {}
    exact = set(given).intersection(classes)
    for name in given:
        other = by_key.setdefault(name_key(name), name)
        if other != name and not exact.issuperset([name, other]):
            raise ConfigError(f"descriptions name one class twice, as {other!r} and {name!r}; merge them")
    called = names or ClassNames()

    def source(name: str) -> str:
        own = by_key.get(name_key(name))
        return name if name in exact else by_key.get(name_key(called.of(name)), "") if own is None else own

    own = {name: tuple(given.get(source(name), ())) for name in classes}
    own = {name: texts for name, texts in own.items() if texts}
    if not own:
        raise ConfigError(
            f"descriptions match none of the classes: name them as the classes are named, such as {classes[0]!r}"
        )
    found = {name: styled(called.of(name), texts, style) for name, texts in own.items()}
    if had is not None:
        before = as_release_0_1(given.values(), own)
        both = before.keys() & had.keys()
        found = before if both and all(before[name] == tuple(had[name]) for name in both) else found
    class_keys = {name_key(either) for name in classes for either in (name, called.of(name))}
    return found, [name for key, name in by_key.items() if key not in class_keys]


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns a JSON object as a dict; refuses a repeated key, of which plain JSON reading would take the last."""
    document: dict[str, Any] = {}
    for name, value in pairs:
        if name in document:
            raise ConfigError(f"descriptions name {name!r} twice; merge the two lists")
        document[name] = value
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
