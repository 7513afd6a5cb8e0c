"""The base of the panels: an event returns what to show, and output that the App already has is not sent again.

The App fires up to four events at once when something around a panel changes, each with the panel state from before
the change, and takes up to a second to process every layout it receives, even an identical one.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from inspect import isfunction
from typing import Any

import fiftyone.operators as foo

from ...lgca_plugin.cache import ResultCache
from ...lgca_plugin.errors import ConfigError
from ..shared.grid.beside_grid import make_room
from ..shared.grid.boxes import on_boxes

RESEND_SECONDS = 10.0
"""Time after which identical content is sent again: as long as the App may take to load a view of many samples. It has
to be bounded, because with several server processes another one may have sent something else in between."""


@dataclass
class Sent:
    """What was sent to one panel: kind of content to its hash, and when; the event being answered holds the lock."""

    last: dict[str, tuple[str, float]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


_SENT: ResultCache[Sent] = ResultCache(64)
"""By the id of a panel."""


def was_just_sent(panel_id: str | None, kind: str, content: Any, *, seconds: float = RESEND_SECONDS) -> bool:
    """Returns whether the same content was the last of its kind sent to a panel; records it as sent if not.

    The content counts as new after ``seconds``; without the id of a panel, nothing is recorded.
    """
    if panel_id is None:
        return False
    last = _SENT.get(panel_id, Sent).last
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
    now = time.monotonic()
    previous, at = last.get(kind, ("", 0.0))
    if previous == digest and now - at < seconds:
        return True
    last[kind] = digest, now
    return False


class DeduplicatingPanel(foo.Panel):
    """A panel whose events return their content, and whose layout is sent only when it has changed."""

    resend_seconds = RESEND_SECONDS

    def layout(self, ctx: Any, content: Any) -> Any:
        """Returns the layout of what an event's method has returned, as FiftyOne's ``render`` does."""
        raise NotImplementedError

    def after(self, ctx: Any, content: Any) -> None:
        """Requests of the App what is to happen once it has the layout, such as what takes it long to draw."""

    @classmethod
    def has_event(cls, name: Any) -> bool:
        """Returns whether a request may execute a method: one that a panel itself defines, and no part of this base."""
        own = cls.__mro__[: cls.__mro__.index(DeduplicatingPanel)]
        defined = isinstance(name, str) and any(isfunction(vars(one).get(name)) for one in own)
        return (
            defined and not name.startswith("_") and (name.startswith("on_") or not hasattr(DeduplicatingPanel, name))
        )

    def execute(self, ctx: Any) -> None:
        """Executes an event, and sends the layout if it has changed.

        Events of one panel are answered one after the other: if one sent the data of a figure and a concurrent one the
        layout, the App would draw the old data in the new layout and not draw it again.
        """
        name = ctx.params.get("__method__")
        if name in (None, "on_startup"):
            self.on_startup(ctx)
            return
        if not self.has_event(name):
            raise ConfigError(f"the panel has no event {str(name)[:80]!r}")
        sent = Sent() if ctx.panel_id is None else _SENT.get(ctx.panel_id, Sent)
        ctx = on_boxes(ctx)
        with sent.lock:
            if name == "on_load":
                sent.last.clear()  # a panel that has just been opened shows nothing yet
                if not ctx.current_sample:  # one that the App has kept beside the grid, too
                    make_room(ctx)
            content = getattr(self, name)(ctx)
            output = self.layout(ctx, content)
            if not was_just_sent(ctx.panel_id, "layout", output.to_json(), seconds=self.resend_seconds):
                ctx.ops.show_panel_output(output)
            self.after(ctx, content)
