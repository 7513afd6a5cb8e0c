"""Copies the browser tests' screenshots into ``docs/images``; ``make pictures`` takes them first.

The pictures of ``docs/story.md`` come from ``scripts/story.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from tests.helpers.browser.app import ARTIFACTS
from tests.helpers.paths import ROOT

IMAGES = ROOT / "docs" / "images"

SCREENSHOTS = {
    "boxes_review": "review_box",
    "compare": "compare",
    "compare_flow": "compare_flow",
    "compare_lists": "compare_lists",
    "compare_part": "compare_part",
    "evidence": "evidence_dark",
    "find_answer": "way_in_found",
    "find_form": "find_form",
    "form": "classify_form",
    "fuse_done": "fuse_done",
    "fuse_form": "fuse_form",
    "fuse_offer": "fuse_offer",
    "menu": "menu",
    "rescore": "rescore_form",
    "review": "way_in_changed",
    "review_end": "review_end",
    "search": "search",
}
"""Name of a picture in the docs to the screenshot that it is."""

PARTS = {"menu": (300, 20, 980, 615)}
"""Name of a picture to the part of the screenshot that it shows: left, top, right, bottom in pixels."""


def main() -> int:
    """Copies the screenshots that there are, with fewer colors, and lists those that there are not."""
    missing = [name for name, source in SCREENSHOTS.items() if not copied(ARTIFACTS / f"{source}.png", name)]
    if missing:
        sys.stderr.write(f"No new screenshot for {', '.join(missing)}: run the browser tests first.\n")
    return bool(missing)


def copied(source: Path, name: str) -> bool:
    """Writes a screenshot as a picture of the docs; returns whether there is one."""
    if not source.exists():
        return False
    with Image.open(source) as picture:
        part = picture.crop(PARTS.get(name, (0, 0, *picture.size)))
        part.convert("RGB").quantize(256).save(IMAGES / f"{name}.png", optimize=True)  # a third of the size
    return True


if __name__ == "__main__":
    sys.exit(main())
