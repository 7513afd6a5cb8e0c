"""Silences Pillow's warnings while images are decoded, in any number of threads."""

from __future__ import annotations

import contextlib
import re
import warnings
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PILLOW = re.compile(r"PIL\.")
_FILTER: Any = ("ignore", None, Warning, _PILLOW, 0)
_lock = Lock()
_threads = 0


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Ignores warnings of Pillow's modules.

    ``warnings.catch_warnings`` is no tool for threads: one that begins while another is silent restores the silence,
    and no warning is seen again in the process. Here the last thread takes the one filter away.
    """
    global _threads  # noqa: PLW0603 (the filters are the process's, too)
    with _lock:
        _threads += 1
        if _FILTER not in warnings.filters:
            warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        with _lock:
            _threads -= 1
            if not _threads:
                with contextlib.suppress(ValueError):  # the list may have been replaced meanwhile
                    warnings.filters.remove(_FILTER)  # type: ignore[attr-defined]
