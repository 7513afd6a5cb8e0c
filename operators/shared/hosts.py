"""Which addresses the server sends requests to for users of the App, and which of them get its key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from ...lgca_plugin.errors import ConfigError
from . import settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
LOCAL_PORTS = {11434: "Ollama", 1234: "LM Studio", 8000: "vLLM", 8080: "llama.cpp"}
"""Ports on which the servers of language models listen unless they are configured otherwise."""
LOCAL_PATH = "/v1"

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


class Origin(NamedTuple):
    """Where a server listens."""

    scheme: str
    host: str
    port: int


def server_key_allowed(address: str) -> bool:
    """Returns whether the server's key may be sent to an address.

    Args:
        address: http or https, as ``check_base_url`` returns it

    Raises:
        ConfigError: if users of the App may not have requests sent there at all
    """
    origin, path = _parse(address)
    if origin in _origins(settings.KEY_HOSTS, settings.key_hosts()):
        return True
    local = origin.scheme == "http" and origin.host in LOCAL_HOSTS and origin.port in LOCAL_PORTS and path == LOCAL_PATH
    if not local and origin not in _origins(settings.LLM_HOSTS, settings.llm_hosts()):
        raise ConfigError(
            f"the App sends no requests to {urlsplit(address).netloc!r}: whoever runs its server can allow it with the "
            f"variable {settings.LLM_HOSTS}; on the server itself, {_local_text()} are allowed"
        )
    return False


def _parse(address: str) -> tuple[Origin, str]:
    """Returns where a request to an address goes; only plain forms are taken, which nobody can read in two ways."""
    parts = urlsplit(address.lower())
    netloc, colon, port = parts.netloc.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit():
        netloc, port = parts.netloc, str(_PORTS.get(parts.scheme, 0))
    path = urlsplit(address).path
    if len(port) > 5 or not 0 < int(port) < 65_536 or not _HOST.fullmatch(netloc) or not _PATH.fullmatch(path):
        raise ConfigError(f"the address must be of the form http://host:port/path, in plain letters; got {address!r}")
    return Origin(parts.scheme, netloc.strip("[]"), int(port)), path


def _origins(variable: str, entries: Iterable[str]) -> set[Origin]:
    """Returns the origins that a variable lists: ``host`` or ``host:port`` with https, or ``http://host:port``."""
    found = set()
    for entry in entries:
        try:
            origin, path = _parse(entry if "://" in entry else f"https://{entry}")
        except (ConfigError, ValueError):
            origin, path = Origin("", "", 0), "?"
        if origin.scheme not in _PORTS or path:
            raise ConfigError(f"{variable} must list hosts, such as llm.example:8443 or http://gpu:8000; got {entry!r}")
        found.add(origin)
    return found


def _local_text() -> str:
    ports = ", ".join(f"{port} ({name})" for port, name in LOCAL_PORTS.items())
    return f"http://localhost:PORT{LOCAL_PATH} with the ports {ports}"
