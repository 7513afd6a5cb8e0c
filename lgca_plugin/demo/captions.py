"""Captions for crops of drawn scenes, in many sentence forms, with the claims that each one makes.

A caption is a sentence and a set of claims, such as ``("class", "blue tit")`` or ``("beak", "red")``. A crop has a set
of facts of the same kind. A caption is true of a crop when its claims are among the crop's facts; training takes true
captions out of a crop's negatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from .backgrounds import SCENES
from .canvas import Box
from .classes import CLASSES, PART_VALUES, indefinite, part_phrase
from .drawings import Scene
from .things import THINGS

Claim = tuple[str, str]

VISIBLE: Final = 0.7
"""Minimum share of a part inside a crop for captions to name it."""

NAMEABLE: Final = 0.6
"""Minimum share of a bird inside a crop for captions to name its class."""

HINTED: Final = 0.15
"""Minimum share of a part inside a crop for a caption that names it to count as true."""

# {k} is a class, {a_k} a class with its article, {p}, {q} and {r} are parts, {where} places something in a
# background, {land} is a background, {thing} a thing beside the bird.
CLASS_FORMS: Final = (
    "a photo of a {k}.",
    "a photo of a {k}.",
    "a photo of a {k}.",
    "itap of a {k}.",
    "a bad photo of the {k}.",
    "a origami {k}.",
    "a photo of the large {k}.",
    "a {k} in a video game.",
    "art of the {k}.",
    "a photo of the small {k}.",
    "{a_k}.",
    "a photo of {a_k}.",
    "a drawing of {a_k}.",
    "this is {a_k}.",
)
CLASS_PLACE_FORMS: Final = ("a photo of {a_k} {where}.", "{a_k} {where}.", "a drawing of {a_k} {where}.")
CLASS_PART_FORMS: Final = (
    "{a_k} with {p}.",
    "{a_k} with {p} and {q}.",
    "{a_k} has {p}.",
    "{a_k} has {p}, {q} and {r}.",
    "a photo of {a_k} with {p}, {q} and {r}.",
)
BIRD_PART_FORMS: Final = (
    "a bird with {p}.",
    "a bird with {p}.",
    "a bird with {p} and {q}.",
    "a bird with {p} and {q}.",
    "a bird with {p}, {q} and {r}.",
    "a photo of a bird with {p}.",
    "this bird has {p} and {q}.",
)
PART_FORMS: Final = (
    "{p}.",
    "a photo of {p}.",
    "a close view of {p}.",
    "{p} and {q}.",
    "a close view of {p} and {q}.",
    "a drawing of {p}.",
)
BIRD_FORMS: Final = ("a bird.", "a photo of a bird {where}.", "a bird {where}.")
PLACE_FORMS: Final = ("a photo of {land}.", "{land}.", "a drawing of {land}.")
THING_FORMS: Final = ("a photo of {thing}.", "{thing}.", "{thing} {where}.", "a drawing of {thing}.")

LANDS: Final = {kind: "the sky" if kind == "sky" else where.split(" ", 1)[1] for kind, where in SCENES.items()}


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A sentence about a crop.

    Attributes:
        text: the sentence
        claims: what it says
    """

    text: str
    claims: frozenset[Claim]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The visible content of a crop.

    Attributes:
        label: the bird's class, if enough of the bird is inside to name it
        parts: part -> value, of the parts that lie well inside
        things: colour and name of the things that lie well inside
        background: the background
        claims: everything that a caption may truly say, hinted parts included
    """

    label: str | None
    parts: dict[str, str]
    things: tuple[str, ...]
    background: str
    claims: frozenset[Claim]


def inside(box: Box, crop: Box) -> float:
    """Returns the share of a box's area that lies inside a crop."""
    width = min(box[2], crop[2]) - max(box[0], crop[0])
    height = min(box[3], crop[3]) - max(box[1], crop[1])
    return max(0.0, width) * max(0.0, height) / ((box[2] - box[0]) * (box[3] - box[1]))


def facts(scene: Scene, crop: Box) -> Facts:
    """Returns the visible content of a crop of a scene.

    Args:
        scene: the scene
        crop: left, top, right, bottom in pixels

    Returns:
        the facts
    """
    share = {slot: inside(part.box, crop) for slot, part in scene.parts.items()}
    bird = inside(scene.bird, crop)
    claims: set[Claim] = {("background", scene.background)}
    claims |= {(slot, scene.parts[slot].value) for slot in share if share[slot] >= HINTED}
    claims |= {("thing", f"{thing.colour} {thing.name}") for thing in scene.things if inside(thing.box, crop) >= HINTED}
    if bird > 0 or max(share.values()) >= HINTED:
        claims |= {("class", scene.label), ("bird", "")}
    return Facts(
        label=scene.label if bird >= NAMEABLE else None,
        parts={slot: scene.parts[slot].value for slot in share if share[slot] >= VISIBLE},
        things=tuple(f"{thing.colour} {thing.name}" for thing in scene.things if inside(thing.box, crop) >= VISIBLE),
        background=scene.background,
        claims=frozenset(claims),
    )


def caption(shown: Facts, rng: np.random.Generator) -> Caption:
    """Writes a caption that is true of a crop.

    Args:
        shown: what the crop shows
        rng: chooses what is said and how

    Returns:
        the caption; its claims are among ``shown.claims``
    """
    forms = _choose_forms(shown, rng)
    slots = list(shown.parts)
    fitting = [form for form in forms if _parts_needed(form) <= len(slots)]
    form = fitting[int(rng.integers(len(fitting)))]
    chosen = [slots[index] for index in rng.permutation(len(slots))[: _parts_needed(form)]]
    thing = shown.things[int(rng.integers(len(shown.things)))] if shown.things else ""

    words = dict(zip("pqr", (part_phrase(slot, shown.parts[slot]) for slot in chosen), strict=False))
    words |= {"where": SCENES[shown.background], "land": LANDS[shown.background]}
    claims: set[Claim] = {(slot, shown.parts[slot]) for slot in chosen}
    if shown.label is not None:
        words |= {"k": shown.label, "a_k": indefinite(shown.label)}
    if "{k}" in form or "{a_k}" in form:
        claims.add(("class", str(shown.label)))
    if "{where}" in form or "{land}" in form:
        claims.add(("background", shown.background))
    if "{thing}" in form:
        words["thing"] = indefinite(thing)
        claims.add(("thing", thing))
    if "bird" in form:
        claims.add(("bird", ""))
    return Caption(text=form.format(**words), claims=frozenset(claims))


def _choose_forms(shown: Facts, rng: np.random.Generator) -> tuple[str, ...]:
    """Returns the forms of sentences, among those that the facts allow."""
    options: list[tuple[float, tuple[str, ...]]] = [(0.04, PLACE_FORMS)]
    if shown.things:
        options.append((0.08, THING_FORMS))
    if shown.parts:
        options += [(0.22, BIRD_PART_FORMS), (0.06 if shown.label else 0.3, PART_FORMS)]
    if shown.label:
        options += [(0.42, CLASS_FORMS), (0.06, CLASS_PLACE_FORMS), (0.03, BIRD_FORMS)]
        if shown.parts:
            options.append((0.16, CLASS_PART_FORMS))
    weights = np.array([weight for weight, _ in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][1]


def _parts_needed(form: str) -> int:
    return sum(f"{{{name}}}" in form for name in "pqr")


def vocabulary() -> list[str]:
    """Returns every word that a caption can contain, sorted.

    Returns:
        lower-case words without punctuation
    """
    forms = (
        CLASS_FORMS + CLASS_PLACE_FORMS + CLASS_PART_FORMS + BIRD_PART_FORMS + PART_FORMS
        + BIRD_FORMS + PLACE_FORMS + THING_FORMS
    )  # fmt: skip
    sentences: list[str] = [re.sub(r"{\w+}", " ", form) for form in forms]
    sentences += [indefinite(name) for name in CLASSES]
    sentences += [part_phrase(slot, value) for slot, values in PART_VALUES.items() for value in values]
    sentences += [*SCENES.values(), *LANDS.values()]
    sentences += [indefinite(f"{colour} {name}") for name, (colours, _) in THINGS.items() for colour in colours]
    return sorted(words(sentences))


def words(sentences: Iterable[str]) -> set[str]:
    """Returns the distinct words of some sentences, in lower case."""
    return {word for sentence in sentences for word in re.findall(r"[a-z]+", sentence.lower())}
