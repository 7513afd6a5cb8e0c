"""One progress over several phases: its share of the time, and the time left in words."""

import pytest

from lgca_plugin.progress import Progress, drive, duration_text
from lgca_plugin.workflows.find.timeline import Timeline


def phase(*done, total=4, result=None):
    yield Progress(0, 0, "Loading")
    for at in done:
        yield Progress(at, total, "")
    return result


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (14.6, "15 s"),
        (42, "40 s"),
        (118, "120 s"),
        (360, "6 min"),
        (7_300, "2 h"),
        (200_000, "2 days"),
    ],
)
def test_duration__in_words(seconds, words):
    assert duration_text(seconds) == words


def test_timeline__is_one_progress_that_never_goes_back_and_ends_full():
    timeline = Timeline(100, {"first": 5.0, "second": 5.0})
    seen: list[Progress] = []
    assert (
        drive(timeline.run("first", phase(0, 2, 4, result="run"), label="Images"), seen.append, unit="images") == "run"
    )
    drive(timeline.run("second", phase(2, 4), label="Labels"), seen.append, unit="images")
    assert {step.total for step in seen} == {100}
    assert [step.done for step in seen] == sorted(step.done for step in seen)
    assert seen[-1].done == 100
    assert seen[0].label == "Images, about 10 s left"
    assert seen[1].label == "Loading, about 10 s left"
    assert "Images: 2 of 4, about 5 s left" in [step.label for step in seen], "the second phase is left"


def test_timeline__says_no_time_before_it_is_known():
    timeline = Timeline(100, {"first": None, "second": 3.0})
    seen: list[Progress] = []
    drive(timeline.run("first", phase(0, 2), label="Images"), seen.append, unit="images")
    assert [step.label for step in seen[:3]] == ["Images", "Loading", "Images: 0 of 4"]
    assert seen[3].label == "Images: 2 of 4, about 3 s left"
