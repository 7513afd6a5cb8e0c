"""The user's consent to what is sent where, and the key that is typed for one address."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from ..shared.caller import is_own, serves_app
from ..shared.form import Params
from ..shared.hosts import server_key_allowed

SECRET = "OPENAI_API_KEY"  # noqa: S105, the name of a secret and no secret
TYPED_KEY = "api_key_"
CONFIRM = "confirm"

_CODES = secrets.token_bytes(32)


def suffix(address: str) -> str:
    """Returns the end of the names of the parameters that belong to an address."""
    return hashlib.sha256(address.encode()).hexdigest()[:12]


def confirm_name(address: str) -> str:
    """Returns the name of the field that confirms that class names are sent to an address.

    In the App's server it holds a code, which only a form that this server has built shows: a page of another website
    can send requests here, but not read answers, so it can't confirm what it demands itself.
    """
    if not serves_app():
        return CONFIRM
    return f"{CONFIRM}_{hmac.new(_CODES, address.encode(), 'sha256').hexdigest()[:32]}"


def is_confirmed(params: Params, address: str) -> bool:
    """Returns whether the user has confirmed that class names are sent to an address.

    A worker takes the confirmation from the queue, where the App's server has checked it.
    """
    if serves_app() and not is_own(params):
        return params.get(confirm_name(address)) is True
    return any(value for name, value in params.items() if name == CONFIRM or name.startswith(f"{CONFIRM}_"))


def key_name(address: str) -> str:
    """Returns the name of the parameter with the key that is typed for an address, and goes nowhere else."""
    return f"{TYPED_KEY}{suffix(address)}"


def typed_key(params: Params, address: str) -> str | None:
    """Returns the key that is typed for an address; None if there is none."""
    key = params.get(key_name(address))
    return key.strip() or None if isinstance(key, str) else None


def has_typed_key(params: Params) -> bool:
    """Returns whether a key is typed for any address."""
    return any(name.startswith(TYPED_KEY) and value for name, value in params.items())


def gets_server_key(params: Params, address: str) -> bool:
    """Returns whether requests to an address carry the server's key, if it has one.

    Raises:
        ConfigError: if no request may be sent there
    """
    return is_own(params) or (server_key_allowed(address) and typed_key(params, address) is None)
