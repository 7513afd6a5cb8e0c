"""What the grid shows on a suspect: the suggestion as a question until somebody has decided."""

import fiftyone as fo

import lgca_plugin as lgca
from lgca_plugin.workflows.decisions.pill import write_pills
from tests.helpers.worlds.queue import GIVEN, OTHER, SUGGESTED, SUSPECTS, ids_of, stored

QUESTION = f"{GIVEN} → {SUGGESTED}?"


def pill(triage, id_):
    return (stored(triage, id_).get("zs_suspect") or {}).get("label")


def with_pills(triage):
    """A triage whose texts are written, as this release writes them."""
    triage.run.dataset.add_sample_field("zs_suspect", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    write_pills(triage.run.dataset, triage.places)
    return triage, ids_of(triage)


def test_pill__asks_on_suspects_alone(triage):
    triage, ids = with_pills(triage)
    assert [pill(triage, id_) for id_ in ids] == [QUESTION] * SUSPECTS + [None] * (len(ids) - SUSPECTS)
    label = triage.run.dataset[ids[0]].zs_suspect
    assert isinstance(label, fo.Classification) and label.label == QUESTION
    assert triage.run.dataset.distinct("zs_suggestion.label") == [SUGGESTED], "code reads the class alone"


def test_pill__says_what_was_decided_and_comes_back_with_undo(triage):
    triage, ids = with_pills(triage)
    triage.decide(ids[0], "accepted")
    triage.decide(ids[1], "accepted", label=OTHER)
    triage.decide(ids[2], "label right")
    triage.decide(ids[3], "bad image")
    triage.decide(ids[4], "skipped")
    triage.decide(ids[SUSPECTS], "accepted", label=OTHER)
    triage.decide(ids[SUSPECTS + 1], "accepted", label=GIVEN)
    changed = [f"{GIVEN} → {SUGGESTED}", f"{GIVEN} → {OTHER}", None, "bad image", "can't tell", QUESTION]
    assert [pill(triage, id_) for id_ in ids[: SUSPECTS + 2]] == [*changed, f"{GIVEN} → {OTHER}", None]
    first = stored(triage, ids[0])["zs_suspect"]["_id"]
    triage.decide(ids[0], "bad crop")
    assert pill(triage, ids[0]) is None
    triage.undo()
    assert pill(triage, ids[0]) == f"{GIVEN} → {SUGGESTED}"
    assert first != stored(triage, ids[1])["zs_suspect"]["_id"]
    triage.undo(sample_ids=ids[: SUSPECTS + 2])
    assert [pill(triage, id_) for id_ in ids] == [QUESTION] * SUSPECTS + [None] * (len(ids) - SUSPECTS)


def test_pill__of_a_decided_sample_stays_when_the_suspects_are_found_again(triage):
    triage, ids = with_pills(triage)
    triage.decide(ids[0], "label right")
    write_pills(triage.run.dataset, triage.places)
    assert [pill(triage, id_) for id_ in ids[:2]] == [None, QUESTION]


def test_decide__of_an_earlier_releases_triage_writes_no_pill(triage):
    first = ids_of(triage)[0]
    triage.decide(first, "accepted")
    triage.undo()
    assert "zs_suspect" not in stored(triage, first)
    assert "zs_suspect" not in lgca.load_run(triage.run.dataset, "zs").dataset.get_field_schema()
