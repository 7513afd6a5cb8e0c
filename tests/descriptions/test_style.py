"""The style of descriptions: what is a whole text, what is put into a sentence, and how a class is recognised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.descriptions.files import match_descriptions
from lgca_plugin.descriptions.style import (
    GIVEN,
    as_release_0_1,
    attribute_sentence,
    check_style,
    names_class,
    style_in_code,
    styled,
)
from lgca_plugin.errors import ConfigError


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ("a black nose", "blue jay, which has a black nose."),
        ("large ears.", "blue jay, which has large ears."),
        ("can be any color", "blue jay, which can be any color."),
        ("often seen in pairs", "blue jay, which often seen in pairs."),
        ("used for hunting", "blue jay, which is used for hunting."),
        ("a Blue-Jay on a twig", "a Blue-Jay on a twig"),
        ("a photo of a blue jay.", "a photo of a blue jay."),
        ("canary yellow wings", "blue jay, which has canary yellow wings."),
        ("blue jaywalker stripes", "blue jay, which has blue jaywalker stripes."),
    ],
)
def test_attributes__become_sentences_with_their_class(attribute: str, sentence: str) -> None:
    assert attribute_sentence("blue_jay", attribute) == sentence
    assert styled("blue_jay", [attribute], "attributes") == (sentence,)


@pytest.mark.parametrize(
    "text",
    [
        "a photo of a cat",
        "a photo of a cat.",
        "a sleeping cat, on a sofa",
        "(cat) on a sofa",
        "the cat's whiskers",
        "the cat\u2019s whiskers",
        "**Cat** fur",
        "two cats",
        "a small animal with whiskers.",
        "a small animal with whiskers!",
        'a small animal, called "kitty."',
        "It has long whiskers",
        "a photo of a small animal",
        "a close-up of whiskers",
        "ひげのある動物。",
    ],
)
def test_auto__leaves_a_text_that_names_its_class_or_is_whole_as_it_is(text: str) -> None:
    assert styled("cat", [text, "a long tail"], "auto") == (text, "cat, which has a long tail.")


@pytest.mark.parametrize("text", ["catfish whiskers", "a wildcat look", "scattered spots", "long whiskers, 3.5 cm"])
def test_auto__puts_an_attribute_into_a_sentence_whatever_the_other_texts_are(text: str) -> None:
    others = ["A cat is an animal.", "A cat sleeps a lot.", "A cat has whiskers."]
    assert styled("cat", [*others, text], "auto") == (*others, f"cat, which has {text}.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Blue_Jay", "two blue-jays, side by side"),
        ("001.Black_footed_Albatross", "a Black-footed albatross."),
        ("the crane", "Crane: a tall bird"),
        ("crane (bird)", "a crane by the water"),
        ("crane (bird)", "a crane (bird) by the water"),
        ("caf\u00e9", "a cafe\u0301, seen from outside"),
        ("lady's slipper", "the lady\u2019s slipper in bloom"),
        ("R&B", "an R&amp;B record"),
        ("海鸥", "一只海鸥在水边"),
        ("???", "a ??? in a box"),
        ("bus", "red buses"),
    ],
)
def test_names__are_found_whatever_stands_around_them(name: str, text: str) -> None:
    assert names_class(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [("tern", "a lantern"), ("747", "a 7470"), ("blue jay", "blue and jay"), ("crane (bird)", "a bird"), ("up", "cup")],
)
def test_names__are_not_found_in_other_words(name: str, text: str) -> None:
    assert not names_class(name, text)


def test_sentences__are_used_as_they_are() -> None:
    texts = ("a black nose", "a photo of a cat.", "x")
    assert styled("cat", texts, "sentences") == styled("cat", texts, GIVEN) == texts


def test_code__a_dict_is_used_as_it_is_unless_attributes_are_named(tmp_path: Path) -> None:
    given = {"cat": ["a black nose", "a photo of a cat."], "dog": ["a wet nose"]}
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(given))
    assert [style_in_code("auto", what) for what in (given, str(path), path, None)] == [GIVEN, "auto", "auto", "auto"]
    assert style_in_code("attributes", given) == "attributes"
    texts = class_texts(list(given), given, style_in_code("auto", given))
    assert texts.descriptions == {name: tuple(own) for name, own in given.items()}
    assert texts.use() == {"style": GIVEN, "as_given": 3, "in_sentences": 0}
    assert texts.bare == ("a black nose", "a wet nose")
    from_file = class_texts(list(given), path)
    assert from_file.descriptions["cat"] == ("cat, which has a black nose.", "a photo of a cat.")
    assert (from_file.as_given, from_file.in_sentences, from_file.bare) == (1, 2, ())
    assert from_file.example == ("a black nose", "cat, which has a black nose.")


@pytest.mark.parametrize("style", ["sentence", "", None, 1, GIVEN])
def test_style__that_does_not_exist_is_refused(style: object) -> None:
    with pytest.raises(ConfigError, match="description_style must be one of auto, sentences, attributes, got "):
        check_style(style)


def test_release_0_1__judged_all_texts_together() -> None:
    mixed = {"cat": ["a photo of a cat.", "a black nose", "long whiskers", "cat fur"]}
    before = as_release_0_1(mixed.values(), mixed)["cat"]
    assert before[0] == "cat, which has a photo of a cat."
    assert before[3] == "cat fur"
    mostly = {"cat": ["A cat sleeps.", "It purrs.", "a black nose"]}
    assert as_release_0_1(mostly.values(), mostly)["cat"][2] == "a black nose"


def test_release_0_1__its_runs_keep_their_texts() -> None:
    given = {"cat": ["a photo of a cat.", "a black nose", "long whiskers"], "dog": ["a wet nose"]}
    had = as_release_0_1(given.values(), given)
    for style in ("auto", GIVEN):
        assert match_descriptions(["cat", "dog"], given, style, had=had)[0] == had
        assert match_descriptions(["cat", "dog", "cow"], given, style, had={"cat": had["cat"]})[0] == had
    other = {**had, "dog": ("dog, which has a dry nose.",)}
    assert match_descriptions(["cat", "dog"], given, had=other)[0]["cat"][0] == "a photo of a cat."
