"""The version of this release, and the versions of the libraries that it was tested with."""

from __future__ import annotations

__version__ = "0.1.0"

TESTED = {
    "cachetools": "7.3.3",
    "cleanlab": "2.9.0",
    "click": "8.5.1",
    "fiftyone": "1.22.1",
    "jinja2": "3.1.6",
    "numpy": "2.4.6",
    "open_clip_torch": "3.3.0",
    "pillow": "13.0.0",
    "safetensors": "0.8.0",
    "threadpoolctl": "3.8.0",
    "torch": "2.14.1",
    "torchvision": "0.29.1",
}


def is_newer_than_tested(package: str, installed: str) -> bool:
    """Returns True if the major or minor version of an installed package is above the tested one; patches don't count.

    Args:
        package: a key of :data:`TESTED`
        installed: its version, such as ``"1.23.0"``
    """
    from packaging.version import Version

    return Version(installed).release[:2] > Version(TESTED[package]).release[:2]
