"""Texts that are too long for a model, texts that are one to it, and words that its tokenizer does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lgca_plugin.descriptions.names import reading
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from lgca_plugin.encoder.tokens import TextTokens
from tests.helpers.tiny_clip import CONFIG, random_model, tokenizer

CONTEXT = CONFIG["text_cfg"]["context_length"]


@pytest.fixture(scope="module")
def encoder() -> OpenClipEncoder:
    return OpenClipEncoder(random_model(), tokenizer(), name="tiny", device="cpu")


def test_texts__longer_than_the_context_are_named(encoder: OpenClipEncoder) -> None:
    """A word as "bird" is a token, and start and end are two more."""
    texts = {n: " ".join(["bird"] * n) for n in (1, CONTEXT - 3, CONTEXT - 2, CONTEXT - 1, 3 * CONTEXT)}
    assert encoder.context == CONTEXT == 16
    assert encoder.cut_texts(list(texts.values())) == [texts[CONTEXT - 1], texts[3 * CONTEXT]]
    assert encoder.cut_texts(["!" * 40, "a cat", ""]) == []
    shortened = " ".join(["bird"] * (CONTEXT - 2))
    np.testing.assert_array_equal(*encoder.encode_texts([texts[CONTEXT - 1], shortened]))


def test_texts__that_fill_the_context_of_a_tokenizer_with_one_length_count_as_cut() -> None:
    own = tokenizer()

    def of_one_length(texts: list[str]) -> Any:
        return own(texts)

    fixed = TextTokens(of_one_length)
    assert fixed.cut(["bird " * 30, "a bird"]) == ["bird " * 30]


ONE_TEXT = {
    "case": ("Blue Tit", "blue tit"),
    "NFC and NFD": ("caf\u00e9", "cafe\u0301"),
    "entity": ("salt &amp; pepper", "salt & pepper"),
    "quotes": ("lady\u2019s slipper", "lady's slipper"),
    "ligature": ("\ufb02ower", "flower"),
    "width": ("\uff22\uff2d\uff37", "bmw"),
}


@pytest.mark.parametrize(("one", "other"), ONE_TEXT.values(), ids=ONE_TEXT)
def test_texts__that_are_one_to_the_tokenizer_have_one_vector(encoder: OpenClipEncoder, one: str, other: str) -> None:
    filler = [f"text {number}" for number in range(5)]
    first = encoder.encode_texts([*filler, f"a photo of a {one}."])[-1]
    np.testing.assert_array_equal(first, encoder.encode_texts([f"a photo of a {other}."])[0])
    assert not np.array_equal(first, encoder.encode_texts([f"a photo of a {one} too."])[0])


TWO_TEXTS = [("m\u00b2", "m2"), ("\u2460", "1"), ("\u00bd", "1/2"), ("\u00c5land", "Aland")]


@pytest.mark.parametrize(("one", "other"), [*ONE_TEXT.values(), *TWO_TEXTS])
def test_reading__agrees_with_the_tokenizer_on_what_is_one_text(encoder: OpenClipEncoder, one: str, other: str) -> None:
    first, second = encoder.encode_texts([one, other])
    assert (reading(one) == reading(other)) == np.array_equal(first, second) == ((one, other) not in TWO_TEXTS)


@pytest.mark.parametrize("word", ["чайка", "海鸥", "γλάρος", "نورس", "นกนางนวล", "カモメ", "갈매기", "łabędź"])
def test_words__in_letters_that_the_tokenizer_lacks_are_named(encoder: OpenClipEncoder, word: str) -> None:
    assert encoder.unknown_words([f"a photo of a {word}.", "a photo of a bird."]) == [word]


@pytest.mark.parametrize(
    "word", ["Küstenseeschwalbe", "goéland", "smørrebrød", "jalapeño", "São", "œuf", "5µm", "xqzj"]
)
def test_words__with_a_few_marks_on_latin_letters_are_known(encoder: OpenClipEncoder, word: str) -> None:
    assert encoder.unknown_words([f"a photo of a {word}."]) == []


def test_words__of_other_letters_are_outside_the_demos_vocabulary(demo_encoder: Any) -> None:
    assert demo_encoder.unknown_words(["a photo of a 海鸥.", "Möwe"]) == ["möwe", "海鸥"]
