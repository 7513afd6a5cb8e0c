"""Every parser of outside data as a function of one value, and the only ways in which it may end."""

from __future__ import annotations

import copy
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from lgca_plugin.config import RegionConfig, RunConfig, check_classes, check_methods, check_run_key
from lgca_plugin.descriptions.answers import AnswerCache, AnswerError, parse_answer
from lgca_plugin.descriptions.endpoint import check_base_url, find_key
from lgca_plugin.descriptions.files import match_descriptions, parse_descriptions
from lgca_plugin.encoder.architectures import FOLDER_CONFIG, FOLDER_SCHEMA, check_architecture, embedding_dim
from lgca_plugin.encoder.own_code import check_no_code
from lgca_plugin.errors import LgcaError
from lgca_plugin.method.core.methods import METHODS, Method

CLASSES = ("tern", "gull")
LONGEST_MESSAGE = 1000
PATIENCE = 20.0
"""Seconds of computing after which a parser of a corpus's input has hung; all take a fraction of one."""

DESCRIPTIONS = {"tern": ["an orange beak", "a black cap."], "gull": ["grey wings"]}
CONFIG = RunConfig(
    classes=CLASSES,
    descriptions_hash="abc",
    methods=(METHODS["clip"], METHODS["lgca"]),
    regions=RegionConfig(crops=20, seed=7),
    encoder="demo",
    encoder_fingerprint="123",
    precision="fp32",
).to_json()
MODEL = {
    "model_cfg": {"embed_dim": 64, "vision_cfg": {"image_size": 32}, "text_cfg": {"vocab_size": 100}},
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
}
CACHED = {"class": "tern", "base_url": "http://x/v1", "model": "m", "prompt": "p", "descriptions": ["an orange beak"]}


class Parser(NamedTuple):
    """A parser, what it may raise besides an ``LgcaError``, and whether it never refuses: it takes nothing instead."""

    parse: Callable[[Any, Path], object]
    raises: tuple[type[Exception], ...] = ()
    never_refuses: bool = False


def _descriptions(data: bytes | str, _: Path) -> object:
    found, _unused = match_descriptions(CLASSES, parse_descriptions(data, name="'birds.json'"))
    return json.dumps(found).encode("utf-8")


def _run_config(data: bytes, _: Path) -> object:
    """As ``load_run`` reads it, which turns a ValueError of JSON into its own error."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return RunConfig.from_json(document).region_plan.encodes_per_image if isinstance(document, dict) else None


def _answer(data: bytes, _: Path) -> object:
    texts = parse_answer("tern", data.decode(errors="replace"), per_class=8)
    assert 1 <= len(texts) <= 8
    return json.dumps(texts, ensure_ascii=False).encode("utf-8")


def _cached(data: bytes, folder: Path) -> object:
    cache = AnswerCache(folder, CACHED["base_url"], CACHED["model"])  # type: ignore[arg-type]
    cache.store("tern", "p", ("an orange beak",))
    (file,) = folder.glob("*.json")
    file.write_bytes(data)
    return cache.load("tern", "p")


def _model_folder(data: bytes, folder: Path) -> object:
    (folder / FOLDER_CONFIG).write_bytes(data)
    name = f"{FOLDER_SCHEMA}{folder}"
    assert check_architecture(name) == name
    dim = embedding_dim(name)
    assert dim is None or dim > 0
    try:
        check_no_code(name, json.loads(data))
    except (ValueError, RecursionError):
        return None
    return dim


def _region_config(value: Any, _: Path) -> object:
    name, setting = value
    return RegionConfig(**{name: setting}).n_chains


PARSERS: dict[str, Parser] = {
    "descriptions": Parser(_descriptions),
    "run config": Parser(_run_config),
    "answer of a language model": Parser(_answer, raises=(AnswerError,)),
    "cached answer": Parser(_cached, never_refuses=True),
    "folder of a model": Parser(_model_folder),
    "classes": Parser(lambda value, _: check_classes(value)),
    "methods": Parser(lambda value, _: check_methods(value)),
    "method": Parser(lambda value, _: Method.from_json(value), raises=(ValueError, TypeError, AttributeError)),
    "run key": Parser(lambda value, _: check_run_key(value)),
    "regions": Parser(_region_config),
    "address": Parser(lambda value, _: check_base_url(value)),
    "key": Parser(lambda value, _: find_key(value, from_environment=False)),
}


def outcome(parser: str, value: Any, folder: Path) -> str:
    """Returns ``"taken"`` or ``"refused"``; fails for a crash, a long or many-lined message, or a hang."""
    parse, raises, never_refuses = PARSERS[parser]
    started = time.process_time()
    message = None
    expected: tuple[type[Exception], ...] = (LgcaError, *raises)
    try:
        parse(value, folder)
    except expected as error:
        message = str(error if isinstance(error, LgcaError) else LgcaError(str(error)))  # as callers raise it
    if message is not None:
        assert not never_refuses, message
        assert "\n" not in message, message[:300]
        assert len(message) <= LONGEST_MESSAGE, len(message)
    assert time.process_time() - started < PATIENCE, f"{parser} took {time.process_time() - started:.0f} s"
    return "taken" if message is None else "refused"


@functools.cache
def documents() -> dict[str, Any]:
    """Returns a sound document of each parser of JSON."""
    return {
        "descriptions": DESCRIPTIONS,
        "run config": CONFIG,
        "answer of a language model": {"descriptions": ["an orange beak", "a black cap"]},
        "cached answer": CACHED,
        "folder of a model": MODEL,
    }


def changed(document: Any, at: int, value: Any) -> Any:
    """Returns a copy of a document with its ``at``-th value, counted depth first, replaced."""
    copied = copy.deepcopy({"": document})
    places = list(_places(copied))
    holder, key = places[at % len(places)]
    holder[key] = value
    return copied[""]


def _places(part: Any) -> Any:
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in list(items):
        yield part, key
        yield from _places(value)


def count_places(document: Any) -> int:
    """Returns the number of values in a document, itself included."""
    return len(list(_places({"": document})))
