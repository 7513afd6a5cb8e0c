"""Options that are arguments of the package's functions, with their defaults and, where these read well, their texts.

Nothing that a function says of an argument is written a second time here, so the command can't contradict it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

dataset_argument = click.argument("dataset")
"""The name of the dataset, which all verbs about datasets begin with."""

_ENTRY = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
_AS_IN = re.compile(r"^as (?:in|of) :\w+:`~?(?:lgca_plugin\.)?([\w.]+)`(?:; )?")
_ROLE = re.compile(r":\w+:`~?(?:[\w]+\.)*([\w]+)`")
_WORDS = [
    ("``", ""),
    ("Classification field", "field of labels"),
    ("None takes ", "without it, "),
    ("None chooses by device", "without it, as the device allows"),
    ("the run's. If that is None, cases", "the run's. Where there are none, cases"),
]


def argument(
    function: Callable[..., Any], name: str, *flags: str, text: str | None = None, **more: Any
) -> Callable[[F], F]:
    """Returns a decorator that adds an option for an argument of a function.

    Args:
        function: the function that gets the argument
        name: the argument
        flags: what the user types; without any, the argument's name
        text: the option's help, where the function's own text is about Python; the default is the function's either way
        more: what ``click.option`` takes besides
    """
    default = inspect.signature(function).parameters[name].default
    text = documented(function, name) if text is None else text
    flag = flags or (f"--{name.replace('_', '-')}",)
    if isinstance(default, bool):
        more = {"is_flag": True, "default": default, **more}
    elif default not in (None, inspect.Parameter.empty):
        more = {"default": default, "show_default": True, **more}
    return click.option(*flag, name, help=f"{text[0].upper()}{text[1:].rstrip('.')}.", **more)


def documented(function: Callable[..., Any], name: str) -> str:
    """Returns what a function's docstring says of an argument, as text for a terminal."""
    entries = dict(_ENTRY.findall(inspect.getdoc(function) or ""))
    text = " ".join(str(entries[name]).split())
    other = _AS_IN.match(text)
    if other is not None:
        from .. import api
        from ..run import Run

        home, _, method = other[1].rpartition(".")
        owner = Run if home == "Run" or not hasattr(api, method) else api
        rest = text[other.end() :]
        text = "; ".join(filter(None, (documented(getattr(owner, method), name), rest)))
    for phrase, words in _WORDS:
        text = text.replace(phrase, words)
    return _ROLE.sub(r"\1", text)


def listed(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    """Reads several names in one option, separated by commas; None where there is none."""
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]
