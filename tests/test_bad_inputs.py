"""The corpus of bad inputs: each is taken or refused in one sentence, soon, and nothing else happens."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.helpers.bad_inputs.corpus import BadInput, json_inputs, value_inputs
from tests.helpers.bad_inputs.parsers import PARSERS, documents, outcome

CORPUS = [*json_inputs(), *value_inputs()]
FEWEST = 250


@pytest.mark.parametrize("parser", PARSERS)
def test_corpus__each_input_is_taken_or_refused_in_one_sentence(parser, tmp_path):
    counts = Counter(check(bad, tmp_path) for bad in CORPUS if bad.parser == parser)
    print(f"{parser}: {counts['refused']} refused, {counts['taken']} taken of {counts.total()}")
    assert counts.total() > 0


def check(bad: BadInput, folder) -> str:
    try:
        found = outcome(bad.parser, bad.value, folder)
    except Exception as error:
        raise AssertionError(f"{bad.parser}: {bad.name}") from error
    assert bad.refused is None or bad.refused == (found == "refused"), f"{bad.parser}: {bad.name} is {found}"
    return found


def test_corpus__holds_hundreds_of_inputs_and_its_documents_are_sound(tmp_path):
    assert len({(bad.parser, bad.name) for bad in CORPUS}) == len(CORPUS) > FEWEST
    for parser, document in documents().items():
        assert outcome(parser, json.dumps(document).encode(), tmp_path) == "taken"
