"""Packs the plugin for ``fiftyone plugins download``: what it needs, without tests, pictures and benchmarks.

``make plugin`` writes the ZIP file to ``dist/``. ``.gitattributes`` lists what is in it, and GitHub packs the
archive that FiftyOne downloads of the repository by the same list.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP = "lgca-zero-shot"
"""Folder in the file that holds all."""


def write_zip(path: Path) -> Path:
    """Writes the tracked files as they are now, committed or not, and returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    now = _git("stash", "create") or "HEAD"  # a commit of what is not committed, that no branch has
    _git("archive", "--worktree-attributes", "--format=zip", f"--prefix={TOP}/", f"--output={path}", now)
    return path


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True, text=True)
    return done.stdout.strip()


def main() -> None:
    """Writes the file."""
    sys.path.insert(0, str(ROOT))
    from lgca_plugin.version import __version__

    path = write_zip(ROOT / "dist" / f"{TOP}-{__version__}.zip")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
