"""``lgca_report`` as FiftyOne executes it: its form, downloads, files on the server, a worker, and what it refuses."""

import base64
import csv
import io
import json

import pytest

from tests.helpers.app.operators import REPORT, shown, work


@pytest.fixture
def exports(tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path))
    return tmp_path


def downloaded(messages):
    (sent,) = (message.params for message in messages if message.operator_uri == "browser_download")
    kind, _, content = sent["url"].partition(",")
    return sent["filename"], kind, base64.b64decode(content).decode("utf-8")


def test_form__starts_valid_and_follows_what_is_written(triage):
    dataset = triage.run.dataset
    properties, found = REPORT.form(dataset, **REPORT.filled(dataset))
    assert found == {} and {"run", "kind", "max_suspects", "destination"} <= set(properties)
    properties, found = REPORT.form(dataset, kind="cvat", destination="server", path="suspects.csv")
    assert "max_suspects" not in properties and "must end in .xml" in found["path"]
    assert "at most 1,000 suspects" in REPORT.errors(dataset, max_suspects=5000)["max_suspects"].lower()
    assert (
        "number of suspects must be a whole number" in REPORT.errors(dataset, max_suspects=-1)["max_suspects"].lower()
    )


def test_page__is_downloaded(triage):
    name, kind, text = downloaded(REPORT.run(triage.run.dataset, max_suspects=2))
    assert name.startswith("zs_report_") and name.endswith(".html") and kind == "data:text/html;base64"
    assert text.count('<article class="card">') == 2 and "<script" not in text


def test_suspects__are_downloaded_for_a_table_and_for_annotation_tools(triage):
    dataset, ids = triage.run.dataset, triage.suspects(decided=None).values("id")
    _, _, text = downloaded(REPORT.run(dataset, kind="csv"))
    assert [row["sample_id"] for row in csv.DictReader(io.StringIO(text, newline=""))] == ids
    name, _, text = downloaded(REPORT.run(dataset, kind="label-studio"))
    assert name.endswith(".json") and [task["data"]["sample_id"] for task in json.loads(text)] == ids


def test_file__is_written_to_the_folder_of_exports(triage, exports):
    dataset = triage.run.dataset
    messages = REPORT.run(dataset, destination="server", path="page.html", max_suspects=1)
    assert shown(messages)["values"]["File"] == str(exports / "page.html")
    assert "labels checked" in (exports / "page.html").read_text(encoding="utf-8")
    assert "exists already" in REPORT.errors(dataset, destination="server", path="page.html")["path"]
    queued = REPORT.queue(dataset, "zs", "suspects.xml", kind="cvat")
    assert work(queued, dataset) == "Report zero-shot: zs"
    assert (exports / "suspects.xml").read_text(encoding="utf-8").count("<image ") == len(triage.suspects(decided=None))


def test_refused(triage, dataset):
    assert "no zero-shot run to report" in REPORT.errors(dataset)["refusal"]
    with pytest.raises(ValueError, match="no report of kind 'poem'"):
        REPORT.begin(REPORT.context(triage.run.dataset, {"kind": "poem"}))
