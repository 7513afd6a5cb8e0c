"""Pairs of drawings that differ in one part, and what is counted of the misleading-crop cases among them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.labels.misleading import (
    PictureResult,
    coverage,
    detection,
    detection_table,
    flags_table,
    inside,
    newly_decoy,
    parts_table,
)
from lgca_plugin.demo.ambiguous import CLEARLY, PARTS, SMALLEST_CHANGE, draw_pairs, swaps
from lgca_plugin.demo.canvas import PALETTE
from lgca_plugin.demo.classes import CLASSES, PLUMAGE


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """12 pairs, two of each part: the plain picture and the altered one."""
    images = draw_pairs(tmp_path_factory.mktemp("pairs"), count=12, seed=7)
    return list(zip(images[0::2], images[1::2], strict=True))


def pixels(image):
    with Image.open(image.path) as opened:
        return np.asarray(opened.convert("RGB"), dtype=int)


def within(image, shape):
    """Which pixels of the picture lie in the part's box."""
    height, width = shape
    x, y, w, h = image.box
    left, top, right, bottom = (round(edge) for edge in (x * width, y * height, (x + w) * width, (y + h) * height))
    found = np.zeros(shape, dtype=bool)
    found[top:bottom, left:right] = True
    return found


def test_swaps__the_altered_bird_is_nearer_to_its_class_than_to_any_other():
    assert {swap.part for swap in swaps()} == set(PARTS)
    assert {swap.truth for swap in swaps()} == set(CLASSES)
    for swap in swaps():
        altered = {**PLUMAGE[swap.truth], swap.part: swap.value}
        differences = {name: sum(altered[slot] != PLUMAGE[name][slot] for slot in altered) for name in CLASSES}
        assert differences.pop(swap.truth) == 1
        assert min(differences.values()) >= 2
        owners = [name for name in differences if PLUMAGE[name][swap.part] == swap.value]
        assert swap.decoy in owners
        assert differences[swap.decoy] == min(differences[name] for name in owners)


def test_swaps__what_is_as_near_to_another_class_is_left_out():
    listed = {(swap.truth, swap.part, swap.value): swap.decoy for swap in swaps()}
    assert ("great egret", "beak", "black") not in listed  # a snowy egret but for its legs
    assert ("barn swallow", "tail", "short") not in listed  # a blue tit but for its breast
    assert listed["arctic tern", "breast", "yellow"] == "grey wagtail"  # with the tern's neck, wings and legs
    assert listed["great egret", "beak", "red"] == "white stork"


def test_draw_pairs__parts_take_turns_and_every_picture_says_what_it_is(pairs):
    assert [plain.swap.part for plain, _ in pairs] == list(PARTS) * 2
    for number, (plain, altered) in enumerate(pairs):
        assert (plain.pair, altered.pair) == (number, number)
        assert (plain.altered, altered.altered) == (False, True)
        assert (plain.swap, plain.box) == (altered.swap, altered.box)
        assert plain.swap in swaps()
        assert Path(plain.path).name == f"pair-{number:03d}-plain.png"
        x, y, width, height = plain.box
        assert min(x, y) >= 0 and min(width, height) > 0 and x + width <= 1 and y + height <= 1
    assert len({plain.swap for plain, _ in pairs}) > 8


def test_draw_pairs__twins_are_equal_outside_the_box_and_differ_clearly_inside(pairs):
    for plain, altered in pairs:
        first, second = pixels(plain), pixels(altered)
        assert first.shape == second.shape
        change = np.abs(first - second).max(axis=-1)
        inside_box = within(plain, change.shape)
        assert not change[~inside_box].any()
        assert (change[inside_box] > CLEARLY).sum() >= SMALLEST_CHANGE


def test_draw_pairs__the_part_has_its_classs_colour_and_then_the_decoys(pairs):
    for plain, altered in pairs:
        slot, value = plain.swap.part, plain.swap.value
        if slot == "tail":
            continue
        first, second = pixels(plain), pixels(altered)
        changed = np.abs(first - second).max(axis=-1) > CLEARLY
        for shown_there, nearer, farther in (
            (first, PLUMAGE[plain.swap.truth][slot], value),
            (second, value, PLUMAGE[plain.swap.truth][slot]),
        ):
            to_own, to_other = (
                np.linalg.norm(shown_there[changed] - np.array(PALETTE[name]), axis=-1) for name in (nearer, farther)
            )
            assert (to_own < to_other).mean() > 0.6, plain.swap


def test_draw_pairs__the_same_seed_gives_the_same_files_whatever_the_count(tmp_path):
    first = draw_pairs(tmp_path / "a", count=2, seed=1)
    second = draw_pairs(tmp_path / "b", count=3, seed=1)
    other = draw_pairs(tmp_path / "c", count=2, seed=2)
    files = [[Path(image.path).read_bytes() for image in images] for images in (first, second[:4], other)]
    assert files[0] == files[1]
    assert not set(files[0]) & set(files[2])
    assert [image.swap for image in first] == [image.swap for image in second[:4]]


def result(wca, lgca_label, size=None, shown_parts=None):
    """A picture of a heron whose beak is, or may be, an egret's."""
    labels = {"wca": wca, "lgca": lgca_label}
    return PictureResult(part="beak", truth="heron", decoy="egret", labels=labels, size=size, coverage=shown_parts)


PLAIN = [
    result("heron", "heron"),
    result("heron", "heron"),
    result("heron", "heron"),
    result("egret", "egret"),  # the decoy without any help
    result("tern", "heron", size=5, shown_parts=(0.2, 0.4)),  # flagged, though nothing was altered
]
ALTERED = [
    result("egret", "heron", size=2, shown_parts=(0.9, 0.5)),  # turned, flagged
    result("egret", "egret"),  # turned, both misled
    result("egret", "heron"),  # turned, no case
    result("egret", "heron", size=4, shown_parts=(0.5, 0.5)),  # flagged, but no more the decoy than before
    result("tern", "heron"),
]


def test_newly_decoy__wca_predicts_the_decoy_and_did_not_on_the_plain_picture():
    assert newly_decoy(PLAIN, ALTERED) == [True, True, True, False, False]


def test_detection__counts_hits_and_both_kinds_of_misses():
    found = detection(PLAIN + ALTERED, [False] * 5 + newly_decoy(PLAIN, ALTERED))
    assert {name: (share.k, share.n) for name, share in found.items()} == {
        "of all": (3, 10),
        "precision": (1, 3),
        "recall": (1, 3),
        "agree": (1, 3),
        "no case": (1, 3),
        "any difference": (2, 5),
    }
    found = detection(PLAIN + ALTERED, [False] * 5 + [True] * 5)
    assert [(share.k, share.n) for share in found.values()] == [(5, 10), (2, 3), (2, 5), (1, 5), (2, 5), (4, 5)]


def test_tables__say_what_was_counted():
    flags = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in flags_table(PLAIN, ALTERED, PLAIN).split("\n")
    ]
    cells = {row[0]: [cell.split(",")[0] for cell in row[1:]] for row in flags if row}
    assert cells["WCA is wrong"] == ["5 of 5", "2 of 5", "2 of 5"]
    assert cells["turned: WCA predicts the decoy, and did not on the plain picture"] == ["3 of 5", "", "0 of 5"]
    assert cells["WCA is wrong, and was right on the plain picture"] == ["3 of 5", "", "0 of 5"]
    assert cells["WCA and LGCA differ"] == ["4 of 5", "1 of 5", "1 of 5"]
    assert cells["**flagged**"] == ["2 of 5", "1 of 5", "1 of 5"]
    assert cells["of these: WCA predicts the decoy"] == ["2 of 2", "0 of 1", "0 of 1"]
    assert cells["LGCA is right"] == ["2 of 2", "1 of 1", "1 of 1"]
    assert "| 3, 4 | 5, 5 | 5, 5 |" in flags_table(PLAIN, ALTERED, PLAIN)  # sizes
    assert coverage(ALTERED).startswith("70.0%, 50.0%, +20.0% (")
    assert coverage(PLAIN) == "too few"
    # Wilson's interval of 1 of 3, by its formula: centre (1 + z^2 / 2) / (3 + z^2)
    wanted = detection_table(PLAIN, ALTERED)
    assert "| altered and turned | 3 of 10, 30.0% (10.8% to 60.3%) | 1 of 3, 33.3% (6.1% to 79.2%) |" in wanted
    assert "| altered or not, WCA is wrong | 7 of 10, " in wanted
    assert "| altered or not, WCA is wrong and LGCA right | 5 of 10, " in wanted
    assert "| beak | 3 of 5 | 1 | 2 of 5, " in parts_table(PLAIN, ALTERED)


def test_inside__is_the_share_of_the_part_in_each_crop():
    crops = np.array([[0.0, 0.0, 1.0, 1.0], [0.3, 0.0, 0.5, 0.5], [0.6, 0.6, 0.1, 0.1], [0.25, 0.25, 0.1, 0.1]])
    assert inside((0.2, 0.2, 0.2, 0.2), crops).tolist() == pytest.approx([1, 0.5, 0, 0.25])
