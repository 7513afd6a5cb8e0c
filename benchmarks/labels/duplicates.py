"""Do near duplicates and outliers find wrong labels? On drawings with copies and pictures of no class, truth known.

Sets of the demo's kind, and harder ones (``label_errors`` describes them), 5% of their labels wrong. To each, copies of
a tenth of the pictures are added (exact, strongly compressed, made smaller, lightened, cut at the edges; in turn), 30%
of them with a wrong label, and 3% pictures of no class (empty landscapes, noise, rectangles) with any label. A label
that is wrong, or of no class, counts as wrong; W is their number. The labels are judged by the default methods, without
and with neighbours. ``python scripts/mongod.py FOLDER python -m benchmarks.labels.duplicates`` prints tables in
Markdown; intervals are Wilson's, 95%.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.labels.label_errors import FOUR
from benchmarks.shared import Share, table
from lgca_plugin.demo.backgrounds import SCENES, paint_background
from lgca_plugin.demo.canvas import Canvas
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.demo.drawings import DECIDABLE, VARIED, picture_size
from lgca_plugin.method.labels.expected_errors import error_probabilities
from lgca_plugin.method.labels.label_errors import find_label_errors
from lgca_plugin.method.labels.neighbours import contradicted_rows, find_neighbours, with_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from lgca_plugin.demo.drawings import Composition
    from lgca_plugin.method.labels.label_errors import LabelErrors

COPIES, WRONG_COPIES, NO_CLASS = 0.1, 0.3, 0.03
CHANGES = ("exact", "compressed", "smaller", "lightened", "cut")
NOTHINGS = ("empty", "noise", "rectangles")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A set of n pictures, its labels judged without and with neighbours.

    Attributes:
        given: ``[n]`` class index of the label
        truth: ``[n]`` of what was drawn, -1 for no class
        expected: number of wrong labels that forecasts expect among the contradicted ones, without and with neighbours
    """

    given: NDArray[np.int64]
    truth: NDArray[np.int64]
    without: LabelErrors
    with_: LabelErrors
    expected: tuple[float, float]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """``[n]`` whether the label is not what was drawn."""
        return np.asarray(self.given != self.truth)

    @property
    def contradicted(self) -> NDArray[np.bool_]:
        """``[n]`` whether a near duplicate contradicts the label."""
        assert self.with_.twin is not None
        return np.asarray(self.with_.twin >= 0)

    def first(self, errors: LabelErrors, share: float) -> NDArray[np.bool_]:
        """Returns ``[k]`` whether each of the first k labels is wrong, k a share of W."""
        count = int(share * self.wrong.sum())
        return self.wrong[np.argsort(errors.quality, kind="stable")[:count]]


def plant(folder: Path, seed: int, count: int, composition: Composition) -> list[tuple[str, int, int]]:
    """Draws a set and returns file, true and given class of each picture."""
    index = {name: at for at, name in enumerate(CLASSES)}
    images = draw_images(folder, count=count, seed=seed, composition=composition)
    rows = [(one.path, index[one.truth], index[one.label]) for one in images]
    random = np.random.default_rng(seed)
    for at, row in enumerate(random.choice(count, int(COPIES * count), replace=False).tolist()):
        path, truth, _ = rows[row]
        copy = folder / f"copy-{at:04}.jpg"
        _copy(Path(path), copy, CHANGES[at % len(CHANGES)])
        wrong = random.random() < WRONG_COPIES
        rows.append((str(copy), truth, (truth + wrong * int(random.integers(1, len(CLASSES)))) % len(CLASSES)))
    for at in range(int(NO_CLASS * count)):
        file = folder / f"nothing-{at:04}.jpg"
        _nothing(NOTHINGS[at % len(NOTHINGS)], random).save(file, "JPEG", quality=90)
        rows.append((str(file), -1, int(random.integers(len(CLASSES)))))
    return rows


def _copy(path: Path, to: Path, change: str) -> None:
    from PIL import Image, ImageEnhance

    image = Image.open(path).convert("RGB")
    width, height = image.size
    if change == "exact":
        to.write_bytes(path.read_bytes())
        return
    if change == "smaller":
        image = image.resize((int(0.6 * width), int(0.6 * height)), Image.Resampling.BICUBIC)
    elif change == "lightened":
        image = ImageEnhance.Brightness(image).enhance(1.15)
    elif change == "cut":
        image = image.crop((int(0.04 * width), int(0.03 * height), int(0.98 * width), int(0.96 * height)))
    image.save(to, "JPEG", quality=45 if change == "compressed" else 85)


def _nothing(kind: str, random: np.random.Generator) -> Image:
    from PIL import Image

    width, height = picture_size(random)
    if kind == "empty":
        canvas = Canvas(width, height, enlargement=2)
        paint_background(canvas, tuple(SCENES)[int(random.integers(len(SCENES)))], random)
        return canvas.finish()
    if kind == "noise":
        return Image.fromarray(random.integers(0, 256, (height, width, 3)).astype(np.uint8))
    pixels = np.full((height, width, 3), 245, np.uint8)
    for _ in range(12):
        x, y = random.integers(0, width - 20), random.integers(0, height - 20)
        right, bottom = x + int(random.integers(5, width // 2)), y + int(random.integers(5, height // 2))
        pixels[y:bottom, x:right] = random.integers(0, 256, 3)
    return Image.fromarray(pixels)


def judged(folder: Path, seed: int, count: int, composition: Composition, encoder: Any) -> Planted:
    """Draws and classifies a set, and judges its labels."""
    import fiftyone as fo

    import lgca_plugin as lgca

    name = f"planted-{seed}-{count}"
    rows = plant(folder / name, seed, count, composition)
    dataset = fo.Dataset(name, overwrite=True)
    dataset.add_samples([fo.Sample(filepath=path) for path, _, _ in rows], progress=False)
    run = lgca.classify(
        dataset, classes=CLASSES, descriptions=DESCRIPTIONS, methods=FOUR, encoder=encoder, logits=True, progress=False
    )
    assert not run.failures
    logits = {one: np.stack(dataset.values(f"{run.key}_{one}.logits")).astype(np.float32) for one in FOUR}
    ids, found = dataset.values("id"), run.vectors("clip")
    place = {id_: at for at, id_ in enumerate(found.sample_ids)}
    vectors = found.vectors[[place[id_] for id_ in ids]]
    fo.delete_dataset(name)
    truth, given = (np.array(column) for column in list(zip(*rows, strict=True))[1:])
    classes, n = len(CLASSES), len(rows)
    errors = find_label_errors({one: logits[one].copy for one in FOUR}, given, classes=classes)
    neighbours = find_neighbours(lambda: [(np.arange(n), vectors)], n, contradicted_rows(errors, given))
    after = with_neighbours(errors, given, neighbours, classes=classes)
    fit = errors.ensemble
    wrong = partial(error_probabilities, wrong_share=fit.wrong_share, classes=classes, temperature=fit.value)
    assert after.twin is not None
    rows_of = after.twin >= 0
    expected = float(wrong(errors.quality)[rows_of].sum()), float(wrong(after.quality)[rows_of].sum())
    sys.stderr.write(f"{n} pictures of seed {seed}: done\n")
    return Planted(given=given, truth=truth, without=errors, with_=after, expected=expected)


def planted_table(groups: dict[str, list[Planted]]) -> str:
    """Returns what neighbours change, a column a group of sets."""
    cells = [_column(sets) for sets in groups.values()]
    rows = [[name, *(column[name] for column in cells)] for name in cells[0]]
    return table(["", *groups], rows)


def _column(sets: list[Planted]) -> dict[str, object]:
    def every(of: Any) -> NDArray[Any]:
        return np.concatenate([of(one) for one in sets])

    def unlike(one: Planted) -> NDArray[np.bool_]:
        assert one.with_.unlike is not None
        return one.with_.unlike

    wrong, contradicted = every(lambda one: one.wrong), every(lambda one: one.contradicted)
    before, after = every(lambda one: one.without.suspect), every(lambda one: one.with_.suspect)
    right = {
        name: every(lambda one, name=name: getattr(one, name).suggestion == one.truth) for name in ("without", "with_")
    }
    shown, nothing = contradicted & after, every(lambda one: one.truth < 0)
    alone = every(unlike)
    return {
        "pictures, wrong labels": f"{len(wrong):,}, {wrong.sum():,}",
        "wrong labels among the first W, without": Share.of(every(lambda one: one.first(one.without, 1))),
        "with": Share.of(every(lambda one: one.first(one.with_, 1))),
        "wrong labels among the first W / 2, without": Share.of(every(lambda one: one.first(one.without, 0.5))),
        "with ": Share.of(every(lambda one: one.first(one.with_, 0.5))),
        "suspects that are wrong, without": Share.of(wrong[before]),
        "with  ": Share.of(wrong[after]),
        "suspects that a near duplicate contradicts: wrong": Share.of(wrong[shown]),
        "of these, suggestion right, without": Share.of(right["without"][shown]),
        "with   ": Share.of(right["with_"][shown]),
        "expected to be wrong among the contradicted, without; with; found": "; ".join(
            [*(f"{sum(one.expected[at] for one in sets):.1f}" for at in (0, 1)), str(int(wrong[contradicted].sum()))]
        ),
        "suspects that are unlike all others: of no class": Share.of(nothing[alone]),
        "suspects of no class that are unlike all others": Share.of(alone[nothing & after]),
    }


def main() -> int:
    """Draws, classifies and judges the sets, and prints the table."""
    import lgca_plugin as lgca

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--easy", type=int, nargs="*", default=[421, 422, 423, 424], help="seeds of 300 pictures each")
    parser.add_argument("--hard", type=int, nargs="*", default=[431, 432, 433], help="seeds of 600 pictures each")
    parser.add_argument("--models", nargs="+", choices=["demo", "demo-vit"], default=["demo", "demo-vit"])
    parser.add_argument("--folder", type=Path, help="stores pictures and embeddings, which are deleted without it")
    options = parser.parse_args()
    groups: dict[str, list[Planted]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        os.environ["LGCA_STORE_DIR"] = str(folder / "embeddings")
        for model in options.models:
            encoder = lgca.load_encoder(model)
            for title, seeds, count, composition in (
                ("the demo's kind", options.easy, 300, DECIDABLE),
                ("harder", options.hard, 600, VARIED),
            ):
                sets = [judged(folder, seed, count, composition, encoder) for seed in seeds]
                if sets:
                    groups[f"{title}, `{model}`"] = sets
    sys.stdout.write(f"{planted_table(groups)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
