"""Captions of the benchmark's drawings, and of which pictures each is true."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from lgca_plugin.demo.captions import Caption, Claim, caption, facts
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.drawings import draw_scene, generator

from .pictures import truth_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from .pictures import PictureSet

SENTENCES = 3
TRIES = 20


def captions_of(pictures: PictureSet, folder: Path) -> tuple[list[str], NDArray[np.bool_]]:
    """Writes a caption for each picture of a set, or reads them if the folder has them.

    Returns:
        n captions, and ``[test, test]`` whether a caption (column) is true of a picture (row), of the test pictures
    """
    file, made = folder / "captions.json", json.loads(json.dumps({**asdict(pictures), "sentences": SENTENCES}))
    if not file.exists() or json.loads(file.read_text())["made"] != made:
        file.parent.mkdir(parents=True, exist_ok=True)
        drawn = [_captioned(pictures, index, label) for index, label in enumerate(truth_of(pictures).tolist())]
        file.write_text(json.dumps({"made": made, "drawn": drawn}))
    drawn = json.loads(file.read_text())["drawn"]
    claims, shown = (
        [frozenset(map(tuple, one[name])) for one in drawn[pictures.pool :]] for name in ("claims", "facts")
    )
    return [one["text"] for one in drawn], np.array([[said <= of_picture for said in claims] for of_picture in shown])


def _captioned(pictures: PictureSet, index: int, label: int) -> dict[str, object]:
    scene = draw_scene(CLASSES[label], generator("demo", pictures.seed, index), pictures.composition)
    shown = facts(scene, (0, 0, scene.size[0], scene.size[1]))
    rng = np.random.default_rng([pictures.seed, index])
    said: dict[frozenset[Claim], Caption] = {}
    for _ in range(TRIES):
        one = caption(shown, rng)
        said.setdefault(one.claims, one)  # no sentence says the same as another one
        if len(said) == SENTENCES:
            break
    return {
        "text": " ".join(one.text for one in said.values()),
        "claims": sorted(frozenset().union(*said)),
        "facts": sorted(shown.claims),
    }
