"""A job's settings: what is said where they can't be read."""

import json

import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.job.description import JOB_FILE, read_job
from lgca_plugin.job.run import run_job
from tests.helpers.jobs.new_job import new_job


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


@pytest.mark.parametrize(("name", "value"), [("rows", None), ("rows_per_part", 0), ("offsets", None)])
def test_job__with_a_value_that_can_t_be_says_that_it_can_t_be_read(tmp_path, demo_encoder, name, value):
    new_job(tmp_path, ["bird.png"], demo_encoder)
    document = json.loads((tmp_path / JOB_FILE).read_text())
    (tmp_path / JOB_FILE).write_text(json.dumps({**document, name: value}))
    with pytest.raises(ConfigError, match=f"this job's {JOB_FILE} can't be read"):
        read_job(tmp_path)


@pytest.mark.parametrize("gpus", [-1, float("nan"), float("inf"), True, "1"])
def test_gpus__are_a_number(tmp_path, gpus):
    with pytest.raises(ConfigError, match="gpus must be a number of at least 0"):
        run_job(tmp_path, engine="ray", gpus=gpus)


def test_job__without_one_says_how_one_is_made(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no job: lgca\.prepare_job makes one"):
        read_job(tmp_path)
