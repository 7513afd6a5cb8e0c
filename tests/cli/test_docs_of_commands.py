"""The pages on the command line and on results say what the code does."""

import re
import shlex
from typing import Any

import click
import pytest
import yaml

from lgca_plugin.cli.main import DONE, FAILED, INTERRUPTED, VERBS, WRONG_USAGE, lgca
from tests.helpers.app.results import KEYS
from tests.helpers.paths import ROOT

COMMANDS = (ROOT / "docs/howto/command_line.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "docs/howto/results.md").read_text(encoding="utf-8")
TYPED = sorted({line.split("#")[0].split("|")[0].strip() for line in COMMANDS.splitlines() if line.startswith("lgca ")})


def leaves(command, words=()):
    """Every command that can be typed: its words, with the arguments that it needs, and itself."""
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            yield from leaves(command.get_command(ctx, name), (*words, name))
    else:
        needed = [one.human_readable_name for one in command.params if isinstance(one, click.Argument)]
        yield " ".join(("lgca", *words, *needed)), command


def test_page__has_every_verb_with_the_first_sentence_of_its_help():
    rows = re.findall(r"^\| `(lgca [^`]+)` \| (.*) \|$", COMMANDS, re.MULTILINE)
    assert sorted(rows) == sorted((typed, command.help.splitlines()[0]) for typed, command in leaves(lgca))


@pytest.mark.parametrize("typed", TYPED)
def test_page__every_command_on_it_can_be_typed(typed):
    command: Any = lgca
    words = shlex.split(typed)[1:]
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), words.pop(0))
    assert command.make_context(typed, words).params
    assert typed.split()[1] in VERBS


def test_page__has_every_exit_status():
    found = re.findall(r"^\| (\d+) \|", COMMANDS, re.MULTILINE)
    assert [int(status) for status in found] == [DONE, FAILED, WRONG_USAGE, INTERRUPTED]


def test_page__has_every_part_of_a_result_and_every_operator():
    parts = RESULTS.partition("| in the result | |")[2].partition("and what an operator")[0]
    assert re.findall(r"^\| `(\w+)` \|", parts, re.MULTILINE) == KEYS
    operators = yaml.safe_load((ROOT / "fiftyone.yml").read_text())["operators"]
    assert set(re.findall(r"`(lgca_(?!plugin)\w+)`", RESULTS)) == set(operators)
