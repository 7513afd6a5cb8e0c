"""Class descriptions from a language model, with FiftyOne's folder for the cache and its progress bar."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from ..descriptions.describe import DEFAULT_BASE_URL, DEFAULT_PER_CLASS, Described, iter_describe
from ..progress import drive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..progress import Progress

logger = logging.getLogger(__name__)

_MAX_NAMED = 12


def default_cache() -> Path:
    """Returns the folder of cached answers: ``lgca/descriptions`` in FiftyOne's configuration folder."""
    import fiftyone.constants as foc

    return Path(foc.FIFTYONE_CONFIG_DIR) / "lgca" / "descriptions"


def describe_classes(
    classes: Sequence[str],
    *,
    model: str,
    base_url: str = DEFAULT_BASE_URL,
    api_key: str | None = None,
    per_class: int = DEFAULT_PER_CLASS,
    topic: str | None = None,
    cache: str | Path | None = None,
    concurrency: int = 4,
    timeout: float = 60.0,
    progress: bool | Callable[[Progress], object] | None = None,
) -> Described:
    """Requests descriptions of classes from a language model.

    The names of the classes, and the topic, are sent to ``base_url``: OpenAI's service unless you name another, which
    may be any server with the same protocol, such as vLLM, Ollama or llama.cpp on your own machine. Every answer is
    cached when it arrives, so a second call requests only what is missing.

    Args:
        classes: class names, at least one
        model: the model's name at the endpoint
        base_url: the endpoint, mostly ending in ``/v1``
        api_key: its key; None takes the environment variable ``OPENAI_API_KEY``, and without one, none is sent
        per_class: number of descriptions requested, 1 to 50
        topic: what the classes have in common, if anything, like "birds of North America"
        cache: folder of cached answers; None takes :func:`default_cache`
        concurrency: requests at a time
        timeout: maximum seconds of one try of a request
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of
            :class:`~lgca_plugin.Progress`, which counts classes

    Returns:
        ``descriptions`` for :func:`lgca_plugin.classify`, and ``failed``: the classes whose answers could not be used,
        with reasons

    Raises:
        ConfigError: if an argument is wrong, before anything is sent
        ModelUnavailableError: if the package ``openai`` is missing, before anything is sent
        DescribeError: if the endpoint can't be used; its answers so far are cached
    """
    steps = iter_describe(
        classes,
        model=model,
        base_url=base_url,
        api_key=api_key,
        per_class=per_class,
        topic=topic,
        cache=default_cache() if cache is None else Path(cache),
        concurrency=concurrency,
        timeout=timeout,
    )
    described = drive(steps, progress, unit="classes")
    if described.failed:
        named = ", ".join(repr(name) for name in list(described.failed)[:_MAX_NAMED])
        more = ", ..." if len(described.failed) > _MAX_NAMED else ""
        logger.warning("No descriptions for %d of the classes: %s%s", len(described.failed), named, more)
    return described
