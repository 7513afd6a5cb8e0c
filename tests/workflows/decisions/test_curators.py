"""Several curators at once: threads, and sequences of decisions compared with a model in plain Python."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import fiftyone as fo
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.workflows.decisions.queue import Triage
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS, corrected, ids_of, stored

TAGS = {
    "accepted": "lgca:corrected",
    "label right": "lgca:confirmed",
    "bad crop": "lgca:bad crop",
    "bad image": "lgca:bad image",
    "skipped": "lgca:skipped",
}


def test_decide__at_the_same_moment_as_another_curator_loses_nothing(triage):
    ids = ids_of(triage)[:SUSPECTS]
    triage.decide(ids, "skipped")
    times = 15

    def work(by, decision):
        for _ in range(times):
            triage.decide(ids, decision, by=by)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, "anna", "accepted"), pool.submit(work, "ben", "label right")]:
            done.result()
    for id_ in ids:
        sample = stored(triage, id_)
        decision = sample["zs_decision"]
        last = decision["history"][-1]
        assert len(decision["history"]) == 2 * times + 1
        assert (decision["label"], decision["action"]) == (last["decision"], last["action"])
        assert corrected(triage, id_) == (SUGGESTED if decision["label"] == "accepted" else GIVEN)
        assert sample["tags"] == ["mine", TAGS[decision["label"]]]
        labels = [GIVEN, *(event["corrected"] or GIVEN for event in decision["history"])]
        assert [event["before"]["label"] for event in decision["history"]] == labels[:-1]
    while triage.actions():
        triage.undo()
    for id_ in ids:
        sample = stored(triage, id_)
        assert sample["labels_corrected"] == sample["labels"] and sample["tags"] == ["mine"]


@dataclass
class Model:
    """The state of a sample after a sequence of decisions, in plain Python."""

    given: str
    suggestion: str | None
    stack: list = field(default_factory=list)  # (action, decision, label) that are not undone
    events: int = 0

    @property
    def label(self):
        return self.stack[-1][2] if self.stack and self.stack[-1][1] == "accepted" else self.given

    @property
    def tags(self):
        return sorted(["mine", *([TAGS[self.stack[-1][1]]] if self.stack else [])])


CURATOR = st.sampled_from(["anna", "ben"])
WHICH = st.sets(st.integers(0, 5), min_size=1)


class Curators(RuleBasedStateMachine):
    """Two curators decide and undo, each with a dataset object and a run of their own."""

    triaged: Any = None

    @initialize()
    def start(self):
        dataset = self.triaged.clone()
        self.desks = {"anna": Triage.of(lgca.load_run(dataset, "zs"))}
        self.desks["ben"] = Triage.of(lgca.load_run(fo.load_dataset(dataset.name), "zs"))
        self.ids = dataset.values("id")[3:9]  # three suspects and three others
        self.samples = {id_: Model(GIVEN, SUGGESTED if at < 3 else None) for at, id_ in enumerate(self.ids)}
        self.actions = []

    def chosen(self, which):
        return [self.ids[at] for at in sorted(which)]

    def current(self, action):
        return [id_ for id_, sample in self.samples.items() if sample.stack and sample.stack[-1][0] == action]

    def undo(self, by, expected, **arguments):
        """Undoes, and checks that these samples are undone, or that undoing is refused where there are none."""
        if not expected:
            with pytest.raises(lgca.ConfigError, match="nothing to undo"):
                self.desks[by].undo(by=by, **arguments)
            return None
        done = self.desks[by].undo(by=by, **arguments)
        assert done.samples == len(expected)
        for id_ in expected:
            self.samples[id_].stack.pop()
            self.samples[id_].events += 1
        return done

    @rule(
        by=CURATOR,
        which=WHICH,
        decision=st.sampled_from(list(TAGS)),
        label=st.sampled_from([None, OTHER, CLASSES[4]]),
    )
    def decide(self, by, which, decision, label):
        ids, label = self.chosen(which), label if decision == "accepted" else None
        if decision == "accepted" and label is None and max(which) >= 3:
            with pytest.raises(lgca.ConfigError, match="no suggestion"):
                self.desks[by].decide(ids, decision, by=by)
            return
        done = self.desks[by].decide(ids, decision, label=label, by=by)
        assert done.samples == len(ids)
        self.actions.append((done.action, by))
        for id_ in ids:
            sample = self.samples[id_]
            sample.stack.append((done.action, decision, label or sample.suggestion))
            sample.events += 1

    @rule(by=CURATOR, of=st.none() | CURATOR)
    def undo_latest(self, by, of):
        found = [action for action, whose in self.actions if of in (None, whose) and self.current(action)]
        self.undo(by, self.current(found[-1]) if found else [], of=of)

    @precondition(lambda self: self.actions)
    @rule(data=st.data(), by=CURATOR)
    def undo_action(self, data, by):
        action, _ = data.draw(st.sampled_from(self.actions))
        buried = [s for s in self.samples.values() if action in [entry[0] for entry in s.stack[:-1]]]
        done = self.undo(by, self.current(action), action=action)
        assert done is None or done.later == len(buried)

    @rule(which=WHICH, by=CURATOR)
    def undo_samples(self, which, by):
        asked = self.chosen(which)
        decided = [id_ for id_ in asked if self.samples[id_].stack]
        done = self.undo(by, decided, sample_ids=asked)
        assert done is None or done.undecided == len(asked) - len(decided)

    @invariant()
    def agrees(self):
        if not hasattr(self, "desks"):
            return
        triage, made = self.desks["anna"], bool(self.actions)
        for id_, sample in self.samples.items():
            found = stored(triage, id_)
            decision = found.get("zs_decision") or {}
            action, decided, label = sample.stack[-1] if sample.stack else (None, None, None)
            assert decision.get("action") == action
            assert decision.get("label") == (decided or ("undone" if sample.events else None))
            assert len(decision.get("history") or []) == sample.events
            assert decision.get("corrected") == (label if decided == "accepted" else None)
            assert found["labels"]["label"] == sample.given
            assert (found.get("labels_corrected") or {}).get("label") == (sample.label if made else None)
            if made and sample.label == sample.given:
                assert found["labels_corrected"] == found["labels"]
            assert sorted(found["tags"]) == sample.tags
        decided = [sample for sample in self.samples.values() if sample.stack]
        left = triage.left()
        assert left["suspects"] == sum(left[name] for name in ("undecided", *TAGS)) == 6
        assert sum(left[name] for name in TAGS) + left["other samples decided"] == len(decided)

    def teardown(self):
        if hasattr(self, "desks"):
            self.desks["anna"].run.dataset.delete()


def test_curators__two_at_once_leave_what_a_plain_model_predicts(triaged_dataset):
    Curators.triaged = triaged_dataset
    run_state_machine_as_test(
        Curators,
        settings=settings(
            max_examples=5,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
