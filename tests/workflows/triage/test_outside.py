"""The class that is suggested for a label outside the classes."""

import numpy as np
import pytest

from lgca_plugin.method.labels.left_out import left_out
from lgca_plugin.workflows.triage.outside import outside_suggestions
from lgca_plugin.workflows.triage.samples import TriageSamples

CLASSES = ["grey heron", "great egret", "tern"]
HERON, EGRET, TERN = range(3)


@pytest.mark.parametrize(
    ("label", "answers", "suggested"),
    [
        ("Grey-Heron", [EGRET, EGRET, EGRET], HERON),  # the same name, whatever the methods see
        ("grey herron", [EGRET, HERON, EGRET], HERON),  # a slip, and one method sees what was meant
        ("grey herron", [EGRET, EGRET, TERN], EGRET),  # perhaps a slip, but no method sees it
        ("dodo", [TERN, EGRET, EGRET], EGRET),
        ("dodo", [TERN, EGRET, HERON], TERN),
    ],
)
def test_suggestion__is_what_was_meant_or_what_most_methods_see(label, answers, suggested):
    methods = ("clip", "wca", "lgca")
    given = {name: np.array([HERON, answer]) for name, answer in zip(methods, answers, strict=True)}
    samples = TriageSamples(
        ids=["a", "b"],
        answers=given,
        own_answers=given,
        truth=np.array([HERON, -1]),
        counts={},
        labels={},
        left_out=tuple(left_out(CLASSES, {label: 1, "grey heron": 1})),
        outside_rows={1: label},
    )
    assert samples.is_outside.tolist() == [False, True]
    assert outside_suggestions(samples, methods, CLASSES) == {1: suggested}
