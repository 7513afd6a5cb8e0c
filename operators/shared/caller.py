"""Who has given an operator its parameters: the user's own code, or somebody who can reach the App.

FiftyOne's server executes an operator for any request that reaches it, without a login, and for a page of another
website too. So parameters are a stranger's, and what they can read, write and send is limited, unless they come from an
operator that the user's own code has called as a function. ``docs/security.md`` lists the limits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

_NAME = "called_from_code"


class OwnCall:
    """A call of an operator by the user's own code; requests and queued operations are JSON, which can't hold it.

    Attributes:
        error: what the operator has raised; FiftyOne passes on no more of it than a text
    """

    error: Exception | None = None


def mark_own(params: Mapping[str, Any], call: OwnCall) -> dict[str, Any]:
    """Returns parameters that are known to come from the user's own code, in this process."""
    return {**params, _NAME: call}


def own_call(params: Mapping[str, Any]) -> OwnCall | None:
    """Returns the call of the user's own code that parameters come from; None if they come from elsewhere."""
    found = params.get(_NAME)
    return found if isinstance(found, OwnCall) else None


def is_own(params: Mapping[str, Any]) -> bool:
    """True for the parameters of :func:`mark_own`; false for all that came by a request or out of the queue."""
    return own_call(params) is not None


def from_page(ctx: Any) -> bool:
    """True if a page of the App has sent the request, which shows messages and forms; code and workers show none.

    The App's server needs the operator's URI in each request; what executes operators in code passes it separately.
    """
    return "operator_uri" in ctx.request_params and not ctx.delegated


def app_user(ctx: Any) -> str | None:
    """Returns the name of the App's user; None if it has none."""
    user = getattr(ctx, "user", None)
    return getattr(user, "name", None) or getattr(user, "email", None)


def serves_app() -> bool:
    """True if this process serves the App, so that it executes what web pages have sent."""
    return "fiftyone.server.app" in sys.modules
