"""A process that is killed at any moment, without warning: the same call brings the same result afterwards."""

import random
import time

import pytest

from tests.helpers.faults.process import finished, job

CHAINS = 5
KILLS = 5
"""In each chain the same run is killed so often, each time further on, and then finished."""


@pytest.mark.parametrize("seed", range(CHAINS))
def test_kill_9__at_random_moments_costs_nothing(seed, birds, reference, count_fault, tmp_path):
    moments = random.Random(seed)
    for _ in range(KILLS):
        with job(tmp_path, "classify", birds.name) as running:
            running.wait_for("ready")
            time.sleep(moments.uniform(0.0, 1.5))
            running.kill()
    finished(tmp_path, "classify", birds.name)
    count_fault("kill -9 while classifying", reference.damage(birds, "classify"), times=KILLS)
