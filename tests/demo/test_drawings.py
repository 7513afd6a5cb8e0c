"""The demo's classes, drawings, captions and dataset."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lgca_plugin.demo.ambiguous import draw_pairs
from lgca_plugin.demo.backgrounds import SCENES
from lgca_plugin.demo.canvas import PALETTE
from lgca_plugin.demo.captions import caption, facts, inside, vocabulary, words
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS, PART_VALUES, PLUMAGE, SLOTS, part_phrase
from lgca_plugin.demo.crops import draw_crop
from lgca_plugin.demo.dataset import MANIFEST, draw_images
from lgca_plugin.demo.drawings import DECIDABLE, VARIED, Part, Scene, draw_scene, generator
from lgca_plugin.errors import ConfigError


def test_classes__share_every_part_value_and_any_two_differ_in_two_parts_or_more():
    assert len(CLASSES) == 12
    for slot, values in PART_VALUES.items():
        for value in values:
            assert sum(plumage[slot] == value for plumage in PLUMAGE.values()) >= 2, (slot, value)

    for first, second in itertools.combinations(PLUMAGE.values(), 2):
        assert sum(first[slot] != second[slot] for slot in SLOTS) >= 2


def test_descriptions__name_every_part_and_share_sentences_with_other_classes():
    for name, sentences in DESCRIPTIONS.items():
        assert 5 <= len(sentences) <= 8
        text = " ".join(sentences)
        assert all(part_phrase(slot, value, article=False) in text for slot, value in PLUMAGE[name].items())
        others = {sentence for other in CLASSES if other != name for sentence in DESCRIPTIONS[other]}
        assert len(others & set(sentences)) >= 2


def test_draw_scene__the_same_seed_gives_the_same_picture_and_geometry_and_another_key_another_picture():
    first, second = (draw_scene("blue tit", generator("demo", 3, 7)) for _ in range(2))
    assert first.image.tobytes() == second.image.tobytes()
    assert (first.parts, first.things, first.bird) == (second.parts, second.things, second.bird)
    keys = [("demo", 3, 7), ("demo", 3, 8), ("demo", 4, 7), ("training", 3, 7), ("validation", 3, 7)]
    assert len({draw_scene("blue tit", generator(*key)).image.tobytes() for key in keys}) == len(keys)


def test_draw_scene__unknown_class_is_refused():
    with pytest.raises(ValueError, match="'dodo'"):
        draw_scene("dodo", generator("demo", 0))


def test_draw_scene__sizes_and_boxes_are_what_is_promised():
    scenes = [draw_scene(CLASSES[index % 12], generator("validation", 1, index)) for index in range(60)]
    assert {scene.background for scene in scenes} == set(SCENES)
    for scene in scenes:
        width, height = scene.image.size
        assert scene.size == (width, height)
        assert 160 <= min(width, height) <= max(width, height) <= 256
        left, top, right, bottom = scene.bird
        assert VARIED.bird_lengths[0] <= max(right - left, bottom - top) / min(width, height) <= VARIED.bird_lengths[1]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        for part in scene.parts.values():
            assert inside(part.box, scene.bird) == pytest.approx(1)
    assert any(scene.image.width != scene.image.height for scene in scenes)
    assert {len(scene.things) for scene in scenes} == {0, 1, 2}


def test_draw_scene__a_part_has_a_foreign_colour_now_and_then():
    scenes = [draw_scene("redpoll", generator("validation", 2, index)) for index in range(100)]
    coloured = [slot for slot in SLOTS if slot not in ("neck", "tail")]
    foreign = [scene.parts[slot].value != PLUMAGE["redpoll"][slot] for scene in scenes for slot in coloured]
    assert 0.02 < np.mean(foreign) < 0.11
    assert all(scene.parts[slot].value == PLUMAGE["redpoll"][slot] for scene in scenes for slot in ("neck", "tail"))


@pytest.mark.parametrize("composition", [VARIED, DECIDABLE])
def test_draw_scene__the_box_of_a_part_shows_its_colour(composition):
    """The beak's box holds pixels of the beak's colour; the picture without a bird there holds fewer."""
    orange = np.array(PALETTE["orange"], dtype=np.float64)
    shares = []
    for index in range(20):
        scene = draw_scene("oystercatcher", generator("validation", 4, index), composition)
        if scene.parts["beak"].value == "orange":
            left, top, right, bottom = (round(edge) for edge in scene.parts["beak"].box)
            pixels = np.asarray(scene.image.crop((left, top, right, bottom)), dtype=np.float64)
            shares.append((np.linalg.norm(pixels - orange, axis=-1) < 70).mean())
    assert np.median(shares) > 0.15


@pytest.fixture(scope="module")
def decidable():
    """Ten pictures of each class, composed as the demo's are."""
    return [draw_scene(CLASSES[index % 12], generator("validation", 9, index), DECIDABLE) for index in range(120)]


def test_decidable_scenes__every_part_is_the_classs_own_and_shows_its_colour_on_enough_pixels(decidable):
    """Classes that differ least differ in beak and legs: of those, and of all other coloured parts, enough is seen."""
    enough = {"beak": 10, "head": 30, "breast": 150, "wings": 250, "legs": 35}
    for scene in decidable:
        pixels = np.asarray(scene.image, dtype=np.float64)
        for slot, count in enough.items():
            value = scene.parts[slot].value
            assert value == PLUMAGE[scene.label][slot]
            left, top, right, bottom = (round(edge) for edge in scene.parts[slot].box)
            inside_box = pixels[top : bottom + 1, left : right + 1]
            own, *others = (
                np.linalg.norm(inside_box - PALETTE[name], axis=-1)
                for name in (value, *(other for other in PART_VALUES[slot] if other != value))
            )
            assert ((own < 70) & (own < np.min(others, axis=0))).sum() >= count, (scene.label, slot)


def test_decidable_scenes__are_enlarged_and_their_boxes_with_them(decidable):
    sizes = [min(scene.image.size) for scene in decidable]
    lengths = [max(right - left, bottom - top) for left, top, right, bottom in (scene.bird for scene in decidable)]
    assert min(sizes) >= 2 * 160 and max(max(scene.image.size) for scene in decidable) <= 2 * 256
    assert all(scene.size == scene.image.size for scene in decidable)
    shares = [length / size for length, size in zip(lengths, sizes, strict=True)]
    low, high = DECIDABLE.bird_lengths
    assert low <= min(shares) < low + 0.05 and high - 0.05 < max(shares) <= high
    for scene in decidable:
        assert all(inside(part.box, scene.bird) == pytest.approx(1) for part in scene.parts.values())
        picture = (0.0, 0.0, float(scene.image.width), float(scene.image.height))
        assert inside(scene.bird, picture) == pytest.approx(1)
        assert all(inside(thing.box, picture) > 0.5 for thing in scene.things)


def hand_made_scene():
    image = Image.new("RGB", (200, 200))
    boxes = {slot: (20.0 * index, 0.0, 20.0 * index + 10, 10.0) for index, slot in enumerate(SLOTS)}
    parts = {slot: Part(value=PLUMAGE["blue tit"][slot], box=box) for slot, box in boxes.items()}
    bird = (0.0, 0.0, 130.0, 10.0)
    return Scene(image=image, size=(200, 200), label="blue tit", background="lake", bird=bird, parts=parts, things=())


def test_facts__name_what_lies_inside_the_crop_and_may_claim_a_part_half_inside():
    shown = facts(hand_made_scene(), (0.0, 0.0, 35.0, 35.0))
    assert shown.label is None
    assert shown.parts == {"beak": "black", "head": "blue"}
    assert shown.claims == {
        ("background", "lake"), ("bird", ""), ("class", "blue tit"), ("beak", "black"), ("head", "blue"),
    }  # fmt: skip

    shown = facts(hand_made_scene(), (0.0, 0.0, 25.0, 25.0))
    assert shown.parts == {"beak": "black"}
    assert ("head", "blue") in shown.claims

    shown = facts(hand_made_scene(), (100.0, 100.0, 200.0, 200.0))
    assert (shown.label, shown.parts) == (None, {})
    assert shown.claims == {("background", "lake")}


def test_captions__say_only_what_is_true_and_in_words_of_the_vocabulary():
    known = set(vocabulary())
    texts = set()
    for index in range(180):
        rng = generator("validation", 5, index)
        scene = draw_scene(CLASSES[index % 12], rng)
        shown = facts(scene, draw_crop(scene, rng))
        written = caption(shown, rng)
        texts.add(written.text)
        assert written.claims
        assert written.claims <= shown.claims
        assert words([written.text]) <= known
        # The words agree with the claims: a class or part is in the sentence exactly when it is claimed.
        named = {name for name in CLASSES if name in written.text}
        assert named == {value for kind, value in written.claims if kind == "class"}
        rest = written.text
        for name in named:
            rest = rest.replace(name, "")
        for slot, values in PART_VALUES.items():
            said = {value for value in values if part_phrase(slot, value, article=False) in rest}
            assert said == {value for kind, value in written.claims if kind == slot}
    assert len(texts) > 90


def test_crops__lie_inside_the_picture_and_are_square():
    for index in range(60):
        rng = generator("validation", 6, index)
        scene = draw_scene(CLASSES[index % 12], rng)
        left, top, right, bottom = draw_crop(scene, rng)
        assert -1e-9 <= left < right <= scene.image.width + 1e-9
        assert -1e-9 <= top < bottom <= scene.image.height + 1e-9
        assert right - left == pytest.approx(bottom - top)


@pytest.fixture(scope="module")
def full_set(tmp_path_factory):
    return draw_images(tmp_path_factory.mktemp("demo"))


def test_draw_images__twelve_of_240_labels_are_wrong_and_their_truth_is_recorded(full_set):
    assert len(full_set) == 240
    assert all(image.mislabelled == (image.label != image.truth) for image in full_set)
    assert sum(image.mislabelled for image in full_set) == 12
    assert {image.label for image in full_set} == set(CLASSES)
    truths = [image.truth for image in full_set]
    assert {truths.count(name) for name in CLASSES} == {20}
    assert truths[:12] != list(CLASSES), "the order gives the classes away"


def test_draw_images__a_second_call_reuses_the_files(full_set):
    paths = [Path(image.path) for image in full_set]
    times = [path.stat().st_mtime_ns for path in paths]
    assert draw_images(paths[0].parent) == full_set
    assert [path.stat().st_mtime_ns for path in paths] == times


def digests(images):
    return [hashlib.sha256(Path(image.path).read_bytes()).hexdigest() for image in images]


def test_draw_images__same_seed_same_bytes_anywhere_and_other_seed_other_bytes(tmp_path):
    first = draw_images(tmp_path / "a", count=6, seed=1)
    second = draw_images(tmp_path / "b", count=6, seed=1)
    third = draw_images(tmp_path / "c", count=6, seed=2)
    assert digests(first) == digests(second)
    assert not set(digests(first)) & set(digests(third))


def test_draw_images__a_damaged_or_different_set_is_drawn_again_and_strangers_stay(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    small = draw_images(tmp_path, count=6, seed=1)
    right = digests(small)
    Path(small[2].path).write_bytes(b"")
    assert digests(draw_images(tmp_path, count=6, seed=1)) == right
    large = draw_images(tmp_path, count=6, seed=1, composition=DECIDABLE)
    assert not set(digests(large)) & set(right), "the same seed, but other pictures"
    draw_images(tmp_path, count=3, seed=2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "mine.txt", MANIFEST, "bird-000.jpg", "bird-001.jpg", "bird-002.jpg",
    }  # fmt: skip


def test_draw_images__a_manifest_that_points_outside_the_folder_is_not_followed(tmp_path):
    outside = tmp_path / "outside.jpg"
    outside.write_text("keep")
    folder = tmp_path / "birds"
    folder.mkdir()
    (folder / MANIFEST).write_text('{"set": {}, "digests": {"../outside.jpg": "0"}}')
    draw_images(folder, count=2, seed=1)
    assert outside.read_text() == "keep"


@pytest.mark.parametrize("draw", [draw_images, draw_pairs])
@pytest.mark.parametrize(("count", "seed", "name"), [(0, 1, "count"), (3, -1, "seed")])
def test_drawing__bad_numbers_are_refused_before_anything_is_written(tmp_path, draw, count, seed, name):
    with pytest.raises(ConfigError, match=name):
        draw(tmp_path / "new", count=count, seed=seed)
    assert not (tmp_path / "new").exists()
