"""Signals that end a run: it stops soon, its state says so, and the same call finishes it."""

import random
import signal
import time

import pytest

import lgca_plugin as lgca
from tests.helpers.faults.process import finished, job
from tests.helpers.faults.undisturbed import CLASSIFY

REASONS = {"SIGTERM": "no more sign of life", "SIGHUP": "no more sign of life", "SIGINT": "stopped with Ctrl-C"}
SIGNALS = {"SIGTERM": 3, "SIGHUP": 3, "SIGINT": 3}


@pytest.mark.parametrize("name", SIGNALS)
def test_signal__at_a_random_moment_ends_a_run_that_the_same_call_finishes(
    name, birds, reference, count_fault, tmp_path
):
    moments = random.Random(name)
    for _ in range(SIGNALS[name]):
        with job(tmp_path, "classify", birds.name, pause=0.1) as running:
            running.wait_for_images(4)
            time.sleep(moments.uniform(0.0, 0.3))
            running.send(getattr(signal, name))
            assert running.end(patience=30) != 0
        birds.reload()
        assert lgca.load_run(birds, "zs").summary()["status"] == "interrupted"
        state = lgca.load_run(birds, "zs").state
        assert (state.name, REASONS[name] in str(state.reason)) == ("interrupted", True), state
        assert f"(process {running.process.pid})" in str(state.holder)
    finished(tmp_path, "classify", birds.name)
    assert lgca.load_run(birds, "zs").summary()["status"] == "done"
    count_fault(name, reference.damage(birds, CLASSIFY), times=SIGNALS[name])
