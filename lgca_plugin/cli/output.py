"""What a verb prints: text for people or JSON for programs on standard output, all else on standard error."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..progress import Progress

JSON_FLAG = "--json"
LOGGERS = ("fiftyone", "eta")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a verb has found or done.

    Attributes:
        text: for people
        data: the same for programs, of JSON types
        warnings: what to read before trusting it
        status: the exit status
    """

    text: str
    data: dict[str, Any]
    warnings: tuple[str, ...] = field(default=())
    status: int = 0


def verb(*, group: click.Group | None = None) -> Callable[[Callable[..., Answer]], click.Command]:
    """Returns a decorator that makes a verb of a function; it adds ``--json`` and prints the answer.

    What libraries print while it works goes to standard error, so that standard output holds the answer alone.
    """

    def decorate(function: Callable[..., Answer]) -> click.Command:
        @click.option(JSON_FLAG, "as_json", is_flag=True, help="Print JSON for programs instead of text.")
        @wraps(function)
        def run(as_json: bool, **options: Any) -> int:
            with contextlib.redirect_stdout(sys.stderr):
                answer = function(**options)
            for warning in answer.warnings:
                click.echo(f"Warning: {warning}", err=True)
            data = {**answer.data, "warnings": answer.warnings}
            click.echo(json.dumps(data, default=str) if as_json else answer.text)
            return answer.status

        make = click.command if group is None else group.command
        return make(function.__name__)(run)

    return decorate


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Shows the progress on standard error, if that is a terminal; yields the function that is given each step."""
    with contextlib.ExitStack() as stack:
        bar: Any = None
        shown = ""

        def report(step: Progress) -> None:
            nonlocal bar, shown
            shown = step.label
            if bar is None and step.total and sys.stderr.isatty():
                made: Any = click.progressbar(
                    length=step.total, item_show_func=lambda _: shown, show_pos=False, width=24, file=sys.stderr
                )
                bar = stack.enter_context(made)
            if bar is not None:
                bar.update(max(0, step.done - bar.pos), current_item=shown)

        yield report


@contextlib.contextmanager
def errors_only() -> Iterator[None]:
    """Keeps FiftyOne and its helpers from logging anything less than errors, such as notices of retired settings."""
    import fiftyone as fo  # noqa: F401 (it sets its loggers up)

    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
