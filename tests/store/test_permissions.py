"""Who may read a store: its owner alone, unless somebody has opened it to others."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lgca_plugin.store.store import Store


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_store__is_its_owners_alone(folder: Path, opened: Callable[..., Store], umask: int) -> None:
    before = os.umask(umask)
    try:
        store = opened()
        with store._file.writing() as rows:
            rows.execute("DELETE FROM runs")
    finally:
        os.umask(before)
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    store.close()
    folder.chmod(0o770)  # on purpose, for a group
    for path in folder.iterdir():
        path.chmod(0o660)
    opened()
    assert mode(folder) == 0o770
    assert {mode(path) for path in folder.iterdir()} == {0o660}
