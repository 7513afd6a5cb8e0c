"""Names that somebody has given to classes and fields: the App shows them as texts, never as Markdown."""

import time

import pytest
from fiftyone.operators import types

from tests.helpers.app.operators import CLASSIFY

PLAIN = [
    *("blue tit", "zs_clip", "lgca_d", "3 - 2", "12 classes, all of them", "1.5 points", "-5", "AT&T", "(a) b"),
    *("a: b", "a > b", "wow! yes", "50%", "a #1", "a | b", ""),
]
MARKUP = {
    "![x](http://e/x.png)": "!\\[x\\](http\\://e/x.png)",
    "[go](javascript:x)": "\\[go\\](javascript:x)",
    "[a]: http://e": "\\[a\\]: http\\://e",
    "<http://e>": "\\<http\\://e>",
    "<img src=x>": "\\<img src=x>",
    "**a** *b*": "\\*\\*a\\*\\* \\*b\\*",
    "__a__ _b_ c_d": "\\_\\_a\\_\\_ \\_b\\_ c_d",
    "~~a~~": "\\~\\~a\\~\\~",
    "`a`": "\\`a\\`",
    "a\\*b": "a\\\\\\*b",
    "&lt;b&gt; &#33;": "\\&lt;b\\&gt; \\&#33;",
    "# a": "\\# a",
    "= b": "\\= b",
    "1. a": "1\\. a",
    "- a\n> b\n+ c\n2) d": "\\- a\n\\> b\n\\+ c\n2\\) d",
    "a\n---\nb\n===": "a\n\\---\nb\n\\===",
    "|a|b|\n|-|-|": "|a|b|\n|-|-|",
}


@pytest.fixture(scope="module")
def sent():
    """A function that returns a text as the App gets it, in each place of a form that is read as Markdown."""
    of_a_form = type(CLASSIFY.operator.resolve_type(CLASSIFY.context(None), "inputs"))

    def send(text):
        inputs = types.Object()
        inputs.view("notice", types.Notice(label=text, description=text, caption=text))
        inner = types.Object()
        inner.str("field", label=text, description=text)
        inputs.define_property("inner", inner)
        inputs.btn("button", label=text)
        views = of_a_form(inputs).to_json()["type"]["properties"]
        assert views["button"]["view"]["label"] == text, "the label of a button is no Markdown"
        notice, field = views["notice"]["view"], views["inner"]["type"]["properties"]["field"]["view"]
        (found,) = {notice["label"], notice["description"], notice["caption"], field["label"], field["description"]}
        return found

    return send


@pytest.mark.parametrize("text", PLAIN)
def test_text__without_markup_stays_as_it_is(sent, text):
    assert sent(text) == text


@pytest.mark.parametrize("text", MARKUP)
def test_text__with_markup_is_escaped(sent, text):
    assert sent(text) == MARKUP[text]


@pytest.mark.parametrize("part", ["\n", " ", " \n", "-", "- ", "*", "1", "&", "&a", "_ "])
def test_text__that_is_very_long_holds_nobody_up(sent, part):
    started = time.perf_counter()
    sent(part * 50_000 + "x")
    assert time.perf_counter() - started < 5
