"""A panel that says nothing twice.

The App fires up to four events at once when something around a panel changes, each with the state that it knew before,
and works for up to a second on every layout that comes back, be it the same. So what has just been sent to a panel is
remembered here for some seconds, and is not sent again.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

import fiftyone.operators as foo

from ...lgca_plugin.cache import ResultCache

REMEMBERED_SECONDS = 10.0
"""So long may the App need to bring up a view of many samples. Where several processes serve one App, what another one
has sent is not known here; so it is not forever."""

_PANELS: ResultCache[dict[str, tuple[str, float]]] = ResultCache(64)


def is_repeated(panel_id: str | None, what: str, content: Any) -> bool:
    """Tells whether the same has just been sent to a panel, and remembers it.

    Args:
        panel_id: the panel
        what: a name for this kind of content; of each kind, what was sent last counts
        content: anything that can be written as JSON
    """
    if panel_id is None:
        return False
    sent = _PANELS.get(panel_id, dict)
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
    now = time.monotonic()
    before, at = sent.get(what, ("", 0.0))
    if before == digest and now - at < REMEMBERED_SECONDS:
        return True
    sent[what] = digest, now
    return False


def forget(panel_id: str | None) -> None:
    """Forgets what was sent to a panel that has opened anew, and so knows nothing."""
    if panel_id is not None:
        _PANELS.get(panel_id, dict).clear()


class DeduplicatingPanel(foo.Panel):
    """A panel whose layout is sent where it is another than before."""

    def execute(self, ctx: Any) -> Any:
        """Runs an event, as FiftyOne does, and sends the layout if need be."""
        name = ctx.params.get("__method__")
        if name in (None, "on_startup"):
            return self.on_startup(ctx)
        if name == "on_load":
            forget(ctx.panel_id)
        ctx.event_args = ctx.params.get("event_args", {})
        result = getattr(self, name)(ctx) if hasattr(self, name) else None
        output = self.render(ctx)
        if not is_repeated(ctx.panel_id, "layout", output.to_json()):
            ctx.ops.show_panel_output(output)
        return result
