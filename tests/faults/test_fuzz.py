"""Fuzzing of every parser of outside data: each input is taken or refused in one sentence, and soon."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lgca_plugin.encoder.architectures import DEMO_FOLDER, FOLDER_CONFIG, FOLDER_SCHEMA
from lgca_plugin.encoder.loading import load_encoder
from lgca_plugin.errors import LgcaError
from lgca_plugin.method.core.methods import Method
from lgca_plugin.store.file import FILE_NAME
from tests.helpers.bad_inputs.corpus import mutated
from tests.helpers.bad_inputs.parsers import LONGEST_MESSAGE, PARSERS, changed, documents, outcome
from tests.helpers.worlds.store_damage import check_answers, filled_store, flip, used_places

MUTATIONS = 10_000
VALUES = 1_000
FLIPS = 800
CHECKPOINTS = 60
WEIGHTS = "open_clip_pytorch_model.bin"

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**4400, 10**4401),
    st.floats(),
    st.text(st.characters(codec=None), max_size=40),
    st.sampled_from(["tern", "gull", "clip", "lgca", "crops", "http://localhost:11434/v1", "a" * 3000]),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(st.text(max_size=12), inner, max_size=6)),
    max_leaves=12,
)
REGIONS = st.tuples(
    st.sampled_from(["crops", "lgca_crops", "steps", "seed", "scale_min", "scale_max", "keep", "growth"]), JSON
)
METHODS = st.builds(
    lambda name, value: {"name": "own", "regions": "crops", name: value},
    st.sampled_from([field.name for field in fields(Method)]),
    JSON,
)
LIMITS = settings(max_examples=VALUES, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("parser", list(documents()))
def test_fuzz__changed_bytes_of_a_sound_document(parser, tmp_path, count_fault):
    rng, sound = np.random.default_rng(11), json.dumps(documents()[parser]).encode()
    counts = Counter(outcome(parser, mutated(sound, rng), tmp_path) for _ in range(MUTATIONS))
    count_fault(f"{parser}: changed bytes ({counts['refused']} refused)", times=counts.total())


@pytest.mark.parametrize("parser", list(documents()))
def test_fuzz__any_values_in_a_sound_document(parser, tmp_path, count_fault):
    counts: Counter[str] = Counter()

    @LIMITS
    @given(at=st.integers(0, 60), value=JSON)
    def try_one(at: int, value: object) -> None:
        try:
            data = json.dumps(changed(documents()[parser], at, value)).encode()
        except ValueError:  # a number of thousands of digits: no JSON that Python writes
            return
        counts[outcome(parser, data, tmp_path)] += 1

    try_one()
    count_fault(f"{parser}: any values ({counts['refused']} refused)", times=counts.total())


@pytest.mark.parametrize("parser", [name for name in PARSERS if name not in documents()])
def test_fuzz__any_value(parser, tmp_path, count_fault):
    counts: Counter[str] = Counter()

    @LIMITS
    @given(value={"regions": REGIONS, "method": METHODS}.get(parser, JSON))
    def try_one(value: object) -> None:
        counts[outcome(parser, value, tmp_path)] += 1

    try_one()
    count_fault(f"{parser}: any values ({counts['refused']} refused)", times=counts.total())


def test_fuzz__flipped_bits_of_a_store_give_right_answers_or_none(tmp_path, count_fault):
    folder = tmp_path / "sound"
    sound = filled_store(folder)
    every, rng = check_answers(folder), np.random.default_rng(5)
    fewer = 0
    for at in used_places(sound, FLIPS, rng):
        folder = tmp_path / "flipped"
        folder.mkdir()
        (folder / FILE_NAME).write_bytes(flip(sound, at, int(rng.integers(8))))
        fewer += check_answers(folder) < every
        shutil.rmtree(folder)
    count_fault(f"store: a flipped bit ({fewer} cost an answer, none gave a wrong one)", times=FLIPS)


@pytest.mark.parametrize("file", [WEIGHTS, FOLDER_CONFIG])
def test_fuzz__damaged_files_of_a_model_are_refused_or_load(file, tmp_path, count_fault):
    sound, rng = (DEMO_FOLDER / file).read_bytes(), np.random.default_rng(3)
    counts: Counter[str] = Counter()
    for number in range(CHECKPOINTS):
        folder = tmp_path / str(number)
        shutil.copytree(DEMO_FOLDER, folder)
        (folder / file).write_bytes(_damaged(sound, number, rng))
        counts[_loaded(folder)] += 1
        shutil.rmtree(folder)
    count_fault(f"model's {file}: damaged ({counts['refused']} refused)", times=counts.total())


def _damaged(data: bytes, number: int, rng: np.random.Generator) -> bytes:
    kinds: list[Callable[[], bytes]] = [
        lambda: data[: len(data) * int(rng.integers(100)) // 100],
        lambda: data[:-1],
        lambda: flip(data, int(rng.integers(min(3000, len(data)))), int(rng.integers(8))),
        lambda: flip(data, -1 - int(rng.integers(min(20_000, len(data)))), int(rng.integers(8))),
        lambda: mutated(data, rng),
    ]
    return kinds[number % len(kinds)]()


def _loaded(folder: Path) -> str:
    message = None
    try:
        load_encoder(f"{FOLDER_SCHEMA}{folder}").check()
    except LgcaError as error:
        message = str(error)
    if message is None:
        return "taken"
    assert "\n" not in message, message
    assert len(message) <= LONGEST_MESSAGE
    return "refused"
