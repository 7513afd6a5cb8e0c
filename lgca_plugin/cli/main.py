"""The command ``lgca``: its verbs, and how it ends.

The exit status is 0 when all went well; 1 with one sentence on standard error when something can't be done; 2 when the
command itself is wrong, such as an option that does not exist; and 130 after Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module

import click

from ..errors import LgcaError
from ..version import __version__
from .output import JSON_FLAG
from .words import command_words

VERBS = {
    "find": "labels",
    "classify": "labels",
    "triage": "labels",
    "review": "review",
    "export": "decisions",
    "report": "report",
    "job": "job",
    "runs": "runs",
    "store": "store",
    "doctor": "doctor",
}
"""Each verb and the module of this folder that holds it, in the order of ``lgca --help``.

A new verb is a row here, and a function of its name in a module.
"""

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130


class Verbs(click.Group):
    """The verbs, of which only the one that is called is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002, click's own signature
        """Returns the verbs."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Returns a verb."""
        if cmd_name not in VERBS:
            return None
        try:
            found = getattr(import_module(f".{VERBS[cmd_name]}", __package__), cmd_name)
        except ImportError as error:
            raise LgcaError(f"the installation is not complete ({error}): lgca doctor says what is missing") from error
        return found if isinstance(found, click.Command) else None


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lgca")
def lgca() -> None:
    """Finds wrong labels in FiftyOne datasets, and classifies images without training.

    Begin with "lgca find DATASET". Given labels are never changed: corrected ones go to a field of their own.
    """


def main(arguments: list[str] | None = None) -> int:
    """Runs the command.

    Args:
        arguments: what stands behind ``lgca``; None takes the process's

    Returns:
        the exit status
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        status = lgca.main(arguments, prog_name="lgca", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return WRONG_USAGE
    except LgcaError as error:
        sentence = command_words(str(error))
        click.echo(f"Error: {sentence}", err=True)
        if JSON_FLAG in arguments:
            click.echo(json.dumps({"error": sentence}))
        return FAILED
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; what was done is kept, and the same command goes on with it", err=True)
        return INTERRUPTED
    return status if isinstance(status, int) else DONE
