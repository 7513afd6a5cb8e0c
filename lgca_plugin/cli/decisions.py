"""The verb about decisions: ``export``."""

from __future__ import annotations

from pathlib import Path

import click

from ..workflows.decisions.queue import Triage
from .arguments import argument, dataset_argument
from .opening import open_dataset, open_run
from .output import Answer, verb

EXPORT, SUSPECTS = Triage.export, Triage.export_suspects
FORMATS = ("csv", "cvat", "label-studio", "label-studio-interface")


@verb()
@dataset_argument
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--run", "run_key", metavar="KEY", help="Key of the run; without it, the newest one that was triaged.")
@argument(EXPORT, "history", text="write every event, also decisions that were replaced or undone")
@click.option("--suspects", type=click.Choice(FORMATS), help="Write all suspects, decided or not, in this format.")
@argument(EXPORT, "overwrite")
def export(
    dataset: str, path: Path, run_key: str | None, history: bool, suspects: str | None, overwrite: bool
) -> Answer:
    """Writes the decisions about labels to a CSV file.

    PATH is the file. With --suspects, it gets what looks wrong instead, for a table or an annotation tool.
    """
    triage = open_run(open_dataset(dataset), run_key, triaged=True).last_triage()
    if suspects is not None:
        written = triage.export_suspects(path, suspects, overwrite=overwrite)
        rows = int(triage.report.get("suspects") or 0)
    else:
        written = triage.export(path, history=history, overwrite=overwrite)
        rows = len(triage.decisions(history=history))
    what = "suspects" if suspects is not None else "decisions"
    data = {"dataset": dataset, "run": triage.run.key, "path": str(written), "rows": rows, "left": triage.left()}
    return Answer(text=f"{rows:,} {what} written to {written}", data=data)
