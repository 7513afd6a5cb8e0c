"""The demo: draws a dataset, finds its wrong labels and opens the App. ``python -m lgca_plugin.demo --help``."""

from __future__ import annotations

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING

from ..api import find_wrong_labels
from ..cli.output import errors_only
from ..cli.review import serving
from ..errors import LgcaError
from ..method.core.methods import METHODS
from .dataset import NAME, is_demo, load_demo_dataset
from .report import report_text

if TYPE_CHECKING:
    import fiftyone as fo

    from ..workflows.decisions.queue import Triage


def main(arguments: list[str] | None = None) -> int:
    """Runs the demo.

    Args:
        arguments: command-line arguments; None takes the process's

    Returns:
        exit status: 0, or 1 with a sentence on standard error
    """
    options = _parser().parse_args(arguments)
    with errors_only():
        _say(f"Looking for wrong labels among those of {options.count} drawn birds ...")
        try:
            dataset = load_demo_dataset(count=options.count, overwrite=options.fresh and is_demo(NAME))
            triage = find_wrong_labels(dataset, "ground_truth", methods=tuple(METHODS))
        except LgcaError as error:
            sys.stderr.write(f"The demo stopped: {error}\n")
            return 1
        _say(report_text(triage))
        if options.app:
            _open_app(dataset, triage, options.address, options.port)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lgca_plugin.demo", description=(__doc__ or "").split(" ``")[0])
    parser.add_argument("--no-app", dest="app", action="store_false", help="stop after the table")
    parser.add_argument(
        "--fresh", action="store_true", help="start anew: forget the demo's dataset and all decisions about its labels"
    )
    parser.add_argument("--count", type=int, default=240, help="number of pictures (default 240)")
    parser.add_argument(
        "--address", default="127.0.0.1", help="address of the App (default 127.0.0.1: this machine only)"
    )
    parser.add_argument("--port", type=int, default=5151, help="port of the App (default 5151)")
    return parser


def _open_app(dataset: fo.Dataset, triage: Triage, address: str, port: int) -> None:
    with serving(dataset, None, address, port) as session:
        _say(f"\nOpen http://{address}:{port}/datasets/{dataset.name}\n{_what_to_press(triage)} Ctrl+C ends the demo.")
        with contextlib.suppress(KeyboardInterrupt):
            session.wait(-1)


def _what_to_press(triage: Triage) -> str:
    """Returns the sentence that says what to do with the first suspect, or that there is none left."""
    queue = triage.suspects()
    if not len(queue):
        return "All suspected labels are decided about; --fresh starts anew."
    given, suggested = (queue.values(f"{path}.label")[0] for path in ("ground_truth", triage.places.suggestion))
    return f"Look at the bird and press “Change to {suggested}” or “Keep {given}”; the next one follows."


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
