"""Class descriptions: both public styles, forgiving names, and files that are not what they should be."""

import json
import time

import pytest

import lgca_plugin as lgca
from lgca_plugin.descriptions.class_texts import class_texts, templates
from lgca_plugin.descriptions.files import match_descriptions, parse_descriptions, read_descriptions
from lgca_plugin.descriptions.names import name_key
from tests.helpers.paths import PUBLISHED_DESCRIPTIONS as PUBLISHED


def written(folder, content):
    path = folder / "descriptions.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "given",
    [
        "Black-footed Albatross",
        "black footed albatross",
        "BLACK_FOOTED_ALBATROSS",
        "the black-footed  albatross",
        "a Black-Footed_Albatross ",
        "001.Black_footed_Albatross",
    ],
)
def test_names__match_whatever_case_hyphen_underscore_article_or_number(given):
    found, unused = match_descriptions(["Black_footed_Albatross"], {given: ["a dark bill."], "gull": ["white."]})
    assert found == {"Black_footed_Albatross": ("a dark bill.",)}
    assert unused == ["gull"]


@pytest.mark.parametrize(("one", "other"), [("tern", "lantern"), ("747", "737"), ("cat", "cats"), ("7 up", "up")])
def test_names__that_differ_otherwise_stay_different(one, other):
    assert name_key(one) != name_key(other)


def test_texts__are_distinct_and_stripped_and_templates_where_there_are_none():
    given = {"Tern": [" an orange beak ", "an orange beak", "a cap"], "gull": [], "crow": ["black"]}
    texts = class_texts(["blue_jay", "tern", "gull"], given)
    assert texts.descriptions["tern"] == ("tern, which has an orange beak.", "tern, which has a cap.")
    assert texts.from_templates == ("blue_jay", "gull")
    assert texts.unused == ("crow",)
    assert texts.descriptions["blue_jay"] == tuple(template.format("blue jay") for template in templates())
    assert len(templates()) == 7


def test_texts__the_hash_tells_texts_apart_and_not_their_source(tmp_path):
    given = {"tern": ["a beak"], "gull": ["white"]}
    from_dict = class_texts(["tern", "gull"], given)
    assert class_texts(["tern", "gull"], written(tmp_path, json.dumps(given))).digest == from_dict.digest
    assert class_texts(["tern", "gull"], {**given, "gull": ["grey"]}).digest != from_dict.digest
    assert class_texts(["gull", "tern"], given).digest != from_dict.digest


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON: .* line 1, column 2"),
        (b'{"tern": ["\xff"]}', "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"null", "got nothing"),
        (b"[1, 2]", "must map each class to a list of texts.*got a list"),
        (b"{}", "got an empty one"),
        (b'{"tern": "a beak"}', "'tern' must be a list of texts, got a text"),
        (b'{"tern": {"beak": 1}}', "'tern' must be a list of texts, got an object"),
        (b'{"tern": 3}', "got a number"),
        (b'{"tern": ["a beak", null]}', "number 2 is nothing"),
        (b'{"tern": ["a beak", " "]}', "number 2 is blank"),
        (b'{"tern": ["a"], "tern": ["b"]}', "name 'tern' twice"),
        (b'{"tern": ["a"], "Tern": ["b"]}', "one class twice, as 'tern' and 'Tern'"),
        (b'{" ": ["a"]}', "class name that is ' '"),
        (b'{"penguin": ["swims"]}', "match none of the classes: name them as the classes are named, such as"),
        (json.dumps({"tern": ["x" * 3000]}).encode(), "has 3000 characters"),
        (b'{"tern": [' + b"7" * 5000 + b"]}", "hold a number of thousands of digits"),
        (rb'{"tern": ["a \ud800 beak"]}', "description 1 of 'tern' holds half a character"),
        (rb'{"te\udc00rn": ["a beak"]}', "class name .* holds half a character"),
        (json.dumps({"x" * 10**6: 3}).encode(), "descriptions of 'xxx.* must be a list of texts"),
    ],
)
def test_files__that_are_not_what_they_should_be_get_one_clear_sentence(tmp_path, content, words):
    with pytest.raises(lgca.ConfigError, match=words) as caught:
        class_texts(["tern", "gull"], written(tmp_path, content))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= (400 if len(content) < 10**6 else 1005)


def test_files__of_150000_names_are_read_in_linear_time():
    names = [f"bird {number}" for number in range(150_000)]
    doubled = "{" + ", ".join(f'"{name}": ["a"]' for name in (*names, names[-1])) + "}"
    started = time.process_time()
    with pytest.raises(lgca.ConfigError, match="name 'bird 149999' twice"):
        parse_descriptions(doubled, name="'birds.json'")
    assert time.process_time() - started < 5  # about 0.1; comparing each name with all takes minutes


def test_files__of_fifty_megabytes_folders_and_missing_ones_are_not_read(tmp_path):
    with (tmp_path / "junk.json").open("wb") as file:
        file.truncate(50 * 1024**2)
    for path, words in (
        (tmp_path / "junk.json", "has 50 MB, and at most 20 are read"),
        (tmp_path / "nowhere.json", "can't be read: No such file"),
        (str(tmp_path), "can't be read: Is a directory"),
    ):
        with pytest.raises(lgca.ConfigError, match=words):
            read_descriptions(path)


def test_files__may_start_with_a_byte_order_mark(tmp_path):
    path = written(tmp_path, b"\xef\xbb\xbf" + json.dumps({"Küstenseeschwalbe": ["rot"]}, ensure_ascii=False).encode())
    assert read_descriptions(path) == {"Küstenseeschwalbe": ("rot",)}


@pytest.mark.parametrize(
    ("name", "classes", "first"),
    [
        ("cub_clip-d", 200, "Black Footed Albatross, which has "),
        ("dtd_clip-d", 47, "Banded, which "),
        ("dtd_cupl", 47, ""),
        ("oxford_pet_clip-d", 37, "Abyssinian, which "),
        ("oxford_pet_cupl", 37, ""),
    ],
)
def test_published_files__load_with_names_as_a_dataset_has_them(name, classes, first):
    path = PUBLISHED / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"{path.name} lies beside the project, not in it")
    document = json.loads(path.read_text(encoding="utf-8"))
    as_labels = [label.replace(" ", "_").replace("-", "_").title() for label in document]
    loaded = class_texts(as_labels, path)
    assert len(loaded.classes) == classes
    assert loaded.from_templates == loaded.unused == ()
    for label, texts in zip(as_labels, document.values(), strict=True):
        assert len(loaded.descriptions[label]) == len({text.strip() for text in texts})
    assert loaded.descriptions[as_labels[0]][0].startswith(first)
