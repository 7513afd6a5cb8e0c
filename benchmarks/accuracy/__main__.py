"""Top-1 of every method and control, over difficulties, encoders, texts, crop scales and seeds, with paired intervals.

Without arguments it is measured on the package's own drawings, with its two models: all that docs/accuracy.md shows.
``--images`` measures it on a folder with a folder of images for each class, ``--published`` on one of the six sets of
the WCA paper, beside the published figures, both with any encoder that ``lgca.load_encoder`` loads:

    python -m benchmarks.accuracy --folder KEPT
    python -m benchmarks.accuracy --folder KEPT --images photos --descriptions photos.json
    python -m benchmarks.accuracy --folder KEPT --published pets dtd --data DATA --download --descriptions TEXTS

Each set is drawn and encoded once for an encoder and a crop scale, and kept in ``--folder``: a run that was stopped
goes on where it was. Lines of JSON are printed first, then Markdown tables; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lgca_plugin.method.core.methods import METHODS

from . import drawn
from .answers import OURS, Answers, answer, every_method
from .encoding import encode
from .image_sets import TEXTS, ImageSet, of_drawings, of_folder
from .mixes import MIXES, OUTSIDE, corrected, without_some_classes
from .published import PUBLISHED
from .report import lines, shown_scale, tables
from .results import Condition, Results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCALES = ("0.5-0.9", "0.3-0.7", "0.1-0.9", "0.1-0.3")
"""Crop scales; the first is the default of the library, and the one that the first tables are of."""
DRAWN_ENCODERS = ("demo", "demo-vit")


def read_scale(text: str) -> tuple[float, float]:
    """Returns the ends of a crop scale that is given as text, such as ``0.5-0.9``."""
    low, high = map(float, text.split("-"))
    if not 0 < low <= high <= 1:
        raise ValueError(text)
    return low, high


def descriptions_of(name: str, given: Path | None) -> Path | None:
    """Returns the file with the descriptions of a set: the one that is given, or ``NAME.json`` in a folder of files."""
    return given / f"{name}.json" if given is not None and given.is_dir() else given


def sets_of(options: argparse.Namespace, folder: Path) -> Iterator[tuple[ImageSet, list[tuple[float, float]]]]:
    """Yields the sets that are asked for, each with its crop scales: of drawings only the first set has all."""
    for root in options.images:
        yield of_folder(root, descriptions=descriptions_of(root.resolve().name, options.descriptions)), options.scales
    for name in options.published:
        described = descriptions_of(name, options.descriptions)
        yield PUBLISHED[name].load(options.data, descriptions=described, download=options.download), options.scales
    if not options.images and not options.published:
        for turn in range(options.seeds):
            for group in options.drawings:
                seed = drawn.DIFFICULTIES[group].seeds[turn]
                own = drawn.draw(group, seed, options.limit or drawn.COUNT, folder / "drawn")
                yield of_drawings(own, group, seed), options.scales[:1] if turn else options.scales


class Trial:
    """Answers images and notes what is right.

    Attributes:
        results: of every method
        mixes: of the corrections by all images together, by the name of the mix
    """

    def __init__(self, folder: Path, kinds: Sequence[str]) -> None:
        self.results = Results()
        self.mixes = {name: Results() for name in (*MIXES, OUTSIDE)}
        self._folder = folder
        self._kinds = kinds

    def measure(self, images: ImageSet, encoder: str, scale: tuple[float, float], *, mixes: bool) -> None:
        """Encodes a set and notes what every method answers.

        Args:
            images: the set
            encoder: what ``lgca.load_encoder`` loads: a name, or a name and a pretrained tag or path after a comma
            scale: of the crops
            mixes: whether mixes of classes are tried, too
        """
        import lgca_plugin as lgca

        loaded = lgca.load_encoder(*encoder.split(",", 1))
        own = self._folder / "encoded" / _file_name(images.name) / _file_name(loaded.name)
        title = f"{images.name}, {loaded.name}, crops of {shown_scale(scale)}"
        encoded = encode(images.files, loaded, scale, own / "{:g}-{:g}".format(*scale), name=title)
        for kind, texts in images.texts().items():
            if texts.from_templates and images.descriptions is not None:
                sys.stderr.write(f"{title}: {len(texts.from_templates)} classes have no descriptions\n")
            if kind in self._kinds:
                condition = Condition(images.group, loaded.name, kind, scale)
                found = answer(encoded, len(images.files), texts, loaded, every_method())
                for method, logits in found.logits.items():
                    right = logits.argmax(axis=1) == images.truth
                    self.results.note(condition, images.name, method, right=right, seen=found.seen)
                if mixes:
                    for mix in MIXES:
                        self._note_mix(mix, condition, images, found)
        if mixes:
            fewer = without_some_classes(images)
            for kind, texts in fewer.texts().items():
                if kind in self._kinds:
                    condition = Condition(images.group, loaded.name, kind, scale)
                    found = answer(encoded, len(images.files), texts, loaded, {OURS: METHODS[OURS]})
                    self._note_mix(OUTSIDE, condition, fewer, found)

    def _note_mix(self, mix: str, condition: Condition, images: ImageSet, found: Answers) -> None:
        for name, right, counted in corrected(found, images.truth, mix):
            self.mixes[mix].note(condition, images.name, name, right=right, seen=counted)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draws or reads images, encodes them, and prints the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="keeps drawings and embeddings, and uses those that are there")
    parser.add_argument("--images", type=Path, nargs="+", default=[], help="folders with a folder of images per class")
    parser.add_argument("--published", nargs="+", choices=list(PUBLISHED), default=[], help="sets of the WCA paper")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the published sets")
    parser.add_argument("--download", action="store_true", help="torchvision downloads the published sets first")
    parser.add_argument("--descriptions", type=Path, help="JSON file, class name to its texts, or folder of SET.json")
    parser.add_argument(
        "--drawings", nargs="+", choices=list(drawn.DIFFICULTIES), default=list(drawn.DIFFICULTIES), help="which"
    )
    parser.add_argument(
        "--seeds", type=int, choices=(1, 2), default=2, help="sets of each difficulty at the first scale"
    )
    parser.add_argument("--encoders", nargs="+", help="NAME or NAME,PRETRAINED; the demo's two for drawings")
    parser.add_argument("--scales", type=read_scale, nargs="+", default=list(map(read_scale, SCALES)), help="of crops")
    parser.add_argument("--texts", nargs="+", choices=TEXTS, default=list(TEXTS), help="with the class's name, without")
    parser.add_argument("--limit", type=int, help="at most so many images of a set; classes take turns")
    options = parser.parse_args(arguments)
    default = ("ViT-B-32-quickgelu",) if options.images or options.published else DRAWN_ENCODERS
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        trial = Trial(folder, options.texts)
        for images, scales in sets_of(options, folder):
            chosen = images.first(options.limit) if options.limit else images
            for encoder in options.encoders or default:
                for scale in scales:
                    trial.measure(chosen, encoder, scale, mixes=scale == options.scales[0])
    for line in lines(trial.results, trial.mixes):
        print(json.dumps(line))
    print(f"\n{tables(trial.results, trial.mixes)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
