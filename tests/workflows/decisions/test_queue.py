"""Reading a triage: its queue, counts and rows, the CSV file and the saved views."""

import csv
from datetime import datetime, timedelta, timezone

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.runs.saved_views import delete_views
from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.decisions.summary_text import triage_text
from tests.helpers.worlds.queue import GIVEN, SUGGESTED, SUSPECTS, ids_of, stored


def test_queue__views_counts_and_rows(triage):
    ids = ids_of(triage)
    quality = dict(zip(ids, triage.run.dataset.values("zs_label_quality"), strict=True))
    expected = sorted(ids[:SUSPECTS], key=lambda id_: quality[id_])
    assert triage.suspects().values("id") == expected
    triage.decide(triage.suspects().limit(2), "accepted", by="anna")
    triage.decide([expected[2], ids[9]], "bad image", by="ben", note="blurred")
    triage.decide(expected[3], "skipped")
    triage.undo()
    assert triage.suspects().values("id") == expected[3:]
    assert triage.suspects(decided=True).values("id") == expected[:3]
    assert triage.suspects(decided=None).values("id") == expected
    assert triage.cases("nobody right").values("id") == ids[:4]
    with pytest.raises(lgca.ConfigError, match=r"case must be one of 'all right', .*, got 'nonsense'"):
        triage.cases("nonsense")
    none = {"label right": 0, "bad crop": 0, "skipped": 0}
    some = {"undecided": 3, "accepted": 2, "bad image": 1}
    assert triage.left() == {"suspects": 6, **some, **none, "other samples decided": 1}
    rows = triage.decisions()
    assert {row.sample_id for row in rows} == {*expected[:3], ids[9]}
    row = next(row for row in rows if row.sample_id == ids[9])
    assert (row.decision, row.given, row.suggested, row.confidence) == (Decision.BAD_IMAGE, GIVEN, None, None)
    assert (row.by, row.note, row.corrected, row.label_quality) == ("ben", "blurred", None, quality[ids[9]])
    assert row.at.tzinfo is timezone.utc
    history = triage.decisions(history=True)
    assert [row.decision for row in history][-2:] == [Decision.SKIPPED, None]
    assert history[-1].undoes == history[-2].action
    text = str(triage)
    assert text.startswith("6 labels in 'labels' look wrong; 3 are not reviewed yet\n")
    assert (
        "suspected label errors   6" in text
        and "  not reviewed           3" in text
        and "  changed                2" in text
    )
    assert "nobody right        4" in text and "all differ" not in text
    assert "clip            2.5              31.0%   2.0%" in text
    assert repr(triage).startswith("<Triage of run 'zs' on ")


def test_queue__of_a_run_that_was_not_triaged(triage):
    del triage.run.results["triage"]
    with pytest.raises(lgca.ConfigError, match=r"run 'zs' has not been triaged: run\.triage\(\) does that"):
        Triage.of(triage.run)


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_export__is_a_table_that_a_spreadsheet_can_open(triage, tmp_path):
    dataset, ids = triage.run.dataset, ids_of(triage)
    triage.decide(ids[0], "accepted", label="=1+1", by="@anna", note='ü, "x"\nz', allow_new_class=True)
    triage.decide(ids[1], "can't tell", by="ben")  # the words of the file are understood as well
    triage.undo(by="ben")
    path = triage.export(tmp_path / "out.csv")
    (row,) = read_csv(path)
    at = datetime.fromisoformat(row.pop("at").replace("Z", "+00:00"))
    assert at == triage.decisions()[0].at
    assert row == {
        "sample_id": ids[0],
        "filepath": dataset[ids[0]].filepath,
        "decision": "changed",
        "given": GIVEN,
        "suggested": SUGGESTED,
        "confidence": "0.9",
        "corrected": "'=1+1",
        "label_quality": "0.0",
        "by": "'@anna",
        "note": 'ü, "x"\nz',
    }
    with pytest.raises(lgca.ConfigError, match=r"exists; name another, or pass overwrite=True"):
        triage.export(path)
    triage.export(path, history=True, overwrite=True)
    events = read_csv(path)
    assert [event["decision"] for event in events] == ["changed", "can't tell", "undone"]
    assert events[2]["undoes"] == events[1]["action"]
    assert [item.name for item in tmp_path.iterdir()] == ["out.csv"]
    triage.decide(ids[2], "changed", label=GIVEN)  # which it had already
    assert [row["decision"] for row in read_csv(triage.export(path, overwrite=True))] == ["changed", "kept"]
    assert "  changed               1\n  kept                  1" in str(triage)
    with pytest.raises(lgca.ConfigError, match="is no folder"):
        triage.export(tmp_path / "nowhere" / "out.csv")
    with pytest.raises(lgca.ConfigError, match="is a folder"):
        triage.export(tmp_path)


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York"])
def test_times__are_right_whatever_timezone_fiftyone_shows(triage, tmp_path, monkeypatch, zone):
    monkeypatch.setattr(fo.config, "timezone", zone)
    dataset, (id_, *_) = triage.run.dataset, ids_of(triage)
    start = datetime.now(timezone.utc).replace(microsecond=0)
    triage.decide(id_, "skipped", by="anna")
    triage.undo()
    triage.decide(id_, "bad image", by="ben")
    end = datetime.now(timezone.utc)
    dataset.reload()
    (row,), history, (action,) = triage.decisions(), triage.decisions(history=True), triage.actions()
    assert start <= row.at <= end and [one.at for one in history] == sorted(one.at for one in history)
    assert row.at.utcoffset() == history[0].at.utcoffset() == action.at.utcoffset() == timedelta(0)
    assert start <= history[0].at and str(action).endswith(f"by ben, {row.at:%Y-%m-%d %H:%M:%S} UTC")
    (line,) = read_csv(triage.export(tmp_path / "out.csv"))
    assert datetime.fromisoformat(line["at"].replace("Z", "+00:00")) == row.at
    assert stored(triage, id_)["zs_decision"]["at"] == dataset[id_].zs_decision.at == row.at
    assert str(dataset[id_].zs_decision.at.tzinfo) == zone


def test_views__follow_the_decisions_and_leave_the_users_own(triage):
    dataset, ids = triage.run.dataset, ids_of(triage)
    dataset.save_view("zs: misleading crops", dataset.limit(1), description="mine")
    names = triage.save_views()
    assert names == ["zs: suspected label errors", "zs: methods disagree", "zs: decided"]
    assert triage.run.results["views"] == lgca.load_run(dataset, "zs").results["views"] == names
    assert dataset.get_saved_view_info(names[0])["color"] == "#FF6D04"
    assert len(dataset.load_saved_view("zs: suspected label errors")) == 6
    triage.decide(ids[:2], "skipped")
    assert len(dataset.load_saved_view("zs: suspected label errors")) == 4
    assert dataset.load_saved_view("zs: decided").values("id") == ids[:2]
    labels = zip(*(dataset.values(f"zs_{name}.label") for name in ("clip", "wca", "lgca")), strict=True)
    disagree = [id_ for id_, found in zip(ids, labels, strict=True) if len(set(found)) > 1]
    assert dataset.load_saved_view("zs: methods disagree").values("id") == disagree
    dataset.delete_saved_view("zs: misleading crops")
    assert len(triage.save_views()) == 4
    assert triage.save_views() == triage.run.results["views"]
    assert dataset.load_saved_view("zs: misleading crops").values("id") == ids[:3]
    dataset.save_view("zs: other", dataset.limit(1))
    delete_views(dataset, triage.run.results["views"])
    assert dataset.list_saved_views() == ["zs: other"]


@pytest.mark.parametrize(
    ("judged", "suspects", "undecided", "words"),
    [
        (1, 0, 0, "Nothing looks wrong in 'labels' (1 label was checked)"),
        (2_000, 0, 0, "Nothing looks wrong in 'labels' (2,000 labels were checked)"),
        (60, 1, 1, "1 of 60 labels in 'labels' looks wrong; 1 is not reviewed yet"),
        (60, 5, 0, "5 of 60 labels in 'labels' look wrong; all are reviewed"),
    ],
)
def test_print__begins_with_the_answer(judged, suspects, undecided, words):
    left = {"suspects": suspects, "undecided": undecided, "other samples decided": 0}
    assert triage_text("zs", {"ground_truth": "labels", "judged": judged}, left, {}).splitlines()[0] == words
