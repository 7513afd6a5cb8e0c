"""Who holds a run's key, whether that process is still alive, in words and for other processes."""

from __future__ import annotations

import getpass
import os
import platform
import uuid
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import RunHeldError
from .leases import StoredLease

DOING = {
    "classify": "being classified",
    "rescore": "being rescored",
    "triage": "being triaged",
    "fuse": "being fused",
    "find": "being searched for wrong labels",
    "delete": "being deleted",
}
"""What a task does to a run, in words."""


def is_alive(lease: StoredLease) -> bool:
    """Returns whether the call that holds a lease is still at work, as far as can be known here.

    A process that can be looked up here needs no waiting: it is gone if there is none under its number. Where another
    one has got the number since, the lease expires as on other machines.
    """
    if lease.expired:
        return False
    return lease.value.get("machine") != _machine() or _process_exists(int(lease.value["process"]))


def held_error(lease: StoredLease) -> RunHeldError:
    """Returns the error of a call that meets another one: who holds the key, and since when."""
    doing = DOING.get(str(lease.value.get("task")), "in use")
    start = (
        f"run {lease.key!r} is {doing} by {holder(lease)} since {time_text(lease.since)}: wait until that has ended,"
    )
    return RunHeldError(
        f"{start} or cancel it with lgca.cancel_run(dataset, {lease.key!r})",
        app=f"{start} or cancel it in the menu “Wrong labels”",
    )


def holder(lease: StoredLease) -> str:
    """Returns who holds a lease, in words."""
    value = lease.value
    return f"{value.get('user')} on {value.get('host')} (process {value.get('process')})"


def time_text(at: datetime) -> str:
    """Returns a time for people, in UTC to the second."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def user_name() -> str:
    """Returns the login name, or ``"unknown"``."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # no user name, as in a container
        return "unknown"


def whereabouts() -> dict[str, Any]:
    """Returns who and where this process is, for people and for :func:`is_alive`."""
    return {"user": user_name(), "host": platform.node(), "machine": _machine(), "process": os.getpid()}


@cache
def _machine() -> str:
    """Returns an id of what gives processes their numbers: the boot of a machine, and on it perhaps a container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux
        return f"{platform.node()}/{uuid.getnode()}"


def _process_exists(number: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(number).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # not allowed to look
        return True
