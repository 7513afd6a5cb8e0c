"""The six sets of the WCA paper: where their test images and class names are, and the published figures.

Each is read from the folder that its makers hand out, as torchvision lays it out; torchvision downloads four of them.
Class names come from the set itself, those of ImageNet from open_clip. The label prompt of all six is the package's
own, "a photo of a {}.", and the published descriptions are files that a user has to get: WCA's repository has them for
most of the sets (MIT, https://github.com/JinhaoLee/WCA, prompts/SET/cupl.json and clip-d.json).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .image_sets import ImageSet, class_name, images_in, of_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Labelled = list[tuple[Path, str]]


@dataclass(frozen=True, kw_only=True)
class PublishedSet:
    """A set with published figures.

    Attributes:
        title: its name
        figures: method to its published top-1 in percent, with OpenAI's ViT-B/32 (Li et al., ICML 2024)
        read: returns the labelled test images in a data folder, and all class names
        download: the name of torchvision's class and its arguments; None if torchvision does not download the set
        source: where a user gets the set
    """

    title: str
    figures: dict[str, float]
    read: Callable[[Path], tuple[Labelled, list[str]]]
    download: tuple[str, dict[str, Any]] | None
    source: str

    def load(self, data: Path, *, descriptions: Path | None = None, download: bool = False) -> ImageSet:
        """Returns the set's test images.

        Args:
            data: folder of all data sets
            descriptions: path of a file with the descriptions of the classes
            download: whether torchvision downloads the set into ``data`` first

        Raises:
            SystemExit: if the set is not there, or torchvision does not download it
        """
        if download:
            self._download(data)
        try:
            labelled, classes = self.read(data)
        except FileNotFoundError as error:
            raise SystemExit(f"{self.title} is not complete in {data}: {error}. It comes from {self.source}") from error
        missing = [file for file, _ in labelled if not file.exists()]
        if missing:
            raise SystemExit(f"{self.title} lacks {len(missing):,} of {len(labelled):,} images, such as {missing[0]}")
        return of_files(self.title, labelled, classes, descriptions=descriptions)

    def _download(self, data: Path) -> None:
        if self.download is None:
            raise SystemExit(f"torchvision does not download {self.title}; it comes from {self.source}")
        from torchvision import datasets

        name, arguments = self.download
        data.mkdir(parents=True, exist_ok=True)
        getattr(datasets, name)(data, download=True, **arguments)


def _lines(file: Path) -> list[list[str]]:
    return [line.split() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def _first_of(*folders: Path) -> Path:
    """Returns the first folder that is there, or the first."""
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def imagenet_names() -> list[str]:
    """Returns ImageNet's 1,000 class names in the order of their WordNet numbers: open_clip's, each once.

    open_clip names two classes "missile" and two "sunglasses"; these have torchvision's names, which differ.
    """
    from open_clip import IMAGENET_CLASSNAMES
    from torchvision.models import ResNet50_Weights

    times = Counter(IMAGENET_CLASSNAMES)
    others = ResNet50_Weights.IMAGENET1K_V1.meta["categories"]
    return [name if times[name] == 1 else other for name, other in zip(IMAGENET_CLASSNAMES, others, strict=True)]


def _imagenet(data: Path) -> tuple[Labelled, list[str]]:
    root = _first_of(data / "imagenet" / "val", data / "val")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    names = imagenet_names()
    if len(folders) != len(names):
        raise FileNotFoundError(f"{root} has {len(folders)} folders instead of 1,000")
    return [(file, name) for path, name in zip(folders, names, strict=True) for file in images_in(path)], names


def _cub(data: Path) -> tuple[Labelled, list[str]]:
    root = data / "CUB_200_2011"
    training = {number for number, flag in _lines(root / "train_test_split.txt") if flag == "1"}
    images = [line for line in _lines(root / "images.txt") if line[0] not in training]
    classes = [class_name(name) for _, name in _lines(root / "classes.txt")]
    return [(root / "images" / file, class_name(file.split("/")[0])) for _, file in images], classes


def _pets(data: Path) -> tuple[Labelled, list[str]]:
    root = data / "oxford-iiit-pet"
    rows = [line[:2] for line in _lines(root / "annotations" / "test.txt")]
    names = {int(number): class_name(file.rsplit("_", 1)[0]).title() for file, number in rows}
    labelled = [(root / "images" / f"{file}.jpg", names[int(number)]) for file, number in rows]
    return labelled, [names[number] for number in sorted(names)]


def _dtd(data: Path) -> tuple[Labelled, list[str]]:
    root = _first_of(data / "dtd" / "dtd", data / "dtd")
    files = [line[0] for line in _lines(root / "labels" / "test1.txt")]
    return [(root / "images" / file, file.split("/")[0]) for file in files], sorted(
        {one.split("/")[0] for one in files}
    )


def _food101(data: Path) -> tuple[Labelled, list[str]]:
    root = data / "food-101"
    listed = json.loads((root / "meta" / "test.json").read_text(encoding="utf-8"))
    classes = {name: class_name(name) for name in sorted(listed)}
    files = [(root / "images" / f"{file}.jpg", classes[name]) for name in classes for file in listed[name]]
    return files, list(classes.values())


def _places365(data: Path) -> tuple[Labelled, list[str]]:
    root = _first_of(data / "places365", data)
    numbered = {int(number): place_name(name) for name, number in _lines(root / "categories_places365.txt")}
    images = _first_of(root / "val_large", root / "val_256")
    labelled = [(images / file, numbered[int(number)]) for file, number in _lines(root / "places365_val.txt")]
    return labelled, [numbered[number] for number in sorted(numbered)]


def place_name(category: str) -> str:
    """Returns the class name of a category of Places365, whose parts stay: several places differ in them alone.

    Example:
        >>> place_name("/a/arena/hockey")
        'arena hockey'
    """
    return class_name(category[3:].replace("/", "_"))


PUBLISHED = {
    "imagenet": PublishedSet(
        title="ImageNet",
        figures={"clip": 62.05, "wca": 66.84},
        read=_imagenet,
        download=None,
        source="https://image-net.org (the validation images, a folder for each WordNet number)",
    ),
    "cub": PublishedSet(
        title="CUB-200-2011",
        figures={"clip": 51.21, "wca": 56.91},
        read=_cub,
        download=None,
        source="https://www.vision.caltech.edu/datasets/cub_200_2011",
    ),
    "pets": PublishedSet(
        title="Oxford Pets",
        figures={"clip": 85.04, "wca": 89.89},
        read=_pets,
        download=("OxfordIIITPet", {"split": "test"}),
        source="https://www.robots.ox.ac.uk/~vgg/data/pets, or --download",
    ),
    "dtd": PublishedSet(
        title="DTD",
        figures={"clip": 42.93, "wca": 49.39},
        read=_dtd,
        download=("DTD", {"split": "test"}),
        source="https://www.robots.ox.ac.uk/~vgg/data/dtd, or --download",
    ),
    "food101": PublishedSet(
        title="Food101",
        figures={"clip": 82.60, "wca": 86.40},
        read=_food101,
        download=("Food101", {"split": "test"}),
        source="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101, or --download",
    ),
    "places365": PublishedSet(
        title="Places365",
        figures={"clip": 38.51, "wca": 40.66},
        read=_places365,
        download=("Places365", {"split": "val"}),
        source="http://places2.csail.mit.edu, or --download",
    ),
}
