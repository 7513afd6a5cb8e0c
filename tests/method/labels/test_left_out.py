"""Labels that are not among the classes: their counts, what they probably mean, and the sentences about them."""

import unicodedata

import pytest

from lgca_plugin.method.labels.left_out import (
    MAX_COMPARED,
    left_out,
    left_out_warning,
    nearest_class,
    outside_sentence,
)

CLASSES = ["grey heron", "great egret", "blåhake", "three-toed woodpecker"]


def test_left_out__counts_names_and_proposes_what_was_meant():
    counts = {"grey heron": 12, "great egret": 7, "Great_Egret": 2, "owl": 3}
    found = left_out(["grey herron", "great egret"], counts)
    assert [(label.label, label.samples, label.near, label.typed_wrong) for label in found] == [
        ("grey heron", 12, "grey herron", True),
        ("owl", 3, None, False),
        ("Great_Egret", 2, "great egret", False),
    ]
    assert left_out_warning(found) == (
        "17 samples have labels that the classes leave out, and no prediction can agree with: "
        "'grey heron' (12; the list has 'grey herron': did you mean 'grey heron'?), "
        "'Great_Egret' (2; did you mean 'great egret'?), 'owl' (3)"
    )
    assert left_out_warning(left_out(list(counts), counts)) is None
    many = left_out_warning(left_out(["a", "b"], {f"label {i}": 1 for i in range(30)}))
    assert many is not None and many.endswith(" and 22 more")


@pytest.mark.parametrize(
    ("label", "near"),
    [
        ("grey herron", "grey heron"),
        ("gray heron", "grey heron"),
        ("Grey_Heron", "grey heron"),
        ("  grey\u00a0heron\n", "grey heron"),
        ("gr\u200bey heron", "grey heron"),
        ("\uff47\uff52\uff45\uff59 heron", "grey heron"),
        (unicodedata.normalize("NFD", "blåhake"), "blåhake"),
        ("three toed woodpecker", "three-toed woodpecker"),
        ("dodo", None),
        ("", None),
    ],
)
def test_nearest_class__is_the_one_that_is_written_almost_alike(label, near):
    assert nearest_class(label, CLASSES) == near


def test_left_out__of_very_many_labels_those_that_differ_in_case_alone_are_all_found():
    labels = [f"{'KIND' if number else 'kinds'} {number}" for number in range(3 * MAX_COMPARED)]
    found = left_out([f"kind {number}" for number in range(3 * MAX_COMPARED)], dict.fromkeys(labels, 1))
    assert {one.label: one.near for one in found} == {
        label: label.lower() if label.startswith("KIND") else None for label in labels
    }


def test_outside_sentence__names_the_nearest_class_and_shows_what_can_not_be_seen():
    assert outside_sentence("grey herron", CLASSES) == (
        "“grey herron” is not among the classes of this run; nearest: “grey heron”."
    )
    assert outside_sentence("do\ndo\u200b é", CLASSES) == "“do\\ndo\\u200b é” is not among the classes of this run."
