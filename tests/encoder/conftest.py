"""The tiny architecture, registered with open_clip."""

from __future__ import annotations

import pytest

from tests.helpers.tiny_clip import TINY, add_architecture


@pytest.fixture(scope="session", autouse=True)
def tiny_architecture(tmp_path_factory: pytest.TempPathFactory) -> None:
    add_architecture(tmp_path_factory.mktemp("configs"), TINY)
