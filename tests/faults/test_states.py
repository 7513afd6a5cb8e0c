"""A process that was suspended, and a second one that comes to the same run."""

import signal
import time
from typing import Any

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.faults.process import finished, job
from tests.helpers.faults.undisturbed import CLASSIFY

SECONDS = 4.0
"""Seconds after which a lease expires here."""


def state_of(birds):
    birds.reload()
    return lgca.load_run(birds, "zs").state


@pytest.mark.parametrize("overwrite", [False, True], ids=["gone on with", "replaced"])
def test_suspended__for_longer_than_its_lease_a_process_writes_nothing_more(
    overwrite, birds, reference, count_fault, tmp_path
):
    options = {"overwrite": True, "classes": CLASSES[:4]} if overwrite else {}
    with job(tmp_path, "classify_under_lease", birds.name, seconds=SECONDS) as first:
        first.wait_for_images(8)
        first.send(signal.SIGSTOP)
        assert state_of(birds).name == "running"
        time.sleep(SECONDS + 1)
        assert state_of(birds).name == "interrupted"
        finished(tmp_path, "classify", birds.name, **options)
        first.send(signal.SIGCONT)
        assert first.end() != 0
        assert "taken over elsewhere" in first.lines[-1]
    assert state_of(birds).name == "completed"
    count_fault("suspended while classifying", reference.damage(birds, ("classify", options)))


def test_suspended__for_longer_than_its_lease_it_goes_on_if_nobody_has_come(birds, reference, count_fault, tmp_path):
    with job(tmp_path, "classify_under_lease", birds.name, seconds=SECONDS) as running:
        running.wait_for_images(8)
        running.send(signal.SIGSTOP)
        time.sleep(SECONDS + 1)
        running.send(signal.SIGCONT)
        assert running.end() == 0
    assert state_of(birds).name == "completed"
    count_fault("suspended while classifying", reference.damage(birds, CLASSIFY))


def test_second_process__is_refused_while_the_first_is_at_work(birds, reference, count_fault, tmp_path):
    with job(tmp_path, "classify_under_lease", birds.name, seconds=600.0) as first:
        first.wait_for_images(4)
        first.send(signal.SIGSTOP)  # so that it is still at work when the others have been started
        others: dict[str, dict[str, Any]] = {
            "classify": {"overwrite": True},
            "find": {},
            "rescore": {"image_scale": 2.0},
        }
        for what, options in others.items():
            with job(tmp_path, what, birds.name, **options) as second:
                assert second.end() != 0
            assert f"RunHeldError: run 'zs' is being classified by {state_of(birds).holder}" in second.lines[-1]
        first.send(signal.SIGCONT)
        assert first.end() == 0
    count_fault("a second process comes", reference.damage(birds, CLASSIFY), times=3)
