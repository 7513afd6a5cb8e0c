"""``Lease``: the right to write to a run key, held by one call at a time and kept by signs of life in the database.

A call takes the lease before it loads or checks anything, so that a second call on the key is refused at once. While it
works, a thread renews the lease; a call that has died, or was suspended, stops doing so, and its lease expires. Before
each write the holder renews it (:func:`lgca_plugin.runs.record.check_current`), so it writes nothing once it is lost.
"""

from __future__ import annotations

import getpass
import logging
import os
import platform
import threading
import time
import uuid
import weakref
from contextlib import AbstractContextManager, closing, nullcontext
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LgcaError, RunCancelledError, RunHeldError
from ..fiftyone_io.leases import (
    StoredLease,
    delete_lease,
    insert_lease,
    read_lease,
    renew_lease,
    replace_lease,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    import fiftyone as fo

Step = TypeVar("Step")
Result = TypeVar("Result")

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60.0
"""Seconds without a sign of life after which a call is taken for dead; on its own machine it is seen at once."""

RENEW_SECONDS = 5.0
"""Seconds between two signs of life, so the longest until a cancellation from another process is noticed."""

JOIN_SECONDS = 2.0
"""Maximum seconds that the end of a call waits for a renewal in progress."""

PENDING, RUNNING = "pending", "running"
"""States of a call: before its first write, and from then on."""

DOING = {
    "classify": "being classified",
    "rescore": "being rescored",
    "triage": "being triaged",
    "find": "being searched for wrong labels",
    "delete": "being deleted",
}
"""What a task does to a run, in words."""


class Lease:
    """A lease that this call holds; a context manager that gives it back.

    Attributes:
        dataset: the dataset of the run
        key: the run's key
        task: what the call does: ``"classify"``, ``"rescore"``, ``"triage"``, ``"find"`` or ``"delete"``
        since: when the lease was taken, by the database's clock
        now: the database's time when it was last renewed
        holder: who holds it, in words
        idle_since: when the call has last made a step, if it waits since then for its caller to take the next
    """

    def __init__(self, dataset: fo.Dataset, key: str, task: str, stored: StoredLease, *, every: float) -> None:
        self.dataset = dataset
        self.key = key
        self.task = task
        self.since = self.now = stored.since
        self.holder = holder(stored)
        self.idle_since: float | None = None
        self._owner = stored.owner
        self._value = stored.value
        self._lost = False
        self._cancelled_by = stored.cancelled_by
        self._ended = threading.Event()
        self._seconds = float(stored.value["seconds"])
        arguments = (weakref.ref(self), self._ended, every)
        self._thread = threading.Thread(target=_renew, args=arguments, name="lgca-lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(
        cls,
        dataset: fo.Dataset,
        key: str,
        task: str,
        *,
        seconds: float = LEASE_SECONDS,
        every: float = RENEW_SECONDS,
    ) -> Lease:
        """Takes the lease on a key, also that of a call that has died.

        Args:
            dataset: the dataset of the run
            key: the run's key, also one that has no run yet
            task: what the call does
            seconds: seconds after which the lease expires unless it is renewed
            every: seconds between two renewals

        Raises:
            RunHeldError: if another call holds it
        """
        owner = uuid.uuid4().hex
        _take(dataset, key, owner, {"task": task, "state": PENDING, "seconds": seconds, **_whereabouts()})
        stored = renew_lease(dataset, key, owner)
        if stored is None:  # suspended since for longer than a lease lasts
            raise LgcaError(_lost_sentence(key))
        return cls(dataset, key, task, stored, every=every)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Gives the lease back; without the database, it expires."""
        from pymongo.errors import PyMongoError

        self._ended.set()
        self._thread.join(JOIN_SECONDS)
        try:
            delete_lease(self.dataset, self.key, self._owner)
        except PyMongoError as error:
            logger.warning("The lease on run %r ends by itself, for the database can't be reached: %s", self.key, error)

    def start(self) -> None:
        """Notes that the call begins to write.

        Raises:
            LgcaError: if the lease was lost
        """
        self.renew(state=RUNNING)

    def move(self, key: str) -> None:
        """Gives the key back for another one.

        Raises:
            RunHeldError: if another call holds that one
        """
        value = {name: self._value[name] for name in ("task", "seconds", *_whereabouts())}
        _take(self.dataset, key, self._owner, {**value, "state": PENDING})
        before, self.key = self.key, key
        delete_lease(self.dataset, before, self._owner)

    def renew(self, **changes: Any) -> None:
        """Renews the lease in the database; called before each write.

        Raises:
            LgcaError: if the lease was lost: this call was dead to the others for longer than a lease lasts
        """
        stored = None if self._lost else renew_lease(self.dataset, self.key, self._owner, **changes)
        if stored is None:
            self._lost = True
            raise LgcaError(_lost_sentence(self.key))
        self.now = stored.beat
        self._cancelled_by = stored.cancelled_by

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody has taken the next step for longer than the lease lasts."""
        since = self.idle_since
        return since is not None and time.monotonic() - since > self._seconds

    def is_held(self) -> bool:
        """Returns whether the lease is still this call's, after renewing it."""
        try:
            self.renew()
        except LgcaError:
            return False
        return True

    def check(self) -> None:
        """Checks, without a look into the database, whether the call shall go on; called between two steps.

        Raises:
            RunCancelledError: if somebody has cancelled the call
            LgcaError: if the lease was lost
        """
        if self._lost:
            raise LgcaError(_lost_sentence(self.key))
        if self._cancelled_by is not None:
            raise RunCancelledError(
                f"run {self.key!r} was cancelled by {self._cancelled_by}; what is done is kept: the same call goes on"
            )


def _take(dataset: fo.Dataset, key: str, owner: str, value: dict[str, Any]) -> None:
    while not insert_lease(dataset, key, owner, value):
        held = read_lease(dataset, key)
        if held is None:
            continue
        if is_alive(held):
            raise held_error(held)
        if replace_lease(dataset, held, owner, value):
            return


def held_lease(lease: Lease | None, dataset: fo.Dataset, key: str, task: str) -> AbstractContextManager[Lease]:
    """Returns a caller's lease, which it gives back itself, or takes one for a ``with`` statement."""
    return Lease.take(dataset, key, task) if lease is None else nullcontext(lease)


def steps_under(lease: Lease, steps: Generator[Step, None, Result]) -> Generator[Step, None, Result]:
    """Goes through a generator of steps until its end, a cancellation or the loss of the lease; returns its result.

    While nobody takes a step, as after a page was closed, the lease is not renewed for longer than it lasts.
    """
    with closing(steps):
        while True:
            try:
                step = next(steps)
                try:
                    lease.check()
                except LgcaError as error:
                    step = steps.throw(error)
            except StopIteration as end:
                result: Result = end.value
                return result
            lease.idle_since = time.monotonic()
            try:
                yield step
            finally:
                lease.idle_since = None


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
    return RunHeldError(
        f"run {lease.key!r} is {doing} by {holder(lease)} since {time_text(lease.since)}: wait until that has ended, "
        f"or cancel it with lgca.cancel_run(dataset, {lease.key!r})"
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


def _renew(held: weakref.ref[Lease], ended: threading.Event, every: float) -> None:
    """Renews a lease until it ends, is lost, or nothing refers to it any more; waits while the database is away."""
    from pymongo.errors import PyMongoError

    while not ended.wait(every):
        lease = held()
        if lease is None:
            return
        try:
            if not lease.is_abandoned:
                lease.renew()
        except PyMongoError as error:
            logger.debug("The lease on run %r was not renewed: %s", lease.key, error)
        except LgcaError:
            return
        del lease


def _lost_sentence(key: str) -> str:
    return (
        f"this call on run {key!r} was suspended or without the database for so long that it was taken for dead, and "
        "the run was taken over elsewhere, so this call has stopped and writes nothing more"
    )


def _whereabouts() -> dict[str, Any]:
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
