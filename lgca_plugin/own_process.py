"""Processes of this package, which import nothing of the program that starts them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.context import SpawnProcess

PACKAGE = "lgca_plugin"
"""Name of this package in its processes; in the App, whose plugins have other names, it may be another one."""

_starting = Lock()


def start_process(module: str, *values: object) -> SpawnProcess:
    """Starts a process that calls ``main(*values)`` of a module of this package; it ends with this one.

    Values are numbers, texts, arrays, lists, tuples and dicts of such, and ends of a ``multiprocessing.Pipe``.
    """
    with _starting, without_main_module():
        run = import_module(f"{PACKAGE}.own_process").run_module
        process = get_context("spawn").Process(target=run, args=(module, *values), daemon=True)
        process.start()
    return process


def run_module(module: str, *values: object) -> None:
    """Calls ``main(*values)`` of a module of this package."""
    import_module(f"{PACKAGE}.{module}").main(*values)


@contextmanager
def without_main_module() -> Iterator[None]:
    """Hides the main module from a process that is started, and lets it find this package.

    It would execute a script anew, up to the call that has started it, and import the App's server.
    """
    main, folder = sys.modules["__main__"], str(Path(__file__).resolve().parents[1])
    sys.modules["__main__"] = ModuleType("__main__")
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        sys.path.remove(folder)
