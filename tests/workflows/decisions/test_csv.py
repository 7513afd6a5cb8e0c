"""Decisions as CSV: no text of a dataset is a formula in a spreadsheet."""

import csv
import io
from datetime import datetime, timezone

import pytest

from lgca_plugin.workflows.decisions.decisions import Decision
from lgca_plugin.workflows.decisions.rows import DecisionRow, csv_text

PLAIN = ["", "duck", "a = b", "5", "'=1", '"=1"', "great-tailed grackle", "3 - 2", "\u00e9t\u00e9", "<b>", "\u200bduck"]
FORMULAS = [
    *("=1+1", "+1", "-1", "@SUM(A1)", "-", "=", "==1"),
    *(" =1", "   @x", "\t=1", "\n=1", "\r\n=1", "\x0b-1", "\x0c+1", "\x1f=1", "\x00=1", "\x7f=1"),
    *("\u00a0=1", "\u2003=1", "\u3000=1", "\u2028=1", "\u200b=1", "\ufeff=1", "\u202e=1", "\u00ad=1", " \t\n\u200b =1"),
    *("\uff1d1", "\uff0b1", "\uff0d1", "\uff20x", "\tduck", "\rduck", "\nduck"),
]


def cells(text):
    """The texts of a row as a reader of CSV has them, where every text of the decision is this one."""
    texts = dict.fromkeys(("sample_id", "filepath", "given", "suggested", "corrected", "by", "note"), text)
    row = DecisionRow(
        **texts, decision=Decision.ACCEPTED, confidence=-0.5, label_quality=None, at=datetime.now(timezone.utc),
        action=text, undoes=text,
    )  # fmt: skip
    (found,) = csv.DictReader(io.StringIO(csv_text([row], history=True), newline=""))
    assert found["confidence"] == "-0.5"
    return {found[name] for name in (*texts, "action", "undoes")}


@pytest.mark.parametrize("text", PLAIN)
def test_cell__that_is_no_formula_stays_as_it_is(text):
    assert cells(text) == {text}


@pytest.mark.parametrize("text", FORMULAS)
def test_cell__that_a_spreadsheet_takes_for_a_formula_is_a_text(text):
    assert cells(text) == {f"'{text}"}
