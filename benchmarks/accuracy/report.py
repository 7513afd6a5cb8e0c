"""The results as Markdown tables and lines of JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from benchmarks.shared import table

from .answers import (
    EXPANDED,
    FORMER,
    OURS,
    REVISED,
    TEMPERATURES,
    at_temperature,
    compared_methods,
    encodes_of,
    every_method,
)
from .mixes import ADJUSTED
from .published import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .results import Condition, Difference, Results

PAIRS = (
    (OURS, "clip"),
    (OURS, "wca"),
    (OURS, "crops_mean"),
    ("lgca", "wca"),
    (EXPANDED, OURS),
    (REVISED, OURS),
    (REVISED, FORMER),
    (REVISED, "clip"),
)
"""What is compared at each crop scale and over all of them."""


def shown_scale(scale: tuple[float, float]) -> str:
    """Returns a crop scale as text, such as ``0.5 to 0.9``."""
    return f"{scale[0]:g} to {scale[1]:g}"


def comparisons(results: Results) -> Iterator[tuple[dict[str, Any], Difference]]:
    """Yields what is compared, JSON-ready, and the difference: :data:`OURS` with every method, and :data:`PAIRS`.

    The former in each condition, the latter over all encoders and texts, at each crop scale and over all of them.
    """
    for condition in results.conditions:
        for other in _others(results, condition):
            yield {**condition._asdict(), "a": OURS, "b": other}, results.difference([condition], OURS, other)
    for group in results.values("group"):
        scales = results.values("scale", group=group)
        for a, b in PAIRS:
            for scale in [*scales, None] if len(scales) > 1 else scales:
                own = _conditions(results, group, scale)
                head = {"group": group, "encoder": "all", "texts": "all", "scale": scale or "all", "a": a, "b": b}
                yield head, results.difference(own, a, b)


def lines(results: Results, mixes: Mapping[str, Results]) -> Iterator[dict[str, Any]]:
    """Yields the results, those of mixes of classes, and the comparisons, JSON-ready."""
    yield from results.lines()
    for mix, own in mixes.items():
        yield from ({**line, "benchmark": "accuracy, mixes", "mix": mix} for line in own.lines())
    for head, found in comparisons(results):
        ends = [round(end, 4) for end in (found.low, found.high)]
        yield {
            "benchmark": "accuracy, differences",
            **head,
            "difference": round(found.difference, 4),
            "interval": ends,
            "n": found.n,
        }


def tables(results: Results, mixes: Mapping[str, Results]) -> str:
    """Returns all tables: at the first crop scale, by crop scale, by temperature, and of mixes of classes."""
    scales = results.values("scale")
    parts = [
        *(part for scale in scales[:1] for part in (_accuracies(results, scale), _leads(results, scale))),
        _verdicts(results),
        *((_by_scale(results),) if len(scales) > 1 else ()),
        _pairs(results),
        _temperatures(results),
        _mixes(mixes),
    ]
    return "\n".join(parts)


def _conditions(results: Results, group: str, scale: tuple[float, float] | None = None) -> list[Condition]:
    return list(results.matching(group=group, **({} if scale is None else {"scale": scale})))


def _others(results: Results, condition: Condition) -> list[str]:
    return [name for name in compared_methods() if name != OURS and results.has(condition, name)]


def _head(condition: Condition) -> str:
    return f"{condition.group}, {condition.encoder}, {condition.texts}"


def _n(results: Results, conditions: Sequence[Condition]) -> str:
    numbers = {results.counts([one], OURS)[1] for one in conditions}
    return " or ".join(f"{number:,}" for number in sorted(numbers))


def _accuracies(results: Results, scale: tuple[float, float]) -> str:
    own = list(results.matching(scale=scale))
    rows = [
        [f"`{name}`", encodes_of(method), *(f"{results.top1([one], name):.1f}" for one in own)]
        for name, method in compared_methods().items()
    ]
    figures = {entry.title: entry.figures for entry in PUBLISHED.values()}
    if any(one.group in figures for one in own):
        for name in ("clip", "wca"):
            found = [figures.get(one.group, {}).get(name) for one in own]
            rows.append([f"`{name}`, published, ViT-B/32", "", *("" if one is None else f"{one:.2f}" for one in found)])
    title = f"Top-1 in percent at crop scale {shown_scale(scale)}, n = {_n(results, own)} each."
    return f"{title}\n\n{table(['', 'encodes', *map(_head, own)], rows)}"


def _leads(results: Results, scale: tuple[float, float]) -> str:
    own = list(results.matching(scale=scale))
    others = [name for name in compared_methods() if name != OURS]
    rows = [[f"`{name}`", *(results.difference([one], OURS, name) for one in own)] for name in others]
    title = f"`{OURS}` minus each method, in points, with 95% intervals of the paired difference; bold leaves out 0."
    return f"{title}\n\n{table(['', *map(_head, own)], rows)}"


def _verdicts(results: Results) -> str:
    rows = []
    for scale in results.values("scale"):
        found = [
            results.difference([one], OURS, name).verdict
            for one in results.matching(scale=scale)
            for name in _others(results, one)
        ]
        counts = Counter(found)
        rows.append([shown_scale(scale), len(found), *(counts[name] for name in ("ahead", "level", "behind"))])
    title = f"`{OURS}` against every other method, in each condition by itself."
    return f"{title}\n\n{table(['crop scale', 'comparisons', 'ahead', 'level', 'behind'], rows)}"


def _by_scale(results: Results) -> str:
    rows = []
    for group in results.values("group"):
        scales = results.values("scale", group=group)
        for scale in [*scales, None]:
            own = _conditions(results, group, scale)
            shown = "mean" if scale is None else shown_scale(scale)
            n = results.difference(own, OURS, "clip").n
            rows.append([group, shown, f"{n:,}", *(f"{results.top1(own, name):.1f}" for name in compared_methods())])
    title = "Top-1 in percent by crop scale, mean over encoders and texts."
    return f"{title}\n\n{table(['', 'crop scale', 'n', *(f'`{name}`' for name in compared_methods())], rows)}"


def _pairs(results: Results) -> str:
    parts = []
    for group in results.values("group"):
        scales = results.values("scale", group=group)
        columns = [*scales, None] if len(scales) > 1 else scales
        rows = [
            [f"`{a}` minus `{b}`", *(results.difference(_conditions(results, group, one), a, b) for one in columns)]
            for a, b in PAIRS
        ]
        heads = ["mean of all" if one is None else shown_scale(one) for one in columns]
        parts.append(table([group, *heads], rows))
    title = "Differences in points by crop scale, each image's mean over encoders and texts."
    return f"{title}\n\n" + "\n".join(parts)


def _temperatures(results: Results) -> str:
    usual = f"{every_method()[OURS].temperature:g}"
    rows = []
    for group in results.values("group"):
        for encoder in results.values("encoder", group=group):
            for scale in results.values("scale", group=group, encoder=encoder)[:1]:
                own = list(results.matching(group=group, encoder=encoder, scale=scale))
                shares = [f"{results.top1(own, at_temperature(one)):.1f}" for one in TEMPERATURES]
                rows.append([f"{group}, {encoder}", *shares, results.difference(own, OURS, at_temperature(1.0))])
    heads = ["", *(f"temperature {one:g}" for one in TEMPERATURES), f"{usual} minus 1"]
    title = f"Top-1 of `{OURS}` in percent by temperature, mean over texts, at the first crop scale."
    return f"{title}\n\n{table(heads, rows)}"


def _mixes(mixes: Mapping[str, Results]) -> str:
    rows = []
    for mix, results in mixes.items():
        for group in results.values("group"):
            own = _conditions(results, group)
            found = [results.difference(own, name, OURS) for name in ADJUSTED]
            verdicts = [Counter(results.difference([one], name, OURS).verdict for one in own) for name in ADJUSTED]
            shown = [
                f"{difference}; {counts['ahead']} / {counts['level']} / {counts['behind']}"
                for difference, counts in zip(found, verdicts, strict=True)
            ]
            rows.append([mix, group, f"{found[0].n:,}", f"{results.top1(own, OURS):.1f}", *shown])
    title = (
        f"Corrections by all images together, added to `{OURS}`, in points at the first crop scale, each image's mean "
        "over encoders and texts; and in how many of these conditions they are ahead / level / behind."
    )
    return f"{title}\n\n{table(['mix', '', 'n', f'`{OURS}`', *ADJUSTED], rows)}"
