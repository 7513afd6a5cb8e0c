"""Images found by captions, and captions by images, with several encoders fused, against single encoders and their sum.

The pictures of :mod:`benchmarks.fusion`, each with a caption of three sentences of those that the demo's model was
trained on. What is learnt is learnt from some pictures of the pool with their captions, three draws of them each; the
test pictures then search each other's captions. A line of JSON is one result: R@1, R@5 and R@10 in both directions, and
their sum, for each draw. Markdown tables follow. ``python -m benchmarks.fused.retrieval --folder FOLDER``, with the
folder of :mod:`benchmarks.fusion`, trains and encodes nothing anew; ``--quick`` takes minutes, and its numbers mean
nothing.

Found is a picture's own caption, and its own picture, among all; or any caption that is true of the picture, which of
drawings is known: a caption is true of 47 of the 1,080 hard ones on average. Only the own ones are learnt from.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.shared import table
from lgca_plugin.fusion.search import image_vectors, search_factors, text_vectors
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.training import fit_captions
from lgca_plugin.fusion.weights import CaptionWeights
from lgca_plugin.progress import drive

from .captions import captions_of
from .learners import classes_of, nodes_of
from .models import ENCODERS, source_of
from .pictures import SETS, encode, labelled_sets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lgca_plugin.method.fusion.nodes import EncoderNodes

    from .pictures import PictureSet, Seen

CAPTIONED = (200, 500)
SEEDS = (1, 2, 3)
AT = (1, 5, 10)
AT_ONCE = 128
ENCODERS_FUSED = ("resnet", "resnet-wide")
ENSEMBLE = "score ensemble"
FOLDS = 3
"""Parts of the captioned pictures, by which the number of steps is chosen."""
SETTINGS = {
    "HADA as published": FusionSettings(anchored=False, folds=FOLDS),
    "attention without graph": FusionSettings(graph=False, folds=FOLDS),
    "HADA without fused part": FusionSettings(folds=FOLDS),
    "HADA": FusionSettings(fused_part=True, folds=FOLDS),
}


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures with captions as some encoders see and read them.

    Attributes:
        pictures: the set
        seen: of each encoder
        captions: ``n`` texts
        true: ``[test, test]`` whether a caption (column) is true of a picture (row), of the test pictures
        read: what embeds texts, for each encoder
    """

    pictures: PictureSet
    seen: Sequence[Seen]
    captions: list[str]
    true: NDArray[np.bool_]
    read: list[Any]

    @property
    def test(self) -> NDArray[np.int64]:
        """Rows of the test pictures."""
        return np.arange(self.pictures.pool, self.pictures.count)

    def likeness(self, weights: CaptionWeights) -> NDArray[np.float32]:
        """Returns ``[test, test]`` how like each test picture (row) and each caption (column) are."""
        classes = classes_of(self.seen)
        images = [
            image_vectors(weights, nodes_of(self.seen, self.test[at : at + AT_ONCE]), classes)
            for at in range(0, len(self.test), AT_ONCE)
        ]
        texts = text_vectors(weights, [self.captions[row] for row in self.test], self.read)
        return np.asarray(np.concatenate(images) * search_factors(weights, classes) @ texts.T, np.float32)

    def learnt(self, rows: NDArray[np.int64], settings: FusionSettings) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Learns from some pictures of the pool; returns the likeness of the test pictures, and the report."""

        def nodes(ids: Sequence[str]) -> Iterator[tuple[list[str], tuple[EncoderNodes, ...]]]:
            for start in range(0, len(ids), AT_ONCE):
                some = list(ids[start : start + AT_ONCE])
                yield some, nodes_of(self.seen, np.array(some, np.int64))

        captions = {str(row): [self.captions[row]] for row in rows}
        steps = fit_captions(nodes, captions, classes_of(self.seen), self.read, settings)
        found = drive(steps, False, unit="steps")
        return self.likeness(found.final), dict(found.report)


def recalls(likeness: NDArray[np.floating], true: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Returns R@1, R@5 and R@10, of captions by pictures and of pictures by captions, in percent."""
    found = {}
    for name, scores, right in (("captions", likeness, true), ("pictures", likeness.T, true.T)):
        order = np.argsort(-scores, axis=1, kind="stable")[:, : max(AT)]
        hit = np.take_along_axis(right, order, axis=1)
        found[name] = [round(100 * float(hit[:, :at].any(axis=1).mean()), 2) for at in AT]
    return found


def untaught(gallery: Gallery) -> dict[str, NDArray[np.float32]]:
    """Returns the likenesses without captions to learn from: of single encoders, and summed."""
    found: dict[str, NDArray[np.float32]] = {}
    test = [gallery.captions[row] for row in gallery.test]
    for one, read in zip(gallery.seen, gallery.read, strict=True):
        whole = np.asarray(one.vectors[gallery.test, 0]) @ read(test).T
        alone = replace(gallery, seen=[one], read=[read])
        nothing = CaptionWeights.untrained([one.vectors.shape[2]], FusionSettings())
        found[f"{one.name}, whole picture and caption"] = whole * one.logit_scale
        found[f"{one.name}, regions and sentences"] = alone.likeness(nothing)
    for kind in ("whole picture and caption", "regions and sentences"):
        parts = [found[f"{one.name}, {kind}"] for one in gallery.seen]
        found[f"{ENSEMBLE}, {kind}"] = np.sum(parts, axis=0)
    return found


def main() -> int:
    """Encodes, learns and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--folder", type=Path, help="keeps models and arrays, and uses those that are there")
    parser.add_argument("--pictures", nargs="+", choices=list(SETS), default=["hard"], help="which sets")
    parser.add_argument("--encoders", nargs="+", choices=list(ENCODERS), default=list(ENCODERS_FUSED))
    parser.add_argument(
        "--captioned", type=int, nargs="+", default=list(CAPTIONED), help="numbers of captioned pictures"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS), help="draws of the captioned pictures")
    parser.add_argument("--methods", nargs="+", choices=list(SETTINGS), default=list(SETTINGS))
    parser.add_argument("--quick", action="store_true", help="few pictures and steps; the numbers mean nothing")
    options = parser.parse_args()
    if options.quick:
        options.captioned, options.seeds = [60], [1]
    with tempfile.TemporaryDirectory() as temporary:
        for name in options.pictures:
            gallery = _gallery(name, options.encoders, options.folder or Path(temporary), quick=options.quick)
            _report(gallery, options.captioned, options.seeds, options.methods)
    return 0


def _gallery(name: str, encoders: Sequence[str], folder: Path, *, quick: bool) -> Gallery:
    import lgca_plugin as lgca

    pictures = SETS[name]
    if quick:
        pictures = replace(pictures, pool=120, test=60)
    of_set = folder / ("quick" if quick else "sets") / pictures.name
    sources = {one: source_of(one, folder / "models", quick=quick) for one in encoders}
    seen = [encode(pictures, one, source, of_set) for one, source in sources.items()]
    captions, true = captions_of(pictures, of_set)
    read = [lgca.load_encoder(source).encode_texts for source in sources.values()]
    return Gallery(pictures, seen, captions, true, read)


def _report(gallery: Gallery, captioned: Sequence[int], seeds: Sequence[int], methods: Sequence[str]) -> None:
    lines: list[dict[str, Any]] = []
    encoders = [one.name for one in gallery.seen]
    right = {"own": np.eye(len(gallery.true), dtype=bool), "true": gallery.true}

    def note(number: int, name: str, likenesses: Sequence[NDArray[np.float32]], **more: Any) -> None:
        line: dict[str, Any] = {
            "benchmark": "fusion_retrieval",
            "pictures": gallery.pictures.name,
            "encoders": encoders,
        }
        line |= {"captioned": number, "method": name, **more}
        for kind, which in right.items():
            found = [recalls(one, which) for one in likenesses]
            line[kind] = {"sum": [round(sum(map(sum, one.values())), 1) for one in found], "recalls": found}
        lines.append(line)
        print(json.dumps(line), flush=True)

    for name, likeness in untaught(gallery).items():
        note(0, name, [likeness])
    for number in captioned:
        for name in methods:
            started = time.perf_counter()
            found = []
            for seed in seeds:
                rows = labelled_sets(gallery.pictures, [number], seed)[number]
                found.append(gallery.learnt(rows, replace(SETTINGS[name], seed=seed)))
            note(number, name, [one for one, _ in found], steps=[report["steps"] for _, report in found])
            sys.stderr.write(f"{number} captioned, {name}: {time.perf_counter() - started:.0f} s\n")
    print(f"\n{_table(lines, 'own')}\n\n{_table(lines, 'true')}", flush=True)


def _table(lines: Sequence[dict[str, Any]], kind: str) -> str:
    numbers = list(dict.fromkeys(line["captioned"] for line in lines))
    rows: dict[str, dict[int, str]] = {}
    for line in lines:
        rows.setdefault(line["method"], {})[line["captioned"]] = f"{np.mean(line[kind]['sum']):.1f}"
    heads = [f"{lines[0]['pictures']}, {kind} captions: sum of R@1, R@5, R@10 both ways", *map(str, numbers)]
    return table(heads, [[name, *(own.get(number, "") for number in numbers)] for name, own in rows.items()])


if __name__ == "__main__":
    sys.exit(main())
