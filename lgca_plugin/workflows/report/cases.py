"""The misleading-crop cases of a report: what each method answers, and the crops that misled, as they grow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from ...errors import ImageError, LgcaError
from ...method.core.methods import method_title
from ...method.explain.film_strip import strip
from ...method.number_text import percent_text, signed_text
from ..evidence.film_strip import pictures_of, strip_boxes
from ..evidence.sample_record import cached_evidence, read_sample_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...method.explain.film_strip import Chain, Frame, Strip
    from ...runs.record import RunRecord
    from ..evidence.film_strip import Pictures
    from ..evidence.sample_record import SampleRecord
    from ..overview.overview import Overview

CHAINS = 3
"""Number of crops of a case that are shown with what they grow into."""


@dataclass(frozen=True, kw_only=True)
class Still:
    """A region of a film strip.

    Attributes:
        picture: data URI
        vote: the class that the region itself is closest to
        side: ``"a"`` or ``"b"`` where that is one of the two classes, else ``"other"``
        numbers: its weight and contribution, in words
    """

    picture: str
    vote: str
    side: str
    numbers: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """A crop and what it grows into; ``misleading`` is its part in misleading the method, in words."""

    stills: tuple[Still, ...]
    misleading: str | None


@dataclass(frozen=True, kw_only=True)
class CropCase:
    """A sample on which a few crops have misled a method.

    Attributes:
        file: name of the image file
        given: the given label; None without one
        answers: method title to its label
        sentence: what removing the crops would change
        names: the two classes that contributions are between
        whole: data URI of the whole image; None if it can't be read
        rows: the crops that matter most; none if their embeddings are not stored
    """

    file: str
    given: str | None
    answers: dict[str, str]
    sentence: str
    names: tuple[str, str] | None = None
    whole: str | None = None
    rows: tuple[Row, ...] = ()


def crop_cases(run: RunRecord, of: Overview, positions: Sequence[int]) -> Iterator[CropCase]:
    """Yields the cases of some positions of an overview."""
    for sample_id in of.table.sample_ids(of.rows[list(positions)]):
        yield _case(run, of, read_sample_record(run, sample_id))


def _case(run: RunRecord, of: Overview, sample: SampleRecord) -> CropCase:
    answers = {method_title(name): sample.predictions[name].label for name in of.compared if name in sample.predictions}
    crops = of.compared[1:]  # the methods on crops, and on crops that grow
    first, last = ([sample.predictions[name].label for name in crops if name in sample.predictions] * 2)[:2]
    size = int(sample.case_size or 0)
    case = CropCase(
        file=PurePath(sample.filepath).name,
        given=sample.given,
        answers=answers,
        sentence=(
            f"{method_title(crops[0])} says “{first}”; without {size:,} of its crops it would say “{last}”, as "
            f"{method_title(crops[-1])} does, which sees them with their surroundings."
        ),
    )
    try:
        found = strip(cached_evidence(run, sample), chains=CHAINS)
        pictures = pictures_of(sample.filepath, strip_boxes(found))
    except (LgcaError, ImageError):  # its embeddings are not stored, or its file is gone
        return case
    rows = tuple(_row(chain, found, pictures) for chain in found.chains)
    return CropCase(**{**case.__dict__, "names": found.names, "whole": pictures.whole, "rows": rows})


def _row(chain: Chain, of: Strip, pictures: Pictures) -> Row:
    pull = None if chain.pull is None else f"a misleading crop: {percent_text(chain.pull)} of what misleads"
    return Row(stills=tuple(_still(frame, of, pictures) for frame in chain.frames), misleading=pull)


def _still(frame: Frame, of: Strip, pictures: Pictures) -> Still:
    side = {of.names[0]: "a", of.names[1]: "b"}.get(frame.vote, "other")
    numbers = f"weight {percent_text(frame.weight)}, {signed_text(frame.contribution)}"
    return Still(picture=pictures.regions[frame.region], vote=frame.vote, side=side, numbers=numbers)
