"""Does a misleading-crop case find pictures whose crops mislead? Counted on drawings where the truth is known.

Pairs of the demo's birds are classified that differ in one part, which the altered picture has from another class, the
decoy: see :mod:`lgca_plugin.demo.ambiguous`. Twins have crops of their own, since crops depend on the file, so the
plain pictures are classified a second time with another seed of the crops: what changes there is luck. A picture is
*flagged* where ``run.evidence`` finds a misleading-crop case. It is *turned* where WCA says the decoy, and on the plain
twin did not. The tables are Markdown, for the default regions and for small crops.

Run it: ``python scripts/mongod.py FOLDER python -m benchmarks.misleading``.

What 300 pairs say (seed 52, the demo's tiny model; nothing was tuned on them, and photographs may differ). The foreign
part does mislead: WCA newly says the decoy on 26 altered pictures at the default regions and on 20 with small crops,
against 0 and 2 by the luck of other crops. But CLIP, which sees no crops, says the decoy as often, and where WCA and
LGCA are misled together no case can be flagged: 20 of the 26, 8 of the 20. So the flag finds 5 of 26 and 5 of 20, and
of what it flags, 14% and 8% are turned: it is no detector of ambiguous parts. Altered pictures are flagged about twice
as often as plain ones (25 to 10, 40 to 21); a flagged plain one is a disagreement that the bird, the background or the
luck of the crops explains. What a flag says is that some crops hold WCA's answer against LGCA's, not who is right. With
small crops WCA is wrong on 84% of the flagged (29% of all) and LGCA right on 61%; at the default regions WCA is wrong
on 49%, and LGCA right on 20% only. Any difference of the two tells the same: 82% and 51% are errors of WCA. At the
default regions and with small crops, a case's crops show the part more than WCA's crops do on average, by 23 and 25
points, but on plain twins, too, by 27 and 13: they point at the bird; that they point at the foreign part, these
numbers do not show.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lgca_plugin.method.comparison.paired import wilson_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lgca_plugin.config import RegionConfig
    from lgca_plugin.demo.ambiguous import TwinImage
    from lgca_plugin.method.explain.evidence import Evidence

    FloatArray = NDArray[np.floating]

REGIMES: dict[str, dict[str, float]] = {
    "the default regions": {},
    "small crops, side 0.1 to 0.3": {"scale_min": 0.1, "scale_max": 0.3},
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a run says of a picture of a pair.

    Attributes:
        part: the part that differs between the twins
        truth: the class of all other parts
        decoy: the class that the altered part is from
        labels: method name to its label, "wca" and "lgca" among them
        size: of the misleading-crop case; None where the picture is none
        shown: share of the part's box that lies inside a crop, in [0, 1]: mean over the case's crops, and over all
            crops of WCA; None where the picture is no case
    """

    part: str
    truth: str
    decoy: str
    labels: Mapping[str, str]
    size: int | None = None
    shown: tuple[float, float] | None = None

    def says(self, method: str, name: str) -> bool:
        """Tells whether a method gives this label."""
        return self.labels[method] == name

    def right(self, method: str) -> bool:
        """Tells whether a method gives the true label."""
        return self.labels[method] == self.truth

    @property
    def differ(self) -> bool:
        """Whether WCA and LGCA differ."""
        return self.labels["wca"] != self.labels["lgca"]

    @property
    def flagged(self) -> bool:
        """Whether the picture is a misleading-crop case."""
        return self.size is not None


@dataclass(frozen=True)
class Share:
    """``k`` of ``n``."""

    k: int
    n: int

    def __str__(self) -> str:
        if not self.n:
            return "none"
        low, high = wilson_interval(self.k, self.n)
        return f"{self.k} of {self.n}, {self.k / self.n:.1%} ({low:.1%} to {high:.1%})"


def share_of(looks: Sequence[Look], holds: Callable[[Look], bool]) -> Share:
    """Counts the pictures of which something holds."""
    return Share(sum(map(holds, looks)), len(looks))


def newly(plain: Sequence[Look], looks: Sequence[Look], holds: Callable[[Look], bool]) -> list[bool]:
    """Tells for each picture whether something holds of it that does not hold of the plain picture of the pair."""
    return [holds(look) and not holds(before) for before, look in zip(plain, looks, strict=True)]


def turned(plain: Sequence[Look], looks: Sequence[Look]) -> list[bool]:
    """Tells for each picture whether WCA says the decoy, and on the plain picture of the pair did not."""
    return newly(plain, looks, lambda look: look.says("wca", look.decoy))


def spoiled(plain: Sequence[Look], looks: Sequence[Look]) -> list[bool]:
    """Tells for each picture whether WCA is wrong, and on the plain picture of the pair was right."""
    return newly(plain, looks, lambda look: not look.right("wca"))


def detection(looks: Sequence[Look], wanted: Sequence[bool]) -> dict[str, Share]:
    """Counts how well the flag finds some of the pictures.

    Args:
        looks: all pictures
        wanted: for each, whether the flag should find it

    Returns:
        "of all" pictures, how many are wanted; "precision": of those flagged, how many are wanted; "recall": of those
        wanted, how many are flagged; "agree": of those wanted, in how many WCA and LGCA say the same, so that none of
        them can be flagged; "no case": where the two differ, and yet it is no case; "any difference": the precision
        that there would be if every picture were flagged on which WCA and LGCA differ
    """
    chosen = [look for look, is_wanted in zip(looks, wanted, strict=True) if is_wanted]
    hits = sum(look.flagged for look in chosen)
    agree = sum(not look.differ for look in chosen)
    return {
        "of all": Share(len(chosen), len(looks)),
        "precision": Share(hits, sum(look.flagged for look in looks)),
        "recall": Share(hits, len(chosen)),
        "agree": Share(agree, len(chosen)),
        "no case": Share(len(chosen) - hits - agree, len(chosen)),
        "any difference": Share(len(chosen) - agree, sum(look.differ for look in looks)),
    }


def inside(part: Sequence[float], boxes: FloatArray) -> FloatArray:
    """Computes the share of a box that lies inside each of n others.

    Args:
        part: ``(x, y, width, height)``
        boxes: ``[n, 4]`` of the same kind

    Returns:
        ``[n]`` in [0, 1]
    """
    start = np.maximum(np.asarray(part[:2]), boxes[:, :2])
    end = np.minimum(np.add(part[:2], part[2:]), boxes[:, :2] + boxes[:, 2:])
    share: FloatArray = np.clip(end - start, 0, None).prod(axis=1) / (part[2] * part[3])
    return share


def look_at(seen: Evidence, image: TwinImage) -> Look:
    """Takes from a sample's evidence what is counted here."""
    shown = None
    if seen.case is not None:
        within = inside(image.box, seen.boxes)
        shown = float(within[list(seen.case.crops)].mean()), float(within[seen.weights["wca"] > 0].mean())
    labels = {name: str(label) for name, label in seen.labels.items()}
    size = None if seen.case is None else seen.case.size
    swap = image.swap
    return Look(part=swap.part, truth=swap.truth, decoy=swap.decoy, labels=labels, size=size, shown=shown)


def classified(
    dataset: Any, images: Sequence[TwinImage], *, methods: Sequence[str], encoder: Any, regions: RegionConfig
) -> list[Look]:
    """Classifies pictures of a dataset, asks for the evidence on each and deletes the run."""
    import lgca_plugin as lgca
    from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS

    ids = dict(zip(*dataset.values(["filepath", "id"]), strict=True))
    run = lgca.classify(
        dataset.select([ids[image.path] for image in images]),
        classes=CLASSES,
        descriptions=DESCRIPTIONS,
        methods=methods,
        encoder=encoder,
        regions=regions,
        progress=False,
    )
    assert not run.failures
    looks = [look_at(run.evidence(ids[image.path]), image) for image in images]
    run.delete()
    return looks


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Formats a Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def methods_table(plain: Sequence[Look], altered: Sequence[Look]) -> str:
    """How often every method is right, and how often it says the decoy."""
    rows = [
        [f"`{name}`", *(share_of(looks, lambda look, m=name: look.right(m)) for looks in (plain, altered))]
        + [share_of(looks, lambda look, m=name: look.says(m, look.decoy)) for looks in (plain, altered)]
        for name in plain[0].labels
    ]
    return table(["method", "right, plain", "right, altered", "says the decoy, plain", "says the decoy, altered"], rows)


def flags_table(plain: Sequence[Look], altered: Sequence[Look], again: Sequence[Look]) -> str:
    """What WCA says and what is flagged, on altered and plain pictures and on plain ones with other crops."""
    kinds = (altered, plain, again)
    flagged = [[look for look in looks if look.flagged] for looks in kinds]
    rows: list[list[object]] = [
        ["WCA is wrong", *(share_of(looks, lambda look: not look.right("wca")) for looks in kinds)]
    ]
    for text, change in (("turned: WCA says the decoy, and did not on the plain picture", turned),
                         ("WCA is wrong, and was right on the plain picture", spoiled)):  # fmt: skip
        of_altered, by_luck = (change(plain, looks) for looks in (altered, again))
        rows.append([text, Share(sum(of_altered), len(altered)), "", Share(sum(by_luck), len(again))])
    rows.append(["WCA and LGCA differ", *(share_of(k, lambda look: look.differ) for k in kinds)])
    rows.append(["**flagged**", *(share_of(looks, lambda look: look.flagged) for looks in kinds)])
    asked: dict[str, Callable[[Look], bool]] = {
        "of these: WCA says the decoy": lambda look: look.says("wca", look.decoy),
        "LGCA is right": lambda look: look.right("lgca"),
        "WCA is right": lambda look: look.right("wca"),
        "neither is right": lambda look: not (look.right("wca") or look.right("lgca")),
    }
    rows += [[text, *(share_of(looks, holds) for looks in flagged)] for text, holds in asked.items()]
    rows.append(["size of the case: median, largest", *map(sizes, flagged)])
    rows.append(["the part's box in the case's crops, in all crops, difference", *map(shown, flagged)])
    return table(["", "altered", "plain", "plain, other crops"], rows)


def sizes(flagged: Sequence[Look]) -> str:
    """Median and largest size of cases."""
    found = [look.size for look in flagged if look.size is not None]
    return f"{statistics.median(found):g}, {max(found)}" if found else "none"


def shown(flagged: Sequence[Look], draws: int = 2000) -> str:
    """Mean share of the part's box inside a case's crops and inside all crops, and the bootstrapped difference."""
    found = np.array([look.shown for look in flagged if look.shown is not None])
    if len(found) < 2:
        return "too few"
    difference = found[:, 0] - found[:, 1]
    drawn = np.random.default_rng(0).choice(difference, (draws, len(difference))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    of_case, of_all = found.mean(axis=0)
    return f"{of_case:.1%}, {of_all:.1%}, {of_case - of_all:+.1%} ({low:+.1%} to {high:+.1%})"


def detection_table(plain: Sequence[Look], altered: Sequence[Look]) -> str:
    """Precision and recall of the flag, for several things that it might be hoped to find."""
    looks, not_plain = [*plain, *altered], [False] * len(plain)
    wanted = {
        "altered": not_plain + [True] * len(altered),
        "altered and turned": not_plain + turned(plain, altered),
        "altered, WCA right on the plain picture and wrong here": not_plain + spoiled(plain, altered),
        "altered or not, WCA is wrong": [not look.right("wca") for look in looks],
        "altered or not, WCA is wrong and LGCA right": [look.right("lgca") and not look.right("wca") for look in looks],
    }
    heads = ["to be found", "of all", "precision", "recall", "missed: WCA and LGCA agree", "missed: no case"]
    rows = [[text, *detection(looks, chosen).values()] for text, chosen in wanted.items()]
    return table([*heads, "precision of any difference"], rows)


def parts_table(plain: Sequence[Look], altered: Sequence[Look]) -> str:
    """The same for each part by itself."""
    rows = []
    for part in dict.fromkeys(look.part for look in plain):
        before, after = ([look for look in looks if look.part == part] for looks in (plain, altered))
        found = detection(after, turned(before, after))["recall"]
        flagged = [share_of(looks, lambda look: look.flagged) for looks in (after, before)]
        rows.append([part, f"{found.n} of {len(after)}", found.k, *flagged])
    return table(["part", "turned", "of these flagged", "altered, flagged", "plain, flagged"], rows)


def main() -> int:
    """Draws the pairs, classifies them and prints the tables."""
    import fiftyone as fo

    import lgca_plugin as lgca
    from lgca_plugin.demo.ambiguous import PAIRS, SEED, draw_pairs

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LGCA_STORE_DIR"] = f"{folder}/store"
        images = draw_pairs(folder, count=options.pairs, seed=options.seed)
        first, second = images[0::2], images[1::2]
        dataset = fo.Dataset()
        try:
            dataset.add_samples([fo.Sample(filepath=image.path) for image in images], progress=False)
            encoder = lgca.load_encoder("demo")
            for name, scales in REGIMES.items():
                regions = lgca.RegionConfig(**scales)  # type: ignore[arg-type]
                both = classified(
                    dataset, [*first, *second], methods=tuple(lgca.METHODS), encoder=encoder, regions=regions
                )
                plain, altered = both[: len(first)], both[len(first) :]
                again = classified(
                    dataset, first, methods=("wca", "lgca"), encoder=encoder, regions=replace(regions, seed=1)
                )
                sys.stdout.write(f"### {options.pairs} pairs, {name}\n\n")
                for text in (
                    methods_table(plain, altered),
                    flags_table(plain, altered, again),
                    detection_table(plain, altered),
                    parts_table(plain, altered),
                ):
                    sys.stdout.write(text + "\n")
                sys.stdout.flush()
        finally:
            dataset.delete()
    return 0


if __name__ == "__main__":
    sys.exit(main())
