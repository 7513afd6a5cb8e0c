"""Classes that are one to the model are refused before anything is written; texts that it can't read are a warning."""

from __future__ import annotations

from typing import Any

import pytest

import lgca_plugin as lgca
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.workflows.classify.text_checks import equal_classes, text_warnings
from tests.helpers.checks import assert_one_sentence

LONG = "A bird stands among reeds and looks to the left while the sun goes down " * 3


def refusal(encoder: Any, classes: list[str], descriptions: Any = None, methods: Any = None) -> Any:
    texts = class_texts(classes, descriptions)
    vectors = texts.by_method(encoder, methods or list(METHODS.values()))
    return equal_classes(texts, vectors, encoder, model=encoder, name=encoder.name)


@pytest.mark.parametrize("other", ["Redpoll", "REDPOLL", "\uff32edpoll", "red&#112;oll"])
def test_classes__of_one_text_are_refused_by_name(demo_encoder: Any, other: str) -> None:
    error = refusal(demo_encoder, ["blue tit", "redpoll", other])
    assert str(error).startswith(f"classes 'redpoll' and {other!r} are one text to demo, so no image can be told apart")
    assert "pass classes" not in error.app
    assert_one_sentence(error)


def test_classes__of_one_text_are_counted_and_others_pass(demo_encoder: Any) -> None:
    classes = ["redpoll", "blue tit", "grey heron"]
    assert "'redpoll' and 'REDPOLL' (and 2 more pairs)" in str(
        refusal(demo_encoder, [*classes, *(name.upper() for name in classes)])
    )
    assert refusal(demo_encoder, classes) is None


def test_classes__that_the_model_was_never_trained_on_are_not_to_be_merged(demo_encoder: Any) -> None:
    error = refusal(demo_encoder, ["cat", "rocket", "redpoll"])
    assert str(error) == (
        "classes 'cat' and 'rocket' are one text to demo, which was never trained on their words: take another model"
    )


def test_descriptions__that_are_one_to_the_model_are_refused_where_a_method_takes_them(demo_encoder: Any) -> None:
    same = {"redpoll": ["A red bird.", "A small bird."], "blue tit": ["A small bird.", "a RED bird."]}
    error = refusal(demo_encoder, list(same), same)
    assert "the descriptions of 'redpoll' and 'blue tit' are the same to demo, so " in str(error)
    assert refusal(demo_encoder, list(same), same, [METHODS["clip"]]) is None, "it takes the names alone"

    late = {"redpoll": [f"{LONG * 2}It has a red cap."], "blue tit": [f"{LONG * 2}It has a blue cap."]}
    assert str(refusal(demo_encoder, list(late), late)).endswith("can't tell them apart: begin with what differs")


def test_texts__that_are_too_long_are_counted_for_each_class(demo_encoder: Any) -> None:
    given = {"redpoll": [f"{LONG}red.", "A red bird."], "blue tit": ["A blue bird."], "grey heron": [LONG, f"{LONG}x."]}
    texts = class_texts([*given, "very " * 40 + "long"], given)
    assert (
        "demo reads the first 32 tokens, about 24 words, of a text, and 11 texts are longer: their end is not used in "
        "redpoll (1 of 2), grey heron (2 of 2), very very"
    ) in text_warnings(demo_encoder, texts, described=True)[-1]
    short = class_texts(["redpoll", "blue tit"])
    assert text_warnings(demo_encoder, short, described=False) == []


def test_run__of_classes_that_are_one_text_leaves_nothing_behind_and_names_the_labels(
    birds: Any, classify: Any
) -> None:
    fields = set(birds.get_field_schema())
    with pytest.raises(lgca.ConfigError, match="are one text to "):
        classify(birds, classes=["redpoll", "blue tit", "Blue Tit"])
    assert lgca.list_runs(birds) == []
    assert set(birds.get_field_schema()) == fields


def test_run__warns_of_texts_that_are_too_long_and_a_rescoring_keeps_refusing(birds: Any, classify: Any) -> None:
    run = classify(birds.limit(1), classes=["redpoll", "blue tit"], descriptions={"redpoll": [f"{LONG}red."]})
    assert "their end is not used in redpoll (1 of 1)" in " ".join(run.summary()["warnings"])
    with pytest.raises(lgca.ConfigError, match="are one text to "):
        run.rescore(["redpoll", "Redpoll"], progress=False)
    assert run.rescore(["redpoll", "grey heron"], progress=False).summary()["status"] == "done"
