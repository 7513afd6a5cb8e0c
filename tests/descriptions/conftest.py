"""A language model's server, and descriptions from it."""

import os

import pytest

import lgca_plugin as lgca
from tests.helpers import llm_server as llm


@pytest.fixture
def server():
    with llm.running_llm_server(llm.CLASSES) as running:
        yield running


@pytest.fixture(autouse=True)
def no_key_of_the_users(monkeypatch):
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def describe(server, tmp_path):
    """Describes classes by the server, with a cache of the test's own."""

    def call(classes=llm.CLASSES, **options):
        options = {"base_url": server.base_url, "model": llm.MODEL, "cache": tmp_path / "cache", **options}
        return lgca.describe_classes(classes, progress=False, **options)

    return call
