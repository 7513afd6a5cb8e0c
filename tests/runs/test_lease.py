"""Leases on run keys: one holder at a time, whoever has died is replaced, and whoever was replaced notices."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.database import execution_store_collection
from lgca_plugin.fiftyone_io.holders import is_alive
from lgca_plugin.fiftyone_io.leases import read_lease
from lgca_plugin.runs.lease import Lease
from lgca_plugin.runs.state import cancel_run, runs_at_work
from tests.helpers.paths import ROOT

HOLD = """
import sys
import fiftyone as fo
from lgca_plugin.runs.lease import Lease
for line in sys.stdin:
    key, seconds = line.split()
    lease = Lease.take(fo.load_dataset({name!r}), key, "classify", seconds=float(seconds), every=0.1)
    lease.start()
    print("held", flush=True)
    try:
        while True:
            lease.renew()
            lease.check()
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    lease.release()
"""


class Holder:
    """Another process that takes a lease on every key it is given."""

    def __init__(self, dataset):
        script = HOLD.format(name=dataset.name)
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def hold(self, key, *, seconds=60.0):
        assert self.process.stdin is not None
        self.process.stdin.write(f"{key} {seconds}\n")
        self.process.stdin.flush()
        assert self.answer() == "held"

    def answer(self):
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def holder(dataset):
    dataset.persistent = True  # as a dataset is that two processes share
    started = Holder(dataset)
    yield started
    started.kill()


def lives(dataset):
    """Whether the call that holds the key "zs" is taken for alive."""
    lease = read_lease(dataset, "zs")
    assert lease is not None
    return is_alive(lease)


def test_take__of_a_held_key_is_refused_with_who_and_since_when_until_it_is_given_back(dataset):
    with Lease.take(dataset, "zs", "triage") as held:
        since = f"{held.since:%Y-%m-%d %H:%M:%S} UTC"
        with pytest.raises(lgca.RunHeldError) as refused:
            Lease.take(dataset, "zs", "classify")
        with Lease.take(dataset, "other", "classify"):
            assert list(runs_at_work(dataset)) == ["zs", "other"]
    assert f"run 'zs' is being triaged by {held.holder} since {since}" in str(refused.value)
    assert f"(process {os.getpid()})" in held.holder
    assert abs(held.since - datetime.now(timezone.utc)) < timedelta(minutes=1)
    assert runs_at_work(dataset) == {}
    Lease.take(dataset, "zs", "classify").release()


def test_lease__of_another_machine_lives_by_the_databases_clock_alone(dataset):
    """There, the number of the process says nothing, and so does this machine's clock."""
    lease = Lease.take(dataset, "zs", "classify", seconds=2.0, every=60.0)
    store = execution_store_collection()
    here = {"store_name": "lgca_leases", "key": "zs"}
    store.update_one(here, {"$set": {"value.machine": "elsewhere", "value.process": 2**22 + 1}})
    assert lives(dataset)
    store.update_one(here, [{"$set": {"value.beat": {"$subtract": ["$$NOW", 2100]}}}])
    assert not lives(dataset)
    lease.renew()
    assert lives(dataset)
    lease.release()


def test_lease__that_expired_is_renewed_if_nobody_has_taken_it_and_lost_if_somebody_has(dataset):
    first = Lease.take(dataset, "zs", "classify", seconds=0.05, every=60.0)
    time.sleep(0.1)
    first.renew()
    first.check()
    time.sleep(0.1)
    with Lease.take(dataset, "zs", "classify") as second:
        with pytest.raises(lgca.LgcaError, match="taken over elsewhere"):
            first.renew()
        with pytest.raises(lgca.LgcaError, match="writes nothing more"):
            first.check()
        first.release()  # leaves the other one's
        assert second.is_held()
        with pytest.raises(lgca.RunHeldError):
            Lease.take(dataset, "zs", "classify")


def test_lease__of_another_process_that_is_cancelled_suspended_or_killed(dataset, holder):
    holder.hold("cancelled")
    state = cancel_run(dataset, "cancelled", by="ann")
    assert (state.name, state.task) == ("running", "classify")
    cancelled = "run 'cancelled' was cancelled by ann; what is done is kept: the same call goes on"
    assert holder.answer() == f"RunCancelledError {cancelled}"
    deadline = time.monotonic() + 10
    while runs_at_work(dataset) and time.monotonic() < deadline:  # it answers before it releases the lease
        time.sleep(0.02)
    with pytest.raises(lgca.ConfigError, match=r"nothing is at work on a run 'cancelled'.*at work: none"):
        cancel_run(dataset, "cancelled")

    holder.hold("suspended", seconds=0.5)
    holder.process.send_signal(signal.SIGSTOP)
    with pytest.raises(lgca.RunHeldError):
        Lease.take(dataset, "suspended", "classify")
    time.sleep(0.7)
    with Lease.take(dataset, "suspended", "classify") as taken:
        holder.process.send_signal(signal.SIGCONT)
        assert "LgcaError this call on run 'suspended' was suspended" in holder.answer()
        assert taken.is_held()

    holder.hold("killed")
    with pytest.raises(lgca.RunHeldError, match=rf"\(process {holder.process.pid}\)"):
        Lease.take(dataset, "killed", "classify")
    holder.kill()
    assert runs_at_work(dataset) == {}
    Lease.take(dataset, "killed", "classify").release()  # on the same machine at once


def test_move__keeps_the_lease_and_a_cancellation_that_came_before(dataset):
    with Lease.take(dataset, "zs", "find", every=0.001) as lease:
        for at in range(100):
            lease.move(f"zs_{at}")
            lease.check()
    with Lease.take(dataset, "zs", "find", every=60.0) as lease:
        cancel_run(dataset, "zs", by="ann")
        lease.move("zs_2")
        lease.renew()
        with pytest.raises(lgca.RunCancelledError, match="run 'zs_2' was cancelled by ann"):
            lease.check()


def test_lease__that_nothing_refers_to_any_more_expires(dataset):
    lease = Lease.take(dataset, "zs", "classify", seconds=0.2, every=0.05)
    time.sleep(0.4)
    assert lives(dataset)
    thread = lease._thread
    del lease
    thread.join(5)
    assert not thread.is_alive()
    time.sleep(0.3)
    Lease.take(dataset, "zs", "classify").release()


def test_lease__goes_with_its_dataset(dataset):
    lease = Lease.take(dataset, "zs", "classify")
    query = {"store_name": "lgca_leases", "key": "zs"}
    assert execution_store_collection().count_documents(query) == 1
    dataset.clone().delete()
    assert execution_store_collection().count_documents(query) == 1
    dataset.delete()
    assert execution_store_collection().count_documents(query) == 0
    for step in (lease.renew, lease.check):
        with pytest.raises(lgca.LgcaError, match="the dataset was deleted while run 'zs' was at work on it"):
            step()
    lease.release()
