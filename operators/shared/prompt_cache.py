"""Caching what a form reads from the database: the App builds the form again on every keystroke."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import fiftyone.operators as foo

P = ParamSpec("P")
T = TypeVar("T")


def cached_while_open(compute: Callable[Concatenate[Any, P], T]) -> Callable[Concatenate[Any, P], T]:
    """Caches a function of a context for as long as the context's form is open; without a form it is not cached.

    Its other arguments must be JSON types; its result may be any object that nothing changes.
    """
    cached = foo.execution_cache(prompt_scoped=True, residency="ephemeral", max_size=64)(compute)

    @wraps(compute)
    def call(ctx: Any, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = (cached if ctx.prompt_id else compute)(ctx, *args, **kwargs)
        return result

    return call
