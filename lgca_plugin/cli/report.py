"""The verb ``report``: a run as a page for people without the App."""

from __future__ import annotations

from pathlib import Path

import click

from ..run import Run
from .arguments import argument, dataset_argument
from .opening import open_dataset, open_run
from .output import Answer, progress_bar, verb

REPORT = Run.report


@verb()
@dataset_argument
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--run", "run_key", metavar="KEY", help="Key of the run; without it, the newest one.")
@argument(REPORT, "max_suspects")
@argument(REPORT, "max_cases")
@argument(REPORT, "overwrite")
def report(
    dataset: str, folder: Path, run_key: str | None, max_suspects: int, max_cases: int, overwrite: bool
) -> Answer:
    """Writes a page for people without the App, and all suspects.

    FOLDER gets report.html, one file that needs no network, and beside it the suspects and decisions as tables and as
    files for annotation tools.
    """
    run = open_run(open_dataset(dataset), run_key)
    with progress_bar() as progress:
        page = run.report(
            folder, max_suspects=max_suspects, max_cases=max_cases, overwrite=overwrite, progress=progress
        )
    files = sorted(str(one) for one in page.parent.iterdir())
    return Answer(
        text=f"The report is {page}", data={"dataset": dataset, "run": run.key, "page": str(page), "files": files}
    )
