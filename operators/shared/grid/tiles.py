"""The pictures in the App's grid: which one a panel is about, and when what was written on them is loaded anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .boxes import BoxContext
from .user_view import user_view

FOLLOW = "@lgca/zero-shot/lgca_follow_review"
WRITTEN = "@lgca/zero-shot/lgca_show_written"
"""The operators in ``app.js``."""


def show_written(ctx: Any, samples: Sequence[str] | None, *, now: bool) -> None:
    """Makes the App load samples anew that were changed.

    Loading empties the grid for a moment. So where the user looks at the whole dataset, it is put off until a picture
    of one of the samples is in the grid; a view may show other samples after the change.

    Args:
        ctx: the context of a panel's event
        samples: ids of the changed samples; None for any, which are loaded at once
        now: whether what was put off earlier is loaded as well, at once
    """
    if isinstance(ctx, BoxContext) or ctx.current_sample:
        if samples is None or samples:
            ctx.ops.reload_samples()
        return
    found = None if samples is None else list(samples)
    ctx.trigger(WRITTEN, {"samples": found, "now": now or not user_view(ctx).is_whole})
