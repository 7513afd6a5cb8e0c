"""Scores that wait on disk: they come back as they were added, and a full disk is named."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from lgca_plugin.errors import StoreError
from lgca_plugin.prediction.score_file import ScoreFile

FULL = Path("/dev/full")


def test_score_file__gives_back_what_was_added_each_time_it_is_read():
    rng = np.random.default_rng(0)
    scores, rows = rng.normal(size=(10, 3)), rng.permutation(30)[:10]
    file = ScoreFile(3)
    assert list(file.batches(4)) == []
    file.add(rows[:6], scores[:6])
    for known in (6, 10):
        found = list(file.batches(4))
        assert [len(part) for part, _ in found] == ([4, 2] if known == 6 else [4, 4, 2])
        assert np.concatenate([part for part, _ in found]).tolist() == rows[:known].tolist()
        np.testing.assert_array_equal(np.concatenate([part for _, part in found]), scores[:known].astype(np.float32))
        if known == 6:
            file.add(rows[6:], scores[6:])
    file.close()


@pytest.mark.skipif(not FULL.exists(), reason="a device that is always full is Linux's")
def test_score_file__says_that_the_disk_is_full(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: FULL.open("w+b"))
    file = ScoreFile(3)
    with pytest.raises(StoreError, match=r"has no room for the class scores .*No space left on device"):
        file.add(np.arange(2), np.zeros((2, 3)))
    file.close()
