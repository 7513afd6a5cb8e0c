"""A process that is killed at any moment, without warning: the same call brings the same result afterwards."""

import random
import time
from typing import Any

import pytest

from tests.helpers.faults.process import finished, job
from tests.helpers.faults.undisturbed import CLASSIFY

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
    count_fault("kill -9 at a random moment", reference.damage(birds, CLASSIFY), times=KILLS)


Job = tuple[str, dict[str, Any]]
JOBS: dict[str, tuple[list[Job], Job]] = {
    "classify": ([], CLASSIFY),
    "triage": ([CLASSIFY], ("triage", {})),
    "decide": ([CLASSIFY, ("triage", {})], ("decide", {})),
    "rescore": ([CLASSIFY], ("rescore", {"run_key": "zs", "image_scale": 3.0})),
    "fuse": (
        [("classify", {"run_key": "one"}), ("classify", {"run_key": "two", "noisy": True})],
        ("fuse", {"runs": ["one", "two"]}),
    ),
    "start over": ([CLASSIFY, ("triage", {}), ("decide", {})], ("classify", {"overwrite": True})),
    "find": ([], ("find", {})),
}


@pytest.mark.parametrize("what", JOBS)
def test_kill_9__before_each_write_to_the_database_costs_nothing(what, few, few_reference, count_fault, tmp_path):
    """The first attempt is killed before its first write, the second before its second, until one is through."""
    before, (name, options) = JOBS[what]
    for other, its_options in before:
        finished(tmp_path, other, few.name, **its_options)
    kills = 0
    for number in range(1, 200):
        with job(tmp_path, name, few.name, kill_at=number, **options) as running:
            status = running.end()
            assert status in (0, -9), f"after {number} writes: {running.lines[-3:]}\n{running.errors}"
            if status == 0:
                break
            kills += 1
    assert kills >= 3
    damage = few_reference.damage(few, *before, (name, options))
    count_fault(f"kill -9 before each write: {what}", damage, times=kills)
