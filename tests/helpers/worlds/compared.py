"""A run of sixty samples with a triage, all written by hand: what the tests of the panel that compares methods open."""

import random
from typing import Any

from tests.helpers.worlds.overview import add, new_run, triaged

URI = "@lgca/zero-shot/lgca_compare"
CLASSES = ["tern", "swan", "gull"]


def rows(count, seed=0, classes=CLASSES):
    rng = random.Random(seed)
    found = []
    for at in range(count):
        row: dict[str, Any] = {
            "answers": [rng.choice(classes) for _ in range(3)],
            "margins": [rng.random() for _ in range(3)],
        }
        row["truth"] = rng.choice(classes)
        if at % 10 == 3:
            row |= {"answers": [None] * 3, "error": "no image"}
        if at % 10 == 7:
            row["answers"] = [None] * 3
        found.append(row)
    return found


def triage_columns(count):
    return {
        "case": ["nobody right" if at % 2 else "all right" for at in range(count)],
        "misleading": [float(1 + at % 3) if at % 4 == 0 else None for at in range(count)],
        "quality": [at / count for at in range(count)],
        "suggested": ["swan" if at % 5 == 0 else None for at in range(count)],
    }


def compared():
    """Makes the dataset, and gives its run."""
    made = new_run(CLASSES)
    add(made, rows(60))
    return triaged(made, triage_columns(60))


def cells(panel):
    """The numbers in the picture of the class flow, by row and column."""
    numbers = panel.data["page.flow"][1]
    written = [int(text.replace(",", "")) for text in numbers["text"]]
    return dict(zip(zip(numbers["y"], numbers["x"], strict=True), written, strict=True))
