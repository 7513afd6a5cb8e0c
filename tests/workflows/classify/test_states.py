"""The state of a run: what has become of its last call, when, and why."""

from datetime import datetime, timedelta, timezone

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.runs.registry import update_record
from tests.helpers.engine import Counting
from tests.helpers.runs import interrupted, steps_of


@pytest.fixture
def few(birds):
    """Four images."""
    return birds.limit(4)


def state_of(dataset):
    run = lgca.load_run(dataset, "zs")
    state, summary = run.state, run.summary()
    assert summary["state"] == state.to_json()
    assert state.started and state.ended and state.holder
    assert state.started <= state.ended <= datetime.now(timezone.utc) + timedelta(minutes=1)
    assert "(process " in state.holder
    return state, summary["status"]


def test_completed__and_pending_and_running_before(birds, few, classify_one_by_one):
    seen = []

    def look(step):
        seen.append(lgca.runs_at_work(birds)["zs"].name)
        if step.total:
            assert lgca.load_run(birds, "zs").state.name == "running"
            assert lgca.load_run(birds, "zs").summary()["status"] == "running"

    run = classify_one_by_one(few, progress=look)
    assert (seen[0], set(seen[1:])) == ("pending", {"running"})
    state, status = state_of(birds)
    assert (state.name, state.task, state.reason, status) == ("completed", "classify", None, "done")
    assert run.state == state
    assert "completed" in repr(run)
    assert lgca.runs_at_work(birds) == {}


def test_cancelled__keeps_what_is_done_and_the_same_call_goes_on(birds, classify, classify_one_by_one):
    def cancel(step):
        if step.done == 1:
            lgca.load_run(birds, "zs").cancel(by="ann")

    with pytest.raises(lgca.RunCancelledError, match="run 'zs' was cancelled by ann; what is done is kept"):
        classify_one_by_one(birds, progress=cancel)
    state, status = state_of(birds)
    assert (state.name, status) == ("cancelled", "interrupted")
    assert "cancelled by ann" in state.reason
    summary = lgca.load_run(birds, "zs").summary()
    assert (summary["predicted"], summary["pending"]) == (birds.count("zs_lgca"), 12 - birds.count("zs_lgca"))
    assert 1 <= summary["predicted"] < 12
    assert classify(birds).summary()["predicted"] == 12


def test_failed__says_why(birds, few, settings, demo_encoder):
    class Failing(Counting):
        def encode_images(self, pixels):
            if len(self.batches) > 3:
                raise OSError("the device has gone")
            return super().encode_images(pixels)

    with pytest.raises(OSError, match="the device has gone"):
        list(steps_of(few, **{**settings, "encoder": Failing(demo_encoder), "batch_size": 8}))
    state, status = state_of(birds)
    assert (state.name, state.reason, status) == ("failed", "OSError: the device has gone", "interrupted")


def test_failed__while_the_fields_are_declared(birds, few, settings):
    steps = steps_of(few, **settings)
    next(steps)
    birds.add_sample_field("zs_clip", fo.IntField)  # elsewhere, since the request was checked
    with pytest.raises(ValueError, match="zs_clip"):
        list(steps)
    state, status = state_of(birds)
    assert (state.name, status) == ("failed", "interrupted")
    assert "ValueError" in state.reason


def test_interrupted__by_a_caller_who_goes(birds, few, settings):
    run = interrupted(few, 1, **settings)
    state, status = state_of(birds)
    assert (state.name, state.reason, status) == ("interrupted", "its caller has stopped it", "interrupted")
    assert str(run.state).startswith("interrupted at 2")


def test_failing_before_the_first_write__leaves_the_state_of_the_run_before(birds, few, classify):
    classify(few)
    before = lgca.load_run(birds, "zs").state
    with pytest.raises(lgca.ConfigError):
        classify(few, overwrite=True, encoder=object())
    assert lgca.load_run(birds, "zs").state == before


def test_records_of_earlier_releases__are_read_as_before(birds, few, classify):
    run = classify(few)
    for status, name in {"done": "completed", "interrupted": "interrupted", "running": "interrupted"}.items():
        update_record(run, status=status, state=None)
        old = lgca.load_run(birds, "zs")
        assert (old.summary()["status"], old.state.name, old.state.ended) == (status, name, None)


def test_triage__that_fails_is_the_runs_state_although_the_predictions_are_complete(birds, classify):
    run = classify(birds)

    def stop(step):
        if step.total and step.done == step.total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.triage(ground_truth="ground_truth", progress=stop)
    state, status = state_of(birds)
    assert (state.name, state.task, status) == ("interrupted", "triage", "done")
    run.triage(ground_truth="ground_truth", progress=False)
    state, status = state_of(birds)
    assert (state.name, state.task, status) == ("completed", "classify", "done")
