"""Fusions that are broken off, cancelled, or meet another call."""

import pytest

import lgca_plugin as lgca
from tests.helpers.fusion.fused_birds import answers, fused, fusion_of, steps_of


def test_fuse__broken_off_while_it_writes_is_interrupted_and_the_same_call_begins_anew(birds, runs):
    expected = lgca.load_run(birds, "fused")
    steps = steps_of(runs, "given", run_key="new", images_at_once=8)
    while not (step := next(steps)).label.startswith("Regions of 8"):
        assert step.run_key == "new"
    steps.close()
    broken = lgca.load_run(birds, "new")
    assert (broken.summary()["status"], broken.state.name, broken.state.task) == ("interrupted", "interrupted", "fuse")
    assert len(birds.exists("new_hada")) < 32
    again = fused(runs, "given", run_key="new")
    assert (again.summary()["status"], again.summary()["predicted"], again.summary()["pending"]) == ("done", 32, 0)
    assert answers(birds, "new") == answers(birds, "fused")
    assert fusion_of(again).digest == fusion_of(expected).digest


def test_fuse__cancelled_while_it_writes_says_so(birds, runs):
    steps = steps_of(runs, run_key="written", images_at_once=8)
    while not next(steps).label.startswith("Regions of 8"):
        pass
    lgca.cancel_run(birds, "written", by="somebody")
    with pytest.raises(lgca.RunCancelledError, match="cancelled by somebody"):
        list(steps)
    birds.reload()
    state = lgca.load_run(birds, "written").state
    assert (state.name, state.task) == ("cancelled", "fuse") and "cancelled by somebody" in str(state.reason)
    lgca.delete_run(birds, "written")


def test_fuse__cancelled_while_it_learns_has_written_nothing(birds, runs):
    before = (birds.list_runs(), sorted(birds.get_field_schema()))
    steps = steps_of(runs, "given", run_key="other")
    while not next(steps).label.startswith("Learning"):
        pass
    assert {key: state.doing for key, state in lgca.runs_at_work(birds).items()} == {"other": "being fused"}
    with pytest.raises(lgca.RunHeldError, match="run 'other' is being fused by"):
        fused(runs, run_key="other")
    lgca.cancel_run(birds, "other", by="somebody")
    with pytest.raises(lgca.RunCancelledError, match="cancelled by somebody"):
        list(steps)
    birds.reload()
    assert (birds.list_runs(), sorted(birds.get_field_schema())) == before
    assert not lgca.runs_at_work(birds)


def test_fuse__of_a_run_that_is_rescored_meanwhile_writes_nothing(birds, runs):
    steps = steps_of(runs, "given", run_key="third")
    while not next(steps).label.startswith("Learning"):
        pass
    lgca.load_run(birds, "two").rescore(text_scale=3.0, progress=False)
    with pytest.raises(lgca.LgcaError, match="run 'two' was rescored or started again since it was loaded"):
        list(steps)
    assert "third" not in birds.list_runs()
