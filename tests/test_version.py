"""The note about a FiftyOne that is newer than the one tested."""

import logging

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io import database
from lgca_plugin.version import TESTED, is_newer_than_tested


@pytest.mark.parametrize(
    ("installed", "newer"),
    [("1.22.1", False), ("1.22.9", False), ("1.21.0", False), ("1.23.0", True), ("2.0", True), ("1.23.0.dev1", True)],
)
def test_is_newer_than_tested__compares_major_and_minor_version(monkeypatch, installed, newer):
    monkeypatch.setitem(TESTED, "fiftyone", "1.22.1")
    assert is_newer_than_tested("fiftyone", installed) is newer


@pytest.mark.parametrize(("installed", "lines"), [("99.0.0", 1), (TESTED["fiftyone"], 0)])
def test_database__a_newer_fiftyone_is_logged_once_and_works(dataset, monkeypatch, caplog, installed, lines):
    monkeypatch.setattr(fo, "__version__", installed)
    database.log_untested_version.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert lgca.list_runs(dataset) == []
    database.log_untested_version.cache_clear()
    messages = [record.message for record in caplog.records if "FiftyOne" in record.message]
    assert len(messages) == lines
    assert all(f"FiftyOne {installed} is newer than {TESTED['fiftyone']}" in message for message in messages)
