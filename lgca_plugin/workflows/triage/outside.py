"""Suspects of their own kind: samples whose given label is no class of the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ...method.labels.left_out import plain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .samples import TriageSamples


def outside_suggestions(samples: TriageSamples, methods: Sequence[str], classes: Sequence[str]) -> dict[int, int]:
    """Returns the class that is suggested for each label outside the classes: row to class index.

    It is the class with almost the same name, where only letter case, hyphens, underscores and spaces differ or a
    method gives that class too; else the class that most of the methods give, the first one of the run's at a tie.

    Args:
        samples: the samples of the triage
        methods: names of the methods that judge labels
        classes: the run's classes
    """
    index = {name: position for position, name in enumerate(classes)}
    near = {one.label: one.near for one in samples.left_out if one.near is not None}
    columns = [samples.answers[name].tolist() for name in methods]
    known = range(len(classes))  # a prediction of any origin may be missing, or be no class
    found = {}
    for row, label in samples.outside_rows.items():
        answers = [column[row] for column in columns if column[row] in known]
        meant = near.get(label)
        same = meant is not None and (plain_name(meant) == plain_name(label) or index[meant] in answers)
        if same and meant is not None:
            found[row] = index[meant]
        elif answers:
            found[row] = Counter(answers).most_common(1)[0][0]
    return found
