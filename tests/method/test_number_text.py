"""Numbers as users read them: literal tables."""

from __future__ import annotations

from math import nan

import pytest

from lgca_plugin.method import number_text
from lgca_plugin.method.number_text import MINUS


@pytest.mark.parametrize(
    ("function", "values", "texts"),
    [
        (
            number_text.percent_text,
            (None, nan, 0, 0.0001, 0.0005, 0.5, 1),
            ("\u2013", "\u2013", "0%", "<0.1%", "0.1%", "50.0%", "100.0%"),
        ),
        (number_text.points_text, (-0.0004, 0, 0.0006, -0.123), ("0.0", "0.0", "+0.1", "-12.3")),
        (
            number_text.signed_text,
            (nan, 0.0, 0.2863, -0.2863, 4.2e-6, -4.2e-6),
            ("\u2013", "0", "+0.2863", f"{MINUS}0.2863", "+0.000004", f"{MINUS}0.000004"),
        ),
        (number_text.p_text, (0.0004, 0.001, 1.0), ("<0.001", "0.001", "1.000")),
    ],
)
def test_text__of_a_number(function, values, texts):
    assert tuple(map(function, values)) == texts


def test_text__of_an_interval():
    assert number_text.interval_text(0.912, 0.0, 1.0) == "91.2% (0% to 100.0%)"
    assert number_text.points_interval_text((0.012, -0.0001, 0.02)) == "+1.2 (0.0 to +2.0)"
