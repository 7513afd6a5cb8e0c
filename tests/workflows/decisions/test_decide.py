"""Deciding: what is written to a sample, how a later decision replaces it, and what is refused."""

import getpass
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.decisions import Decision
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, corrected, ids_of, stored


def test_decide__an_accepted_suggestion_goes_to_a_copy_of_the_labels(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    given, before = dataset.values("labels"), datetime.now(timezone.utc)
    done = triage.decide(ids[:2], "accepted", by="anna", note="$both are redder")
    assert (done.samples, done.replaced, done.gone, done.without_prediction) == (2, 0, 0, 0)
    assert str(done) == "changed: 2 samples"
    assert dataset.values("labels") == given
    assert dataset.values("labels_corrected.label") == [SUGGESTED] * 2 + [GIVEN] * 10
    assert dataset.values("labels_corrected.origin") == [None] * 2 + ["web"] * 10
    assert len(set(dataset.values("labels_corrected.id"))) == 12
    assert dataset.get_field("labels_corrected").document_type is fo.Classification

    sample = dataset[ids[0]]
    decision = sample.zs_decision
    assert (decision.label, decision.given, decision.suggested) == ("accepted", GIVEN, SUGGESTED)
    assert (decision.corrected, decision.by, decision.note) == (SUGGESTED, "anna", "$both are redder")
    assert decision.action == done.action
    assert before - timedelta(milliseconds=1) <= decision.at.replace(tzinfo=timezone.utc) <= datetime.now(timezone.utc)
    (event,) = decision.history
    assert event["before"]["label"] == GIVEN and event["before"]["origin"] == "web"
    assert event["tagged"] is True and event["undoes"] is None
    assert sample.tags == ["mine", "lgca:corrected"]
    assert dataset[ids[2]].zs_decision is None
    assert "__lgca" not in stored(triage, ids[0])


def test_decide__samples_in_memory_see_it_and_an_earlier_decision_is_counted(triage):
    sample = triage.run.dataset.first()
    before = sample.last_modified_at
    triage.decide(sample.id, Decision.SKIPPED)
    assert sample.last_modified_at > before
    assert sample.zs_decision.by == getpass.getuser()
    done = triage.decide(sample.id, "label right")
    assert (done.replaced, str(done)) == (1, "kept: 1 sample; 1 with an earlier decision, now replaced")


def test_decide__tags_of_the_users_own_stay(triage):
    dataset, first = triage.run.dataset, triage.run.dataset.first()
    first.tags = ["lgca:corrected", "mine"]
    first.save()
    triage.decide(first.id, "accepted")
    triage.decide(first.id, "skipped")
    assert stored(triage, first.id)["tags"] == ["lgca:corrected", "mine", "lgca:skipped"]
    triage.undo()
    triage.undo()
    assert stored(triage, first.id)["tags"] == ["lgca:corrected", "mine"]
    triage.decide(first.id, "skipped")
    dataset.untag_samples("lgca:skipped")
    triage.undo()
    assert stored(triage, first.id)["tags"] == ["lgca:corrected", "mine"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decision": "wrong"}, "decision must be one of 'accepted', 'label right'.* got 'wrong'"),
        ({"ids": []}, "sample_ids is empty"),
        ({"ids": ["no id"]}, "ids of samples, got 'no id'"),
        ({"ids": ["0" * 24]}, "which has no "),
        ({"ids": "all"}, "label must name the right class: 6 samples have no suggestion"),
        ({"ids": "last"}, "label must name the right class: sample .* has no suggestion"),
        ({"label": "puffin"}, "label 'puffin' is no class of run 'zs'; pass allow_new_class=True"),
        ({"label": " "}, "label must be the name of a class"),
        ({"label": OTHER, "decision": "skipped"}, "goes with 'accepted' alone, not with 'skipped'"),
        ({"by": ""}, "by must be a text that is not blank"),
        ({"note": 3}, "note must be a text"),
    ],
    ids=str,
)
def test_decide__wrong_arguments_are_refused_before_anything_is_written(triage, change, message):
    ids = ids_of(triage)
    arguments = {"ids": ids[:1], "decision": "accepted", **change}
    which = arguments.pop("ids")
    with pytest.raises(lgca.ConfigError, match=message):
        triage.decide({"all": ids, "last": ids[-1]}[which] if isinstance(which, str) else which, **arguments)
    triage.run.dataset.reload()
    assert not {"labels_corrected", "zs_decision"} & set(triage.run.dataset.get_field_schema())


def test_decide__samples_of_another_dataset_are_refused(triage, dataset):
    with pytest.raises(lgca.ConfigError, match="got a view of another"):
        triage.decide(dataset, "skipped")


def test_decide__a_view_that_groups_samples_is_all_of_them(triage):
    dataset = triage.run.dataset
    assert triage.decide(dataset.group_by("labels.label"), "skipped").samples == len(dataset) == 12
    assert triage.undo(sample_ids=dataset.concat(dataset.limit(2))).samples == 12


def test_decide__a_run_that_is_gone_is_not_written_to(triage):
    first = ids_of(triage)[0]
    triage.run.delete()
    with pytest.raises(lgca.LgcaError, match="was deleted since"):
        triage.decide(first, "skipped")
    with pytest.raises(lgca.LgcaError, match="was deleted since"):
        triage.undo()


def test_decide__the_first_decisions_of_several_people_at_once(triage):
    """All threads share FiftyOne's one object of the dataset, which the App loads at every event."""
    dataset, ids = triage.run.dataset, ids_of(triage)

    def work(id_):
        lgca.load_run(dataset, "zs").last_triage().decide(id_, "accepted", label=OTHER, by=id_, wait=False)
        dataset.reload()

    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, ids))
        assert [corrected(triage, id_) for id_ in ids] == [OTHER] * len(ids)
        for name in ("labels_corrected", "zs_decision"):
            dataset.delete_sample_field(name)
