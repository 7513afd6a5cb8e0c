"""The demo: draws a dataset, classifies it, prints a table and opens the App. ``python -m lgca_plugin.demo --help``."""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from ..api import classify, load_run
from ..config import DEFAULT_RUN_KEY
from ..errors import LgcaError
from ..fiftyone_io.fields import method_field, regions_field
from ..method.core.methods import METHODS
from ..runs.registry import list_runs
from .classes import CLASSES, DESCRIPTIONS
from .dataset import load_demo_dataset
from .report import accuracy_table

if TYPE_CHECKING:
    import fiftyone as fo

    from ..run import Run

_SHOWN = ("clip", "wca", "lgca")


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo.

    Args:
        arguments: command-line arguments; None takes the process's

    Returns:
        exit status: 0, or 1 with a sentence on standard error
    """
    options = _parser().parse_args(arguments)
    for chatty in ("fiftyone", "eta"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        dataset = _draw(options.count)
        run = _classify(dataset, fresh=options.fresh)
    except LgcaError as error:
        sys.stderr.write(f"The demo stopped: {error}\n")
        return 1
    _say("\n" + accuracy_table(run, "truth"))
    _say(
        "\nThe pictures are drawn by this package and the model is a tiny CLIP trained on such drawings: a fixture "
        "to try the plugin on,\nand no evidence about photographs or about which method wins with a real CLIP."
    )
    if options.app:
        _open_app(dataset, options.address, options.port)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lgca_plugin.demo", description=(__doc__ or "").split(" ``")[0])
    parser.add_argument("--no-app", dest="app", action="store_false", help="stop after the table")
    parser.add_argument("--fresh", action="store_true", help="classify again, even if a finished run is there")
    parser.add_argument("--count", type=int, default=240, help="number of pictures (default 240)")
    parser.add_argument(
        "--address", default="127.0.0.1", help="address of the App (default 127.0.0.1: this machine only)"
    )
    parser.add_argument("--port", type=int, default=5151, help="port of the App (default 5151)")
    return parser


def _draw(count: int) -> fo.Dataset:
    _say(f"Drawing {count} birds ...")
    return load_demo_dataset(count=count)


def _classify(dataset: fo.Dataset, *, fresh: bool) -> Run:
    if DEFAULT_RUN_KEY in list_runs(dataset) and not fresh:
        run = load_run(dataset, DEFAULT_RUN_KEY)
        if run.results.get("status") == "done":
            _say(f"Run {run.key!r} is there already; --fresh does it again.")
            return run
    _say(f"Classifying them with {', '.join(METHODS)} ...")
    run = classify(
        dataset,
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=tuple(METHODS),
        encoder="demo",
        ground_truth="ground_truth",
        overwrite=fresh,
    )
    _choose_shown_fields(dataset, run.key)
    return run


def _choose_shown_fields(dataset: fo.Dataset, run_key: str) -> None:
    """Leaves the true classes and the controls unticked in the App's sidebar: too many labels for a thumbnail."""
    import fiftyone as fo

    shown = ["ground_truth", *(method_field(run_key, method) for method in _SHOWN), regions_field(run_key)]
    dataset.app_config.active_fields = fo.ActiveFields(exclude=False, paths=shown)
    dataset.save()


def _open_app(dataset: fo.Dataset, address: str, port: int) -> None:
    import fiftyone as fo

    session = fo.launch_app(dataset, address=address, port=port)
    _say(f"\nThe App is at http://{address}:{port}/datasets/{dataset.name} - press Ctrl+C to stop.")
    with contextlib.suppress(KeyboardInterrupt):
        session.wait(-1)
    session.close()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
