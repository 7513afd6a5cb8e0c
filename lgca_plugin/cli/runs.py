"""The verb ``runs``: the runs of a dataset, what each holds and in which state it is."""

from __future__ import annotations

from typing import Any

from ..errors import LgcaError
from .arguments import dataset_argument
from .opening import open_dataset
from .output import Answer, verb

TITLES = ("run", "state", "images", "methods", "model", "suspects left")


@verb()
@dataset_argument
def runs(dataset: str) -> Answer:
    """Lists the runs of DATASET."""
    from ..runs.registry import list_runs

    opened = open_dataset(dataset)
    found = [described(opened, key) for key in list_runs(opened)]
    text = table([row(one) for one in found]) if found else f"{dataset} has no runs yet: lgca find {dataset} makes one"
    return Answer(text=text, data={"dataset": dataset, "runs": found})


def described(dataset: Any, key: str) -> dict[str, Any]:
    """Returns what a run holds; where its record can't be read, its state says why."""
    from ..api import load_run
    from ..runs.record import stored_triage

    names = ("methods", "encoder", "predicted", "failed", "total")
    empty: dict[str, Any] = {"run": key, **dict.fromkeys(names), "left": None}
    try:
        run = load_run(dataset, key)
        summary = run.summary()
        left = run.last_triage().left() if stored_triage(run.results) else None
    except LgcaError as error:
        return {**empty, "state": str(error)}
    return {**empty, **{name: summary.get(name) for name in names}, "state": run.state.name, "left": left}


def row(one: dict[str, Any]) -> list[str]:
    """Returns a run as cells of a table."""
    left = "-" if one["left"] is None else f"{one['left']['undecided']:,} of {one['left']['suspects']:,}"
    images = "-" if one["predicted"] is None else f"{one['predicted']:,}"
    return [one["run"], one["state"], images, ", ".join(one["methods"] or ()) or "-", one["encoder"] or "-", left]


def table(rows: list[list[str]]) -> str:
    """Returns rows under their titles, in columns as wide as their widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(TITLES, *rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(cells, widths, strict=True)] for cells in (TITLES, *rows)]
    return "\n".join("  ".join(cells).rstrip() for cells in lines)
