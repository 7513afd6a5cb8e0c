"""``Lease``: the right to write to a run key, held by one call at a time and kept by signs of life in the database.

A call takes the lease before it loads a model or reads a sample, so that a second call is refused at once. While it
works, a thread renews the lease; a call that has died, or was suspended, stops doing so, and its lease expires. Before
each write the holder renews it (:func:`lgca_plugin.runs.record.check_current`), so it writes nothing once it is lost.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
import weakref
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import LgcaError, RunCancelledError
from ..fiftyone_io.boxes.mirror import mirror
from ..fiftyone_io.database import is_deleted
from ..fiftyone_io.holders import held_error, holder, is_alive, whereabouts
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

    from ..progress import Progress

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


class Lease:
    """A lease that this call holds; a context manager that gives it back.

    Before that, what a call on boxes has written is mirrored onto their labels: :mod:`lgca_plugin.fiftyone_io.boxes`.

    Attributes:
        dataset: the dataset of the run
        key: the run's key
        task: what the call does: ``"classify"``, ``"rescore"``, ``"triage"``, ``"find"``, ``"fuse"`` or ``"delete"``
        since: when the lease was taken, by the database's clock
        now: the database's time when it was last renewed
        holder: who holds it, in words
        progress: how far the call has come, in words; stored with the next renewal
        idle_since: when the call has last made a step, if it waits since then for its caller to take the next
    """

    def __init__(self, dataset: fo.Dataset, key: str, task: str, stored: StoredLease, *, every: float) -> None:
        self.dataset = dataset
        self.key = key
        self.task = task
        self.since = self.now = stored.since
        self.holder = holder(stored)
        self.progress = ""
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
        _take(dataset, key, owner, {"task": task, "state": PENDING, "seconds": seconds, **whereabouts()})
        stored = renew_lease(dataset, key, owner)
        if stored is None:  # suspended since for longer than a lease lasts
            raise LgcaError(_lost_sentence(dataset, key))
        return cls(dataset, key, task, stored, every=every)

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        try:
            if error is None:
                mirror(self.dataset)
            else:
                self._mirror_after_error()
        finally:
            self.release()

    def _mirror_after_error(self) -> None:
        """Mirrors what was written before an error, which is what the user has to see."""
        try:
            mirror(self.dataset)
        except Exception:
            logger.warning("What run %r has found could not be written onto the labels yet", self.key, exc_info=True)

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
        self.renew()  # so that it notices who has cancelled it under the old key
        value = {name: self._value[name] for name in ("task", "seconds", *whereabouts())}
        _take(self.dataset, key, self._owner, {**value, "state": PENDING})
        before, self.key = self.key, key
        delete_lease(self.dataset, before, self._owner)

    def renew(self, **changes: Any) -> None:
        """Renews the lease in the database; called before each write.

        Raises:
            LgcaError: if the lease was lost: this call was dead to the others for longer than a lease lasts
        """
        key = self.key
        stored = None if self._lost else renew_lease(self.dataset, key, self._owner, progress=self.progress, **changes)
        if stored is None:
            if key != self.key:  # it was moved meanwhile, by the other thread
                return
            self._lost = True
            raise LgcaError(_lost_sentence(self.dataset, key))
        self.now = stored.beat
        self._cancelled_by = self._cancelled_by or stored.cancelled_by  # one that was moved is another document

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody has taken the next step for longer than the lease lasts."""
        since = self.idle_since
        return since is not None and time.monotonic() - since > self._seconds

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the call, as far as this process has noticed."""
        return self._cancelled_by is not None

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
            raise LgcaError(_lost_sentence(self.dataset, self.key))
        if self.is_cancelled:
            raise self.cancellation

    @property
    def cancellation(self) -> RunCancelledError:
        """The error of a call that was cancelled."""
        start = f"run {self.key!r} was cancelled by {self._cancelled_by}; what is done is kept:"
        error = RunCancelledError(f"{start} the same call goes on", app=f"{start} the same settings go on with it")
        error.run_key = self.key
        return error


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


def steps_under(lease: Lease, steps: Generator[Progress, None, Result]) -> Generator[Progress, None, Result]:
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
            lease.progress = step.label
            lease.idle_since = time.monotonic()
            try:
                yield replace(step, run_key=lease.key)
            finally:
                lease.idle_since = None


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


def _lost_sentence(dataset: fo.Dataset, key: str) -> str:
    if is_deleted(dataset):
        return f"the dataset was deleted while run {key!r} was at work on it, so this call has stopped"
    return (
        f"this call on run {key!r} was suspended or without the database for so long that it was taken for dead, and "
        "the run was taken over elsewhere, so this call has stopped and writes nothing more"
    )
