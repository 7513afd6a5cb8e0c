"""A job's settings: what is said where they can't be read."""

import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.job.description import JOB_FILE, read_job


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is damaged"),
        (b"[1]", "is damaged"),
        (b'{"version": 2}', "this job is of version 2; this release reads 1"),
        (b'{"version": 1}', "can't be read: 'encoder_source'"),
    ],
)
def test_job__that_cannot_be_read_says_why(tmp_path, content, sentence):
    (tmp_path / JOB_FILE).write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_job(tmp_path)


def test_job__without_one_says_how_one_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no job: lgca\.prepare_job makes one"):
        read_job(tmp_path)
