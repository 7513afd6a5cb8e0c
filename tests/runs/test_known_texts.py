"""Texts are embedded once: not again by a new process, a second run, a run that goes on, or a model."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.tokens import TextTokens
from lgca_plugin.runs.stored_texts import KnownTexts
from lgca_plugin.store.file import FILE_NAME
from lgca_plugin.store.limits import GIGABYTE
from lgca_plugin.workflows.similarity.text_model import TextModel
from tests.helpers.engine import Counting
from tests.helpers.paths import ROOT
from tests.helpers.worlds.stored_runs import CLASSES, OTHER_CLASSES, SMALL

TEXTS = ["a photo of a goldfinch.", "a photo of a siskin.", "a photo of a goldfinch.", "a bird with a red face"]


def embedded(demo_encoder: Any, texts: list[str] = TEXTS, **members: Any) -> tuple[Any, int]:
    """Returns vectors of texts from an encoder that is new, and how many it has embedded."""
    own = Counting(demo_encoder, **members)
    return KnownTexts(own).encode_texts(texts), own.texts


def test_texts__of_another_encoder_object_are_read_and_not_embedded(demo_encoder):
    vectors, n_embedded = embedded(demo_encoder)
    assert n_embedded == 3
    np.testing.assert_array_equal(vectors, demo_encoder.encode_texts(TEXTS))
    again, n_embedded = embedded(demo_encoder)
    assert n_embedded == 0
    np.testing.assert_array_equal(again, vectors)
    assert embedded(demo_encoder, [*TEXTS, "a new one"])[1] == 1


@pytest.mark.parametrize(
    "members",
    [{"tokenizer": "another"}, {"precision": "bf16"}, {"fingerprint": "other weights"}, {"fingerprint": None}],
    ids=lambda members: next(iter(members)),
)
def test_texts__of_another_tokenizer_precision_or_weights_are_embedded(demo_encoder, members):
    embedded(demo_encoder)
    assert embedded(demo_encoder, **members)[1] == 3
    assert embedded(demo_encoder)[1] == 0
    assert embedded(demo_encoder, **members)[1] == (3 if members == {"fingerprint": None} else 0)


def test_tokenizer__that_reads_texts_differently_has_another_fingerprint():
    tokenizer = load_demo("demo")[1]

    def shouting(texts, **options):
        return tokenizer([text.replace("goldfinch", "siskin") for text in texts], **options)

    assert TextTokens(tokenizer).fingerprint == TextTokens(load_demo("demo")[1]).fingerprint
    assert TextTokens(tokenizer).fingerprint != TextTokens(shouting).fingerprint


@pytest.mark.parametrize("trouble", ["full", "folder in its place"])
def test_texts__are_embedded_each_time_where_the_store_can_not_hold_them(
    demo_encoder, fresh_store, monkeypatch, caplog, trouble
):
    if trouble == "full":
        monkeypatch.setenv("LGCA_STORE_GB", repr(1000 / GIGABYTE))
    else:
        (fresh_store / FILE_NAME).mkdir()
    for _ in range(2):
        vectors, n_embedded = embedded(demo_encoder)
        assert n_embedded == 3
        np.testing.assert_array_equal(vectors, demo_encoder.encode_texts(TEXTS))
    assert (trouble == "full") == ("embedded without it" not in caplog.text)


def test_runs__after_the_first_embed_no_text(birds, classify, interrupted, demo_encoder):
    first = Counting(demo_encoder)
    run = classify(birds, encoder=first, methods=("clip", "wca"))
    n_texts = first.texts
    assert n_texts > len(CLASSES)
    interrupted(birds, 1, encoder=Counting(demo_encoder), run_key="more")
    for changes in ({"run_key": "more"}, {"overwrite": True, "methods": ("clip", "wca", "lgca")}):
        later = Counting(demo_encoder)
        classify(birds, encoder=later, **changes)
        assert later.texts == 0
    again = Counting(demo_encoder)
    lgca.load_model("wca", CLASSES, encoder=again, regions=SMALL).embed_prompts([f"a photo of a {CLASSES[0]}."])
    TextModel(encoder=again).embed_prompts([f"a photo of a {CLASSES[0]}."])
    assert again.texts == 0
    run = lgca.load_run(birds, "zs")
    other = Counting(demo_encoder)
    classify(birds, encoder=Counting(demo_encoder), classes=OTHER_CLASSES, run_key="other")
    rescored = run.rescore(classes=OTHER_CLASSES, encoder=other, run_key="rescored", progress=False)
    assert other.texts == 0
    assert rescored.rescore(classes=CLASSES, run_key="back", progress=False).summary()["encodes"] == 0
    assert lgca.load_run(birds, "back").results["tokenizer"] == demo_encoder.tokenizer


PROCESS = """
import json, sys
from lgca_plugin.encoder.loading import load_encoder
from lgca_plugin.runs.stored_texts import KnownTexts
encoder = load_encoder("demo")
counted, encode = [], encoder._model.encode_text
encoder._model.encode_text = lambda tokens: counted.append(len(tokens)) or encode(tokens)
KnownTexts(encoder).encode_texts(json.loads(sys.argv[1]))
print(sum(counted))
"""


@pytest.mark.thorough
def test_texts__are_not_embedded_by_a_new_process():
    command = [sys.executable, "-c", PROCESS, json.dumps(TEXTS)]
    ended = [subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True) for _ in range(2)]
    assert [one.stdout.split()[-1] for one in ended] == ["3", "0"]
