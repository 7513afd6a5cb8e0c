"""The twelve birds of the demo, put together from shared parts.

Every part value belongs to at least two birds, so a part alone misleads, and any two birds differ in at least two
parts, so the whole decides. The species are real; their plumage is simplified to what seven parts can say.
"""

from __future__ import annotations

from typing import Final

SLOTS: Final = ("beak", "head", "neck", "breast", "wings", "tail", "legs")
"""The parts of a bird. ``head`` is the colour of the cap, or white where there is none."""

PLUMAGE: Final[dict[str, dict[str, str]]] = {
    name: dict(zip(SLOTS, values.split(), strict=True))
    for name, values in {
        # class: beak, head, neck, breast, wings, tail, legs
        "arctic tern": "red black short white grey forked red",
        "caspian tern": "orange black short white grey forked black",
        "barn swallow": "black blue short red blue forked black",
        "blue tit": "black blue short yellow blue short black",
        "grey wagtail": "black white short yellow grey long red",
        "redpoll": "yellow red short red grey forked black",
        "oystercatcher": "orange black short white black short red",
        "woodpecker": "black red short white black long black",
        "white stork": "red white long white black short red",
        "great egret": "yellow white long white white short black",
        "snowy egret": "black white long white white short yellow",
        "grey heron": "orange black long white grey short yellow",
    }.items()
}
"""Class name -> part -> value. Shapes for ``neck`` and ``tail``, colours for all others."""

CLASSES: Final = tuple(PLUMAGE)

PART_VALUES: Final[dict[str, tuple[str, ...]]] = {
    slot: tuple(sorted({plumage[slot] for plumage in PLUMAGE.values()})) for slot in SLOTS
}
"""Part -> all its values."""


def indefinite(words: str) -> str:
    """Puts the indefinite article before a phrase: ``an orange beak``, ``a black cap``."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def part_phrase(slot: str, value: str, *, article: bool = True) -> str:
    """Returns the words for a part, such as ``a black cap``, ``a white head`` or ``grey wings``.

    Args:
        slot: one of :data:`SLOTS`
        value: a value of that part
        article: whether a singular part gets its article

    Returns:
        the phrase
    """
    noun = "cap" if slot == "head" and value != "white" else slot
    phrase = f"{value} {noun}"
    return indefinite(phrase) if article and slot not in ("wings", "legs") else phrase


def _describe(name: str) -> list[str]:
    """Writes a class's descriptions: two sentences of its own and five that other classes share."""
    part = {slot: part_phrase(slot, value) for slot, value in PLUMAGE[name].items()}
    return [
        f"{indefinite(name)} with {part['beak']} and {part['head']}.",
        f"{indefinite(name)} has {part['wings']}, {part['tail']} and {part['legs']}.",
        f"a bird with {part['beak']}.",
        f"a bird with {part['head']} and {part['neck']}.",
        f"a bird with {part['breast']} and {part['wings']}.",
        f"a bird with {part['tail']}.",
        f"a bird with {part['legs']}.",
    ]


DESCRIPTIONS: Final[dict[str, list[str]]] = {name: _describe(name) for name in CLASSES}
"""Class name -> seven descriptions, in words that the demo model knows."""
