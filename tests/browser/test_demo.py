"""The demo in the real App: it opens on the first suspect, and what its last sentence says to press is there."""

import re
import sys
import time

import fiftyone as fo
import pytest

from lgca_plugin.demo.dataset import NAME
from scripts import mongod
from tests.helpers.paths import ROOT

PAGE_SIZE = (1280, 800)
SENTENCE = re.compile(r"Open (http://\S+)/datasets/(\S+)\n.*press “Change to (.+?)” or “Keep (.+?)”.*Ctrl")


@pytest.fixture
def sentence(tmp_path):
    """Runs the demo on 60 drawings as long as a test takes; what it says at the end, as a match of ``SENTENCE``."""
    log, port = tmp_path / "demo.log", mongod.free_port()
    command = [sys.executable, "-m", "lgca_plugin.demo", "--count", "60", "--port", port]
    with mongod.background(command, log, cwd=ROOT):
        for _ in range(360):
            found = SENTENCE.search(log.read_text(encoding="utf-8"))
            if found:
                break
            time.sleep(0.5)
        else:
            pytest.fail(log.read_text(encoding="utf-8"))
        yield found
    if fo.dataset_exists(NAME):
        fo.delete_dataset(NAME)


@pytest.mark.thorough
def test_demo__opens_with_the_review_beside_the_grid_and_its_sentence_names_the_buttons(sentence, app_at):
    address, name, suggested, given = sentence.groups()
    app = app_at(address)
    app.open_dataset(name)
    app.page.get_by_role("button", name=f"Keep {given}").wait_for()
    app.screenshot("demo")
    app.page.get_by_role("button", name=f"Change to {suggested}").click()
    app.page.get_by_text(re.compile("1 of .* reviewed, 1 changed")).wait_for()
    (decision,) = fo.load_dataset(NAME).exists("zeroshot_decision").values("zeroshot_decision")
    assert (decision.label, decision.corrected, decision.given) == ("accepted", suggested, given)
