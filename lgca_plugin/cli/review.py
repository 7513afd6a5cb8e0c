"""The verb ``review``: the App with the review of suspected labels beside the grid."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Any

import click

from ..errors import LgcaError
from ..fiftyone_io.app_layout import PANEL_SHARE
from .arguments import dataset_argument
from .opening import open_dataset, open_run
from .output import Answer, verb

if TYPE_CHECKING:
    import fiftyone as fo

REVIEW_PANEL = "lgca_review"
PLUGIN = "@lgca/zero-shot"
SOURCE = "https://github.com/fiftyone-lgca/fiftyone-lgca"


@verb()
@dataset_argument
@click.option("--run", "run_key", metavar="KEY", help="Key of the run; without it, the newest one that was triaged.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address of the App: this machine alone.")
@click.option("--port", type=int, default=5151, show_default=True, help="Port of the App.")
def review(dataset: str, run_key: str | None, address: str, port: int) -> Answer:
    """Opens the App on the labels that look wrong.

    Decide about those of DATASET one by one; Ctrl-C ends it.
    """
    opened = open_dataset(dataset)
    check_plugin()
    run = open_run(opened, run_key, triaged=True)
    before = run.last_triage().left()
    url = f"http://{address}:{port}/datasets/{dataset}"
    with serving(opened, run_key, address, port) as session:
        click.echo(f"Open {url}\n{before['undecided']:,} labels of run {run.key!r} are left to review. Ctrl-C ends it.")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            session.wait(-1)
    left = run.last_triage().left()
    text = f"{before['undecided'] - left['undecided']:,} labels reviewed, {left['undecided']:,} left"
    return Answer(text=text, data={"dataset": dataset, "run": run.key, "url": url, "before": before, "left": left})


def check_plugin() -> None:
    """Checks that the App has the plugin.

    Raises:
        LgcaError: if FiftyOne finds none
    """
    import fiftyone as fo
    import fiftyone.plugins as fop

    if PLUGIN not in {plugin.name for plugin in fop.list_plugins()}:
        raise LgcaError(
            f"the App has no review yet, since the plugin is not in {fo.config.plugins_dir}: "
            f"fiftyone plugins download {SOURCE}"
        )


@contextlib.contextmanager
def serving(dataset: Any, run_key: str | None, address: str, port: int) -> Any:
    """Serves the App with the review beside the grid; yields the session."""
    import fiftyone as fo

    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it waits for the server
        session = fo.launch_app(dataset, spaces=review_beside_grid(run_key), address=address, port=port)
    try:
        yield session
    finally:
        session.close()


def review_beside_grid(run_key: str | None = None) -> fo.Space:
    """Returns the App's layout with the review panel beside the grid; without a run, of the one triaged last."""
    import fiftyone as fo

    state = {} if run_key is None else {"state": {"key": run_key}}
    panels = fo.Panel(type="Samples", pinned=True), fo.Panel(type=REVIEW_PANEL, **state)
    # A space without an active child shows nothing.
    spaces = [fo.Space(children=[panel], active_child=panel.component_id) for panel in panels]
    first, sizes = spaces[0].component_id, [1 - PANEL_SHARE, PANEL_SHARE]
    return fo.Space(children=spaces, orientation="horizontal", sizes=sizes, active_child=first)
