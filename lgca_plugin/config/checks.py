"""Checks of the settings that a user gives: keys, classes, methods, budget."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, shown
from ..method.core.methods import METHOD_TABLE, METHODS, Method
from .regions import BUDGETS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NOT_IN_NAMES = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories that no class name has: control characters, lone surrogates, line and paragraph separators."""


def is_whole_text(text: str) -> bool:
    """Returns whether a text has no lone surrogate, half of a character, which no file or database takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def check_run_key(run_key: str) -> str:
    """Returns ``run_key``, which names fields; refuses what is no identifier, or longer than 64 characters."""
    if not isinstance(run_key, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", run_key):
        raise ConfigError(
            "run_key names fields, so it must start with a letter and hold only letters, digits and _; "
            f"got {shown(run_key)}"
        )
    if len(run_key) > 64:
        raise ConfigError(f"run_key must have at most 64 characters, got {len(run_key)}")
    return run_key


def check_count(name: str, value: int, *, at_least: int) -> int:
    """Returns the value of a setting; refuses what is no whole number of at least ``at_least``."""
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise ConfigError(f"{name} must be a whole number of at least {at_least}, got {shown(value)}")
    return value


def check_budget(budget: str) -> str:
    """Returns ``budget``; refuses what is none of :data:`BUDGETS`."""
    if budget not in BUDGETS:
        raise ConfigError(f"budget must be one of {', '.join(BUDGETS)}, got {shown(budget)}")
    return budget


def check_classes(classes: Any) -> tuple[str, ...]:
    """Returns ``classes`` as a tuple of at least two distinct names, stripped, each one line; refuses anything else."""
    if isinstance(classes, str) or not hasattr(classes, "__iter__"):
        raise ConfigError(f"classes must be a list of names, got {shown(classes)}")
    if isinstance(classes, (set, frozenset)):  # its order differs from process to process
        classes = sorted(classes, key=str)
    names: list[str] = []
    for position, name in enumerate(classes, 1):
        if not isinstance(name, str):
            raise ConfigError(f"classes must be text, got {shown(name)} at position {position}")
        if not name.strip():
            raise ConfigError(f"class {position} of classes is blank; remove it or give it a name")
        if any(unicodedata.category(character) in NOT_IN_NAMES for character in name.strip()):
            raise ConfigError(
                f"class {name!r} has a line break or control character in it, or half a character; remove it"
            )
        names.append(name.strip())
    check_distinct(names)
    if len(names) < 2:
        raise ConfigError(f"classification needs at least two classes, got {shown(names)}")
    return tuple(names)


def check_distinct(
    names: Sequence[str], message: str = "class {!r} is given twice; class names must be distinct"
) -> None:
    """Refuses names of which one is repeated, with a message that shows it."""
    for name, count in Counter(names).items():
        if count > 1:
            raise ConfigError(message.format(name))


def check_methods(methods: Any, own: Collection[Method] = ()) -> tuple[Method, ...]:
    """Returns the presets of ``methods``, names or presets of the caller's own: at least one, with distinct names.

    ``own`` are the methods of the run that is changed: what it has learnt, it may keep, and a name stands for its own
    rule where the library's has become another since.
    """
    if isinstance(methods, (str, Method)):
        methods = (methods,)
    if not hasattr(methods or (), "__iter__"):
        raise ConfigError(f"methods must be a list of names or presets, got {shown(methods)}")
    if isinstance(methods, (set, frozenset)):  # its order differs from process to process
        methods = sorted(methods, key=lambda method: getattr(method, "name", str(method)))
    learned = {method.name: method for method in own if method.weighting == "learned"}
    earlier = {
        method.name: method
        for method in own
        if method.name in METHODS and method.weighting != METHODS[method.name].weighting
    }
    presets: list[Method] = []
    for method in methods or ():
        preset = METHOD_TABLE[method].preset if isinstance(method, str) and method in METHOD_TABLE else method
        if isinstance(preset, Method) and preset.weighting == "learned" and preset.name not in learned:
            name = preset.name
            raise ConfigError(
                f"{name} learns from the runs of several encoders: lgca.fuse([run, another run]) makes a run with it",
                app=f"{name} learns from the runs of several encoders: fuse two runs to have it",
            )
        if isinstance(method, Method):
            presets.append(method)
        elif isinstance(method, str) and method in learned:
            presets.append(learned[method])
        elif isinstance(method, str) and method in METHODS:
            presets.append(earlier.get(method, METHODS[method]))
        else:
            raise ConfigError(f"unknown method {shown(method)}; choose from {', '.join(METHODS)} or pass a Method")
    if not presets:
        raise ConfigError(f"methods is empty; choose from {', '.join(METHODS)}")
    check_distinct([preset.name for preset in presets], "methods must have distinct names, got {!r} twice")
    return tuple(presets)
