"""A database that is away: a run waits for it and goes on; after too long it stops, and the same call finishes it."""

import random
import signal
import time

import pytest

from tests.helpers.faults.process import finished, job
from tests.helpers.faults.server import NAME, server, stored_values
from tests.helpers.faults.undisturbed import CLASSIFY


@pytest.fixture
def own(tmp_path):
    with server(tmp_path) as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_mongod__that_ends_during_a_run_and_comes_back_costs_nothing(
    number, own, images, reference, count_fault, tmp_path
):
    moments = random.Random(number)
    with job(tmp_path, "classify", NAME, env=own.environment, images=images) as running:
        for images_done in (4, 20, 36):
            running.wait_for_images(images_done)
            time.sleep(moments.uniform(0, 0.2))
            own.kill(number)
            time.sleep(moments.uniform(0, 3))
            own.start()
        assert running.end() == 0, running.errors
    assert "does not answer" in running.errors and "answers again" in running.errors
    damage = reference.damage_of(stored_values(own, tmp_path), CLASSIFY)
    count_fault(f"mongod ended by {number.name}, back within 3 s", damage, times=3)


@pytest.mark.parametrize("later", [("triage", {}), ("rescore", {"image_scale": 3.0, "run_key": "zs"})])
def test_mongod__that_is_killed_during_what_follows_a_run_costs_nothing(
    later, own, images, reference, count_fault, tmp_path
):
    name, options = later
    finished(tmp_path, "classify", NAME, env=own.environment, images=images)
    with job(tmp_path, name, NAME, env=own.environment, **options) as running:
        while (line := running.wait_for("at ")) is not None and line.startswith("at 0"):
            pass  # until it writes
        own.kill()
        time.sleep(1)
        own.start()
        assert running.end() == 0, running.errors
    damage = reference.damage_of(stored_values(own, tmp_path), CLASSIFY, later)
    count_fault(f"mongod killed during a {name}", damage)


def test_mongod__away_for_long_stops_the_run_with_a_sentence_and_the_same_call_finishes_it(
    own, images, reference, count_fault, tmp_path
):
    with job(tmp_path, "classify", NAME, env=own.environment, images=images, patience=5.0) as running:
        running.wait_for_images(8)
        own.kill()
        line = running.wait_for("failed", patience=60)
        assert line is not None and line.startswith("failed DatabaseAwayError"), running.lines
        assert "goes on where it stopped" in line
        assert any("does not answer" in line for line in running.lines), "no progress says that the run waits"
        assert running.end(patience=60) == 1
    own.start()
    finished(tmp_path, "classify", NAME, env=own.environment)
    count_fault("mongod away for longer than a run waits", reference.damage_of(stored_values(own, tmp_path), CLASSIFY))


def test_ctrl_c__ends_a_run_that_waits_for_the_database(own, images, reference, count_fault, tmp_path):
    with job(tmp_path, "classify", NAME, env=own.environment, images=images) as running:
        running.wait_for_images(8)
        own.kill()
        while "does not answer" not in (running.wait_for("at ") or "does not answer"):
            pass
        running.send(signal.SIGINT)
        assert running.end(patience=20) != 0
    own.start()
    finished(tmp_path, "classify", NAME, env=own.environment)
    count_fault("Ctrl-C while mongod is away", reference.damage_of(stored_values(own, tmp_path), CLASSIFY))
