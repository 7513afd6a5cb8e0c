"""Packs the plugin for ``fiftyone plugins download``: what it needs, without tests, pictures and benchmarks.

``make plugin`` writes the ZIP file to ``dist/``. Of a repository, FiftyOne would download and copy everything.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("__init__.py", "fiftyone.yml", "manifest.json", "requirements.txt", "README.md", "LICENSE", "CHANGELOG.md")
FOLDERS = ("lgca_plugin", "operators", "skills")
TOP = "lgca-zero-shot"
"""Folder in the file that holds all."""


def packed() -> list[str]:
    """Returns the paths of the files that the plugin needs, relative to the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *FILES, *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def write_zip(path: Path) -> Path:
    """Writes the file and returns it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in packed():
            archive.write(ROOT / name, f"{TOP}/{name}")
    return path


def main() -> None:
    """Writes ``dist/lgca-zero-shot-VERSION.zip``."""
    sys.path.insert(0, str(ROOT))
    from lgca_plugin.version import __version__

    path = write_zip(ROOT / "dist" / f"{TOP}-{__version__}.zip")
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
