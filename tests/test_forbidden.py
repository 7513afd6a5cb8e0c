"""What no line of the plugin may do: execute data, start a program, trust a model's code, write markup into a page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

FORBIDDEN = {
    "import pickle": "TID251",
    "from pickle import loads": "TID251",
    "import marshal": "TID251",
    "import torch\ntorch.load('x', weights_only=False)": "TID251",
    "from torch.hub import load": "TID251",
    "import numpy as np\nnp.load('x', allow_pickle=True)": "TID251",
    "import subprocess": "TID251",
    "import os\nos.system('x')": "TID251",
    "from os import popen": "TID251",
    "import socket": "TID251",
    "import urllib.request": "TID251",
    "eval('x')": "S307",
    "exec('x')": "S102",
    "import os\nos.execv('x', [])": "S606",
    "import yaml\nyaml.load('x')": "S506",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the project's linter says of each forbidden line, as a line of the library and of the App."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for package in ("lgca_plugin", "operators"):
        (folder / package).mkdir()
        for number, line in enumerate(FORBIDDEN):
            (folder / package / f"line_{number}.py").write_text(f"{line}\n")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    said = done.stdout
    return {
        line: "\n".join(entry for entry in said.splitlines() if Path(entry.partition(":")[0]).stem == f"line_{number}")
        for number, line in enumerate(FORBIDDEN)
    }


@pytest.mark.parametrize("line", FORBIDDEN)
def test_line__that_is_forbidden_fails_the_lint(found: dict[str, str], line: str) -> None:
    for package in ("lgca_plugin", "operators"):
        said = [entry for entry in found[line].splitlines() if f"{package}/line_" in entry]
        assert any(f" {FORBIDDEN[line]} " in entry for entry in said), said


def sources(*patterns: str) -> list[Path]:
    """The plugin's own files."""
    return [
        path for folder in ("lgca_plugin", "operators") for kind in patterns for path in (ROOT / folder).rglob(kind)
    ]


def test_trust_remote_code__stands_in_the_one_place_that_refuses_it() -> None:
    holding = {path.relative_to(ROOT).as_posix() for path in sources("*.py") if "trust_remote" in path.read_text()}
    assert holding == {"lgca_plugin/encoder/own_code.py"}


@pytest.mark.parametrize("words", ["noqa: TID251", "noqa: S3", "noqa: S102", "noqa: S6 ", "noqa: S60", "noqa\n"])
def test_lint__is_not_switched_off(words: str) -> None:
    assert not [path for path in sources("*.py") if words in path.read_text().replace("noqa: S608", "")]


def test_javascript__writes_no_markup_and_executes_no_text() -> None:
    scripts = sources("*.js")
    assert scripts
    for words in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "javascript:",
    ):
        assert not [path for path in scripts if words in path.read_text()]
