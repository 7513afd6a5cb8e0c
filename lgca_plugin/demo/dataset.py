"""The demo dataset: drawn birds with a few deliberately wrong labels whose truth is recorded."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..config import DEMO_MARKER, SAVED_DESCRIPTIONS
from ..errors import ConfigError
from .classes import CLASSES, DESCRIPTIONS
from .drawings import DECIDABLE, DRAWING_VERSION, VARIED, Composition, draw_scene, generator

if TYPE_CHECKING:
    import fiftyone as fo
    import numpy as np

NAME: Final = "lgca-demo"
COUNT: Final = 240
SEED: Final = 51
WRONG_LABELS: Final = 0.05
"""Share of the pictures that get a wrong label."""

MANIFEST: Final = "lgca-demo.json"
JPEG_QUALITY: Final = 92

DESCRIPTION: Final = (
    "Birds drawn by this plugin, made for trying it out: twelve classes put together from shared parts, so that a part "
    "alone misleads and the whole bird decides. The labels are in ground_truth, and 5% of them are wrong on purpose. "
    "Because the pictures are drawn, their true classes are known: truth has them, and label_is_wrong says where the "
    "label is another; a dataset of your own has no such fields. Results on drawings say nothing about photographs."
)


@dataclass(frozen=True, kw_only=True)
class DemoImage:
    """A picture of the demo.

    Attributes:
        path: absolute path of the JPEG file
        label: the label it is given
        truth: the class that was drawn
        mislabelled: whether the two differ
    """

    path: str
    label: str
    truth: str
    mislabelled: bool


def draw_images(
    directory: str | Path, *, count: int = COUNT, seed: int = SEED, composition: Composition = VARIED
) -> list[DemoImage]:
    """Draws pictures of the demo's birds into a folder.

    A folder that holds this set already is left as it is; a folder with another set of the demo gets this one instead.
    Other files in the folder are not touched.

    Args:
        directory: the folder, made if it is missing
        count: number of pictures, at least 1; classes are balanced as far as the count allows
        seed: seed of the drawings and labels, at least 0
        composition: how the birds are put into their pictures; the demo's dataset takes
            :data:`~lgca_plugin.demo.drawings.DECIDABLE`

    Returns:
        the pictures, in the order of their file names; ``round(0.05 * count)`` of them are mislabelled

    Raises:
        ConfigError: if ``count`` or ``seed`` is too small
    """
    if count < 1:
        raise ConfigError(f"count is {count}; the demo needs at least one picture")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; it has to be at least 0")
    directory = Path(directory).expanduser().resolve()
    directory.mkdir(parents=True, exist_ok=True)
    wanted = {**_drawing(composition), "count": count, "seed": seed}
    manifest = _read_manifest(directory)
    if manifest is None or manifest["set"] != wanted or not _intact(directory, manifest):
        for name in manifest["digests"] if manifest else ():
            (directory / name).unlink(missing_ok=True)
        (directory / MANIFEST).unlink(missing_ok=True)
        digests = {
            name: _draw_file(directory / name, truth, generator("demo", seed, index), composition)
            for index, (name, truth, _) in enumerate(_labels(count, seed))
        }
        # Written last, so that an interrupted drawing is done again.
        (directory / MANIFEST).write_text(json.dumps({"set": wanted, "digests": digests}, indent=1), encoding="utf-8")
    return [
        DemoImage(path=str(directory / name), label=label, truth=truth, mislabelled=label != truth)
        for name, truth, label in _labels(count, seed)
    ]


def _drawing(composition: Composition) -> dict[str, Any]:
    """Returns what, beside the seed and the count, decides what is drawn; as JSON stores it."""
    settings = asdict(composition)
    return {"version": DRAWING_VERSION, **settings, "bird_lengths": list(composition.bird_lengths)}


def _labels(count: int, seed: int) -> list[tuple[str, str, str]]:
    """Returns file name, drawn class and given label of every picture."""
    rng = generator("demo", seed)
    truths = [CLASSES[index % len(CLASSES)] for index in rng.permutation(count).tolist()]
    labels = list(truths)
    for index in rng.choice(count, round(WRONG_LABELS * count), replace=False).tolist():
        others = [name for name in CLASSES if name != truths[index]]
        labels[index] = others[int(rng.integers(len(others)))]
    names = [f"bird-{index:0{max(3, len(str(count - 1)))}d}.jpg" for index in range(count)]
    return list(zip(names, truths, labels, strict=True))


def _draw_file(path: Path, truth: str, rng: np.random.Generator, composition: Composition) -> str:
    """Draws one picture and returns the digest of its file."""
    draw_scene(truth, rng, composition).image.save(path, "JPEG", quality=JPEG_QUALITY)
    return _digest(path)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_manifest(directory: Path) -> dict[str, Any] | None:
    """Returns the record of the set in a folder; None without a readable one."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("digests"), dict) or "set" not in manifest:
        return None
    # Names only: a manifest that someone edited must not reach outside the folder.
    if any(Path(name).name != name for name in manifest["digests"]):
        return None
    return manifest


def _intact(directory: Path, manifest: dict[str, Any]) -> bool:
    return all(
        (directory / name).is_file() and _digest(directory / name) == digest
        for name, digest in manifest["digests"].items()
    )


def is_demo(name: str) -> bool:
    """Whether there is a dataset of this name that is a demo, of any release and size."""
    import fiftyone as fo

    return bool(fo.dataset_exists(name)) and DEMO_MARKER in fo.load_dataset(name).info


def load_demo_dataset(
    name: str = NAME,
    directory: str | Path | None = None,
    *,
    count: int = COUNT,
    seed: int = SEED,
    overwrite: bool = False,
    composition: Composition = DECIDABLE,
) -> fo.Dataset:
    """Makes the demo dataset, or loads it if it exists.

    Samples carry ``ground_truth`` (the given label, wrong on 5% of them), ``truth`` (the class that was drawn) and
    ``label_is_wrong``. The dataset is persistent, and ``dataset.info["lgca_demo"]`` says what it is.

    Args:
        name: name of the dataset
        directory: folder of the pictures; None takes ``name`` in FiftyOne's default dataset folder
        count: number of pictures
        seed: seed of the drawings and labels
        overwrite: whether a dataset of this name is replaced, with all that was decided about it
        composition: how the birds are put into their pictures

    Returns:
        the dataset

    Raises:
        ConfigError: if ``count`` or ``seed`` is too small, or a dataset of this name exists, is not this demo and
            ``overwrite`` is False
    """
    import fiftyone as fo

    directory = Path(directory if directory is not None else Path(fo.config.default_dataset_dir) / name)
    directory = directory.expanduser().resolve()
    marker = {**_drawing(composition), "count": count, "seed": seed, "directory": str(directory)}
    if fo.dataset_exists(name) and not overwrite:
        dataset = fo.load_dataset(name)
        if dataset.info.get(DEMO_MARKER) != marker:
            other = "shows other drawings" if is_demo(name) else "is not this demo"
            raise ConfigError(
                f"name is {name!r}, and a dataset of this name exists that {other}; pass another name, or "
                "overwrite=True (--fresh on the command line) to replace it and what was decided about it"
            )
        draw_images(directory, count=count, seed=seed, composition=composition)
        return dataset

    samples = []
    for image in draw_images(directory, count=count, seed=seed, composition=composition):
        record = asdict(image)
        samples.append(
            fo.Sample(
                filepath=record["path"],
                ground_truth=fo.Classification(label=record["label"]),
                truth=fo.Classification(label=record["truth"]),
                label_is_wrong=record["mislabelled"],
            )
        )
    dataset = fo.Dataset(name, persistent=True, overwrite=overwrite)
    dataset.add_samples(samples, progress=False)
    dataset.info = {"description": DESCRIPTION, DEMO_MARKER: marker, SAVED_DESCRIPTIONS: DESCRIPTIONS}
    dataset.default_classes = list(CLASSES)
    # The App shows the labels as they were given; the true ones would give the answers away.
    dataset.app_config.active_fields = fo.ActiveFields(exclude=False, paths=["ground_truth"])
    dataset.save()
    return dataset
