"""The state of a run: what its record says about its last call, as far as that call is still alive.

A record can't be right about a process that was killed: it says "running" for ever. So a call that works holds a lease
(:mod:`lgca_plugin.runs.lease`), and without one, "running" is read as "interrupted".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, LgcaError, RunCancelledError
from ..fiftyone_io.boxes.companion import run_dataset
from ..fiftyone_io.holders import DOING, holder, is_alive, time_text, user_name
from ..fiftyone_io.leases import StoredLease, cancel_lease, read_lease, read_leases
from .lease import PENDING, RUNNING, Lease

if TYPE_CHECKING:
    from collections.abc import Mapping

    import fiftyone as fo

COMPLETED, FAILED, CANCELLED, INTERRUPTED = "completed", "failed", "cancelled", "interrupted"
STATES = (PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, INTERRUPTED)
"""The states of a run: a call holds its key and has not written yet; it writes; it has ended, as it should, by an
error, because somebody cancelled it, or from outside: Ctrl-C, a closed page, a process that was killed."""

DONE = "done"
"""The status of a completed run in its record; of all others that have ended it is "interrupted"."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """The state of a run.

    Attributes:
        name: one of :data:`STATES`
        task: what the call does or did: ``"classify"``, ``"rescore"``, ``"triage"``, ``"find"``, ``"fuse"`` or
            ``"delete"``
        started: when it began, by the database's clock; None for runs of earlier releases
        ended: when it ended, or gave its last sign of life; None if it has not, or for runs of earlier releases
        reason: why it ended, unless it is completed
        holder: who does or did it, and where
        progress: how far it has come, in words, if it is at work
    """

    name: str
    task: str = "classify"
    started: datetime | None = None
    ended: datetime | None = None
    reason: str | None = None
    holder: str | None = None
    progress: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether a call is at work."""
        return self.name in (PENDING, RUNNING)

    @property
    def doing(self) -> str:
        """What the call does, in words."""
        return DOING.get(self.task, self.task)

    @property
    def status(self) -> str:
        """The state in the words of all releases: ``"running"``, ``"done"`` or ``"interrupted"``."""
        return {COMPLETED: DONE, PENDING: RUNNING, RUNNING: RUNNING}.get(self.name, INTERRUPTED)

    def to_json(self) -> dict[str, Any]:
        """Returns the state for a record or a summary, with times in ISO 8601, in UTC."""
        times = {name: None if time is None else time.isoformat() for name, time in self._times.items()}
        return {
            "name": self.name,
            "task": self.task,
            **times,
            "reason": self.reason,
            "holder": self.holder,
            "progress": self.progress,
        }

    @property
    def _times(self) -> dict[str, datetime | None]:
        return {"started": self.started, "ended": self.ended}

    def __str__(self) -> str:
        if self.is_live:
            since = "" if self.started is None else f" since {time_text(self.started)}"
            return f"{self.name}{since}, by {self.holder}"
        at = "" if self.ended is None else f" at {time_text(self.ended)}"
        return f"{self.name}{at}" + (f": {self.reason}" if self.reason else "")


def begun(lease: Lease, task: str) -> RunState:
    """Returns the state of a call that begins to write."""
    return RunState(name=RUNNING, task=task, started=lease.since, holder=lease.holder)


def ended(lease: Lease, task: str, error: BaseException | None) -> RunState:
    """Returns the state of a call that has ended, by an error or without."""
    if isinstance(error, GeneratorExit) and lease.is_cancelled:
        error = lease.cancellation
    name, reason = _end(error)
    return RunState(name=name, task=task, started=lease.since, ended=lease.now, reason=reason, holder=lease.holder)


def _end(error: BaseException | None) -> tuple[str, str | None]:
    """Returns the state of a call that has ended, by an error or without, and the reason."""
    if error is None:
        return COMPLETED, None
    if isinstance(error, RunCancelledError):
        return CANCELLED, str(error)
    if isinstance(error, GeneratorExit):
        return INTERRUPTED, "its caller has stopped it"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, "stopped with Ctrl-C"
    if not isinstance(error, Exception) or "cannot schedule new futures" in str(error):
        return INTERRUPTED, "its process was ended"
    return FAILED, str(error) if isinstance(error, LgcaError) else f"{type(error).__name__}: {error}"


def entries(state: RunState) -> dict[str, Any]:
    """Returns the entries of a run's record for the state of its predictions."""
    return {"status": state.status, "state": state.to_json()}


def live_state(lease: StoredLease) -> RunState:
    """Returns the state of a call that is at work."""
    value = lease.value
    return RunState(
        name=str(value["state"]),
        task=str(value["task"]),
        started=lease.since,
        holder=holder(lease),
        progress=value.get("progress") or None,
    )


def recorded_state(results: Mapping[str, Any], lease: StoredLease | None) -> RunState:
    """Returns the state of a run that no call is at work on: of its predictions, or of its triage if only that failed.

    Args:
        results: the entries of its record
        lease: the lease of the call that was last at work, if that has not given it back
    """
    predictions = _settled(_read(results.get("state")) or _of_earlier_release(results.get("status")), lease)
    triage = _read(results.get("triage_state"))
    if triage is None or predictions.name != COMPLETED:
        return predictions
    triage = _settled(triage, lease)
    return predictions if triage.name == COMPLETED else triage


def says_live(results: Mapping[str, Any]) -> bool:
    """Returns whether a record says that a call is at work."""
    return any((results.get(name) or {}).get("name") in (PENDING, RUNNING) for name in ("state", "triage_state"))


def status_of(results: Mapping[str, Any], *, live: bool) -> Any:
    """Returns the status of a run's predictions in the words of all releases.

    Args:
        results: the entries of its record; "running" in one of an earlier release stays, for nothing disproves it
        live: whether a call is at work
    """
    status = results.get("status")
    return INTERRUPTED if status == RUNNING and not live and results.get("state") else status


def _settled(state: RunState, lease: StoredLease | None) -> RunState:
    """Returns a recorded state; that of a call that was at work and is no more, as an interrupted one."""
    if not state.is_live:
        return state
    reason = f"{state.holder or 'its process'} gave no more sign of life: it was ended, or suspended"
    return replace(state, name=INTERRUPTED, ended=None if lease is None else lease.beat, reason=reason)


def _read(stored: Mapping[str, Any] | None) -> RunState | None:
    if not stored:
        return None
    return RunState(
        name=str(stored["name"]),
        task=str(stored.get("task", "classify")),
        started=_time(stored.get("started")),
        ended=_time(stored.get("ended")),
        reason=stored.get("reason"),
        holder=stored.get("holder"),
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _of_earlier_release(status: object) -> RunState:
    """Returns the state of a record of a release that noted only "running", "done" or "interrupted"."""
    if status == DONE:
        return RunState(name=COMPLETED)
    return RunState(name=INTERRUPTED, reason="an earlier release has not noted why" if status else None)


def runs_at_work(dataset: fo.Dataset) -> dict[str, RunState]:
    """Returns run key to state of all calls at work on a dataset, the oldest first, also on keys without a run."""
    return {lease.key: live_state(lease) for lease in read_leases(run_dataset(dataset)) if is_alive(lease)}


def cancel_run(dataset: fo.Dataset, run_key: str, *, by: str | None = None) -> RunState:
    """Cancels the call that is at work on a run, in this process or in another one; what it has done is kept.

    The call stops within seconds, after the images that are being encoded; the same call later goes on with the run.

    Args:
        dataset: the FiftyOne dataset
        run_key: the run's key
        by: who cancels it; None takes the login name

    Returns:
        the state of the call that was cancelled

    Raises:
        ConfigError: if no call is at work on the run
    """
    dataset = run_dataset(dataset)
    lease = read_lease(dataset, run_key)
    if lease is None or not is_alive(lease) or not cancel_lease(dataset, lease, by or user_name()):
        working = ", ".join(runs_at_work(dataset)) or "none"
        raise ConfigError(f"nothing is at work on a run {run_key!r}, so there is nothing to cancel; at work: {working}")
    return live_state(lease)
