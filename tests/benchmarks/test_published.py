"""The sets of the WCA paper are read from folders that are laid out as their makers hand them out."""

import json

import pytest

from benchmarks.accuracy.image_sets import NAMED
from benchmarks.accuracy.published import PUBLISHED, imagenet_names, place_name
from tests.helpers.paths import PUBLISHED_DESCRIPTIONS


def write(root, files):
    """Writes text files, and images without content, by their paths."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")


LAYOUTS = {
    "cub": {
        "CUB_200_2011/classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
        "CUB_200_2011/images.txt": "1 001.Black_footed_Albatross/a.jpg\n2 002.Laysan_Albatross/b.jpg\n"
        "3 002.Laysan_Albatross/c.jpg\n",
        "CUB_200_2011/train_test_split.txt": "1 0\n2 1\n3 0\n",
        "CUB_200_2011/images/001.Black_footed_Albatross/a.jpg": "",
        "CUB_200_2011/images/002.Laysan_Albatross/b.jpg": "",
        "CUB_200_2011/images/002.Laysan_Albatross/c.jpg": "",
    },
    "pets": {
        "oxford-iiit-pet/annotations/test.txt": "Abyssinian_201 1 1 1\namerican_bulldog_10 2 2 1\n",
        "oxford-iiit-pet/images/Abyssinian_201.jpg": "",
        "oxford-iiit-pet/images/american_bulldog_10.jpg": "",
    },
    "dtd": {
        "dtd/dtd/labels/test1.txt": "banded/banded_0002.jpg\nzigzagged/zigzagged_0001.jpg\n",
        "dtd/dtd/images/banded/banded_0002.jpg": "",
        "dtd/dtd/images/zigzagged/zigzagged_0001.jpg": "",
    },
    "food101": {
        "food-101/meta/test.json": json.dumps({"waffles": ["waffles/7"], "apple_pie": ["apple_pie/1", "apple_pie/2"]}),
        **{f"food-101/images/{name}.jpg": "" for name in ("waffles/7", "apple_pie/1", "apple_pie/2")},
    },
    "places365": {
        "categories_places365.txt": "/a/airfield 0\n/a/arena/hockey 1\n/a/arena/rodeo 2\n",
        "places365_val.txt": "Places365_val_00000001.jpg 2\nPlaces365_val_00000002.jpg 0\n",
        "val_256/Places365_val_00000001.jpg": "",
        "val_256/Places365_val_00000002.jpg": "",
    },
}
EXPECTED = {
    "cub": [("a.jpg", "Black footed Albatross"), ("c.jpg", "Laysan Albatross")],
    "pets": [("Abyssinian_201.jpg", "Abyssinian"), ("american_bulldog_10.jpg", "American Bulldog")],
    "dtd": [("banded_0002.jpg", "banded"), ("zigzagged_0001.jpg", "zigzagged")],
    "food101": [("1.jpg", "apple pie"), ("2.jpg", "apple pie"), ("7.jpg", "waffles")],
    "places365": [("Places365_val_00000001.jpg", "arena rodeo"), ("Places365_val_00000002.jpg", "airfield")],
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_published__test_images_have_their_classes(name, tmp_path):
    write(tmp_path, LAYOUTS[name])
    found = PUBLISHED[name].load(tmp_path)
    labels = [found.classes[label] for label in found.truth.tolist()]
    assert list(zip([file.name for file in found.files], labels, strict=True)) == EXPECTED[name]
    assert all(file.is_file() for file in found.files)


@pytest.mark.parametrize("name", LAYOUTS)
def test_published__says_what_is_missing(name, tmp_path):
    with pytest.raises(SystemExit, match="It comes from"):
        PUBLISHED[name].load(tmp_path)
    write(tmp_path, LAYOUTS[name])
    PUBLISHED[name].load(tmp_path).files[0].unlink()
    with pytest.raises(SystemExit, match="lacks 1 of"):
        PUBLISHED[name].load(tmp_path)


def test_imagenet__folders_by_wordnet_number_have_a_thousand_distinct_names(tmp_path):
    names = imagenet_names()
    assert len(set(names)) == 1000
    expected = {0: "tench", 1: "goldfish", 657: "missile", 744: "projectile", 836: "sunglass", 837: "sunglasses"}
    assert {number: names[number] for number in expected} == expected
    for number in range(1000):
        (tmp_path / "imagenet" / "val" / f"n{10_000_000 + number}").mkdir(parents=True)
    write(tmp_path, {"imagenet/val/n10000001/ILSVRC2012_val_00000001.JPEG": ""})
    found = PUBLISHED["imagenet"].load(tmp_path)
    assert [found.classes[label] for label in found.truth.tolist()] == ["goldfish"]
    (tmp_path / "imagenet" / "val" / "n10000999").rmdir()
    with pytest.raises(SystemExit, match="999 folders"):
        PUBLISHED["imagenet"].load(tmp_path)


def test_download__is_refused_where_torchvision_has_none(tmp_path):
    with pytest.raises(SystemExit, match="torchvision does not download"):
        PUBLISHED["cub"].load(tmp_path, download=True)


def test_download__names_classes_of_torchvision():
    from torchvision import datasets

    assert all(hasattr(datasets, entry.download[0]) for entry in PUBLISHED.values() if entry.download)


@pytest.mark.skipif(not PUBLISHED_DESCRIPTIONS.exists(), reason="the published descriptions are not in this checkout")
@pytest.mark.parametrize(("name", "file"), [("cub", "cub_clip-d"), ("pets", "oxford_pet_cupl"), ("dtd", "dtd_cupl")])
def test_published__descriptions_match_every_class(name, file, tmp_path):
    write(tmp_path, LAYOUTS[name])
    found = PUBLISHED[name].load(tmp_path, descriptions=PUBLISHED_DESCRIPTIONS / f"{file}.json")
    assert found.texts()[NAMED].from_templates == ()


def test_places__keep_what_tells_them_apart():
    assert place_name("/a/apartment_building/outdoor") == "apartment building outdoor"
