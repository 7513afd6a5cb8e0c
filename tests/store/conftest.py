"""A store in a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
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
    with ExitStack() as stack:

        def open_store(limit_bytes: int = 10**9, **options: Any) -> Store:
            return stack.enter_context(Store(folder, limit_bytes=limit_bytes, **options))

        yield open_store


@pytest.fixture
def store(opened: Callable[..., Store]) -> Store:
    return opened()
