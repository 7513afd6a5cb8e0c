"""Errors speak two ways: to code they name the argument, in the App they use the words of its forms."""

import ast
import re

import pytest

from lgca_plugin.errors import ConfigError, DescribeError, app_words
from tests.helpers.paths import ROOT

# Errors of a caller's own code, which no form can lead to.
FROM_CODE_ALONE = (
    "demo/",
    "engine/engine.py",
    "engine/region_expansion.py",
    "figures/",
    "job/",
    "method/core/boxes.py",
    "method/core/scores.py",
    "method/tuning/scorer.py",
    "runs/clean_store.py",
    "workflows/fuse/captions.py",
    "workflows/job/",
    "workflows/rescore/sweep.py",
    "workflows/similarity/",
)
PYTHON = re.compile(r"\w+=|\blgca\.|\w\(|\b[a-z]+(_[a-z]+)+\b|\b(pass|None|True|False)\b")
ALLOWED = {"open_clip"}  # the name of a package


def text_of(node):
    """The text of a message, with ``X`` for what is filled in, in quotes where it is a value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        quoted = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "shown"
        return "'X'" if quoted or node.conversion == ord("r") else "X"
    return text_of(node.left) + text_of(node.right) if isinstance(node, ast.BinOp) else "X"


def messages():
    for path in sorted((ROOT / "lgca_plugin").rglob("*.py")):
        name = path.relative_to(ROOT / "lgca_plugin").as_posix()
        if name.startswith(FROM_CODE_ALONE):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error") and node.args:
                given = [text_of(word.value) for word in node.keywords if word.arg == "app"]
                yield f"{name}:{node.lineno}", given[0] if given else app_words(text_of(node.args[0]))


def test_app__no_message_that_can_reach_it_names_an_argument():
    python = {}
    for where, text in messages():
        without_values = re.sub(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"", "", text)
        found = [match.group() for match in PYTHON.finditer(without_values) if match.group() not in ALLOWED]
        if found:
            python[where] = (text, found)
    assert python == {}
    assert len(list(messages())) > 150


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("run_key 'run_key' belongs to a run", "run key 'run_key' belongs to a run"),
        ("ground_truth 'ground_truth' is no field", "the label field 'ground_truth' is no field"),
        ("its classification fields: ground_truth, other", "its classification fields: ground_truth, other"),
        ("can't use run_key, the run's 'scale_min'", "can't use run key, the run's 'scale_min'"),
    ],
)
def test_words__leave_values_as_they_are(message, words):
    assert app_words(message) == words


def test_error__holds_both_and_may_have_words_of_its_own():
    error = ConfigError("scale_min must not exceed scale_max, got 2 > 1")
    assert str(error) == "scale_min must not exceed scale_max, got 2 > 1"
    assert error.app == "smallest crop must not exceed largest crop, got 2 > 1"
    assert ConfigError("run_key", app="the key").app == "the key"
    assert DescribeError("check model and base_url", {"a": ("b",)}).app == "check the model and the address"
