"""The three kinds of tests, by the folder they are in: each test is marked with one of them."""

import re
from pathlib import Path
from typing import Literal

from tests.helpers.paths import ROOT

Kind = Literal["unit", "db", "app"]

UNIT = {
    *(
        "benchmarks",
        "demo",
        "descriptions",
        "encoder",
        "engine",
        "figures",
        "images",
        "job",
        "method",
        "prediction",
        "store",
    ),
    *("test_cache.py", "test_config.py", "test_docs.py", "test_forbidden.py", "test_rooms.py", "test_setup_env.py"),
}
"""Folders and files whose tests need no database: they must not import FiftyOne, which connects to one."""


def kind_of(path: Path) -> Kind:
    """Returns the kind of a file's tests."""
    parts = path.relative_to(ROOT / "tests").parts
    return "app" if parts[:1] == ("browser",) else "unit" if parts and parts[0] in UNIT else "db"


def selects_units_only(expression: str) -> bool:
    """Whether ``pytest -m`` with this expression runs unit tests only, as with "unit and not thorough"."""
    words = re.findall(r"\w+", expression)
    return words[:1] == ["unit"] and set(words) <= {"unit", "and", "not", "thorough", "faults"}
