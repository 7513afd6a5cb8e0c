"""Reading ahead what the panel that compares methods will show: of many samples that takes seconds.

It begins a little after a large dataset with a run has been opened in the App, so that its own first pictures come
first. Whoever opens the panel before waits as long as without it.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

from ....lgca_plugin.workflows.overview.memory import is_in_memory
from .screen import Choices, read_screen
from .view import situation

logger = logging.getLogger(__name__)

LEAST_SAMPLES = 10_000
"""Fewer are read in a fraction of a second."""

DELAY_SECONDS = 3.0

_PENDING: set[Any] = set()
_LOCK = threading.Lock()


def read_ahead(ctx: Any) -> None:
    """Has what the panel would show read in a thread, if there are many samples; what is known is not read again."""
    samples = ctx.dataset._sample_collection  # noqa: SLF001
    with _LOCK:
        if samples.name in _PENDING or samples.estimated_document_count() < LEAST_SAMPLES:
            return
        _PENDING.add(samples.name)
    timer = threading.Timer(DELAY_SECONDS, _read, (ctx, samples.name))
    timer.daemon = True
    timer.start()


def _read(ctx: Any, name: str) -> None:
    try:
        run = situation(ctx, None).run  # the App asks for buttons after every change of its view
        if run is not None and not is_in_memory(run):
            read_screen(ctx, Choices())
    except Exception:  # the panel says it when it is opened
        logger.debug("Nothing was read ahead", exc_info=True)
    finally:
        with _LOCK:
            _PENDING.discard(name)
