"""Signals that end a run: it stops soon, its state says so, and the same call finishes it."""

import random
import signal
import time

import pytest

import lgca_plugin as lgca
from tests.helpers.faults.process import finished, job
from tests.helpers.faults.undisturbed import CLASSIFY

SIGNALS = {"SIGTERM": 3, "SIGHUP": 3, "SIGINT": 3}


@pytest.mark.parametrize("name", SIGNALS)
def test_signal__at_a_random_moment_ends_a_run_that_the_same_call_finishes(
    name, birds, reference, count_fault, tmp_path
):
    moments = random.Random(name)
    for _ in range(SIGNALS[name]):
        with job(tmp_path, "classify", birds.name) as running:
            running.wait_for_images(4)
            time.sleep(moments.uniform(0.0, 0.3))
            running.send(getattr(signal, name))
            assert running.end(patience=30) != 0
        birds.reload()
        assert lgca.load_run(birds, "zs").summary()["status"] == "interrupted"
    finished(tmp_path, "classify", birds.name)
    assert lgca.load_run(birds, "zs").summary()["status"] == "done"
    count_fault(name, reference.damage(birds, CLASSIFY), times=SIGNALS[name])
