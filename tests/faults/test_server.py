"""The App's server during a run: its page is closed, or the server itself is ended."""

import http.client
import json
import os
import signal
import time
from contextlib import closing, contextmanager
from urllib.parse import urlparse

import psutil
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from tests.helpers.browser.app import running_app
from tests.helpers.faults.world import new_dataset

PATIENCE = 120.0
IMAGES = 500
"""So many that the run takes longer than the server, told to end, waits for a page's answer: 3 s."""


@pytest.fixture
def birds(tmp_path):
    created = new_dataset(draw_images(tmp_path, count=IMAGES, seed=53))
    yield created
    created.delete()


@contextmanager
def page_of_a_run(address, dataset):
    """A run that is started in the App, as its page does it, once it is at its images."""
    params = {"classes": "\n".join(CLASSES), "encoder": "demo", "run_key": "zs", "class_source": "typed"}
    body = {"operator_uri": "@lgca/zero-shot/lgca_classify", "dataset_name": dataset.name, "params": params, "view": []}
    url = urlparse(address)
    page = http.client.HTTPConnection(url.hostname or "", url.port)
    page.request("POST", "/operators/execute/generator", json.dumps(body), {"Content-Type": "application/json"})
    answer = page.getresponse()
    with closing(page), closing(answer):
        while b" images" not in (line := answer.readline()):
            assert line, "the run has ended"
        yield


def wait_until_nothing_is_at_work(dataset):
    deadline = time.monotonic() + PATIENCE
    while lgca.runs_at_work(dataset):
        assert time.monotonic() < deadline, lgca.runs_at_work(dataset)
        time.sleep(0.1)
    dataset.reload()
    return lgca.load_run(dataset, "zs").state


def test_page__that_is_closed_leaves_the_run_to_the_server_which_ends_it(birds, tmp_path):
    with running_app(tmp_path) as address:
        with page_of_a_run(address, birds):
            assert lgca.runs_at_work(birds)["zs"].name == "running"
        assert wait_until_nothing_is_at_work(birds).name == "completed"
        assert birds.count("zs_lgca") == len(birds)


def test_server__that_is_ended_leaves_an_interrupted_run(birds, tmp_path):
    with running_app(tmp_path) as address:
        port = urlparse(address).port
        with page_of_a_run(address, birds):
            (server,) = (
                process
                for process in psutil.Process().children(recursive=True)
                if str(port) in process.cmdline() and "-c" not in process.cmdline()  # the shell that watches it
            )
            os.kill(server.pid, signal.SIGTERM)
        state = wait_until_nothing_is_at_work(birds)
    assert (state.name, "ended" in str(state.reason)) == ("interrupted", True), state
