"""Names that the model reads in place of the classes' own, and the prompt that they stand in."""

import pytest

from lgca_plugin.descriptions.class_names import LABEL_PROMPT, ClassNames, check_display_names, check_prompt
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.errors import ConfigError

CODES = ("n01531178", "n01530575", "sky_lark")
NAMES = ClassNames(display={"n01531178": "gold_finch", "n01530575": "brambling"}, prompt="a drawing of a {}, a bird.")


def test_own_names__have_the_published_prompt_and_leave_no_trace():
    same = class_texts(CODES, names=ClassNames().changed(CODES, {"sky_lark": "sky_lark"}, None))
    plain = class_texts(CODES)
    assert same.digest == plain.digest and same.names.to_results() == {}
    assert plain.label_prompt("sky_lark") == LABEL_PROMPT.format("sky lark")


def test_display_names__stand_in_every_text():
    described = {"n01530575": ["an orange breast"], "gold finch": ["a red face"]}
    texts = class_texts(CODES, described, "attributes", names=NAMES)
    assert [texts.label_prompt(name) for name in CODES] == [
        f"a drawing of a {name}, a bird." for name in ("gold finch", "brambling", "sky lark")
    ]
    assert texts.descriptions["n01531178"] == ("gold finch, which has a red face.",)
    assert texts.descriptions["n01530575"] == ("brambling, which has an orange breast.",)
    assert all("sky lark" in text for text in texts.descriptions["sky_lark"])
    assert texts.unused == () and texts.from_templates == ("sky_lark",)
    assert not any("n015" in text for text in texts.all_texts())


def test_names_of_other_classes__count_for_nothing():
    more = ClassNames().changed(CODES, {"sky_lark": "lark", "swan": "swan bird"}, None)
    lark = ClassNames().changed(CODES, {"sky_lark": "lark"}, None)
    assert class_texts(CODES, names=more).digest == class_texts(CODES, names=lark).digest
    assert class_texts([*CODES, "swan"], names=more).label_prompt("swan") == "a photo of a swan bird."


def test_digest__tells_names_and_prompts_apart():
    described = {name: [f"a photo of {name}."] for name in CODES}
    other = ClassNames(display={"sky_lark": "lark"})
    digests = {class_texts(CODES, described, names=names).digest for names in (None, NAMES, other)}
    assert len(digests) == 3


def test_record__keeps_them():
    assert ClassNames.of_results(NAMES.to_results()) == NAMES
    assert ClassNames.of_results({}) == ClassNames()


def test_changed__keeps_what_is_not_named():
    assert NAMES.changed(CODES, None, None) == NAMES
    assert NAMES.changed(CODES[1:], None, "a {}.") == ClassNames(display=NAMES.display, prompt="a {}.")
    assert NAMES.changed(CODES, {}, None) == ClassNames(prompt=NAMES.prompt)


def test_two_classes_with_one_name__are_refused():
    with pytest.raises(ConfigError, match="read the same in a prompt"):
        class_texts(CODES, names=ClassNames(display={"n01531178": "lark", "n01530575": "lark"}))


@pytest.mark.parametrize("given", [["a"], {"swan": "a"}, {"sky_lark": " "}, {"sky_lark": 3}, {"sky_lark": "a\nb"}])
def test_refused__names(given):
    with pytest.raises(ConfigError, match=r"display_names|display name of"):
        check_display_names(given, CODES)


@pytest.mark.parametrize("given", ["a photo", "{} and {}", 3, "a {}\nb", "a {name}"])
def test_refused__prompts(given):
    with pytest.raises(ConfigError, match="prompt must be one line of text with"):
        check_prompt(given)


def test_prompt__may_hold_other_braces():
    assert ClassNames(prompt=check_prompt("{a} {} {0}")).label_prompt("tern") == "{a} tern {0}"
