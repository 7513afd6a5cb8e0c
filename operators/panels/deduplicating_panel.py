"""The base of both panels: an event returns what to show, and output that the App already has is not sent again.

The App fires up to four events at once when something around a panel changes, each with the panel state from before
the change, and takes up to a second to process every layout it receives, even an identical one.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import fiftyone.operators as foo

from ...lgca_plugin.cache import ResultCache

RESEND_SECONDS = 10.0
"""Time after which identical content is sent again: as long as the App may take to load a view of many samples. It has
to be bounded, because with several server processes another one may have sent something else in between."""

_SENT: ResultCache[dict[str, tuple[str, float]]] = ResultCache(64)
"""For each panel, by kind of content: the hash of what was sent last, and when."""


def was_just_sent(panel_id: str | None, kind: str, content: Any, *, seconds: float = RESEND_SECONDS) -> bool:
    """Returns whether the same content was the last of its kind sent to a panel; records it as sent if not.

    Args:
        panel_id: id of the panel; without one nothing is recorded
        kind: name of this kind of content
        content: anything that can be written as JSON
        seconds: time after which the same content counts as new
    """
    if panel_id is None:
        return False
    sent = _SENT.get(panel_id, dict)
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
    now = time.monotonic()
    previous, at = sent.get(kind, ("", 0.0))
    if previous == digest and now - at < seconds:
        return True
    sent[kind] = digest, now
    return False


class DeduplicatingPanel(foo.Panel):
    """A panel whose events return their content, and whose layout is sent only when it has changed."""

    resend_seconds = RESEND_SECONDS

    def layout(self, ctx: Any, content: Any) -> Any:
        """Returns the panel's layout, as FiftyOne's ``render`` does.

        Args:
            ctx: the event's context
            content: what the event's method has returned
        """
        raise NotImplementedError

    def execute(self, ctx: Any) -> None:
        """Executes an event, and sends the layout if it has changed."""
        name = ctx.params.get("__method__")
        if name in (None, "on_startup"):
            self.on_startup(ctx)
            return
        if name == "on_load" and ctx.panel_id is not None:
            _SENT.get(ctx.panel_id, dict).clear()  # a panel that has just been opened shows nothing yet
        output = self.layout(ctx, getattr(self, name)(ctx))
        if not was_just_sent(ctx.panel_id, "layout", output.to_json(), seconds=self.resend_seconds):
            ctx.ops.show_panel_output(output)
