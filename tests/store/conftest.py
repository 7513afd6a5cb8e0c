"""A store in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lgca_plugin.store.store import Store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def opened(folder: Path) -> Iterator[Callable[..., Store]]:
    """Opens the folder's store, as often as it is called."""
    stores = []

    def open_store(limit_bytes: int = 10**9, **options: Any) -> Store:
        stores.append(Store(folder, limit_bytes=limit_bytes, **options))
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()
