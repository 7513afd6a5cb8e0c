"""The captions that a fusion learns from, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, shown
from ...fiftyone_io.samples import ImageSamples
from ...fusion.training import MIN_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo

    Captions = str | Mapping[str, str | Sequence[str]]
    """A field with one or several captions of each sample, or sample ids to captions."""


@dataclass(frozen=True, kw_only=True)
class LearnedCaptions:
    """The captions to learn from.

    Attributes:
        source: where they are from, in words
        of: sample id to captions
        others: number of ids that are no samples of the fused run
    """

    source: str
    of: dict[str, list[str]]
    others: int = 0

    @property
    def count(self) -> int:
        """The number of captions."""
        return sum(map(len, self.of.values()))

    def sentences(self) -> list[str]:
        """Returns sentences for the user about captions that are not learnt from."""
        said = []
        if len(self.of) < MIN_LABELS:
            said.append(
                f"nothing is learnt from the captions {self.source}: {len(self.of):,} images have some, and at least "
                f"{MIN_LABELS} are needed; a search in the fused run compares as without captions"
            )
        if self.others:
            said.append(f"the captions of {self.others:,} samples that are not in the fused run are not learnt from")
        return said


def check_captions(dataset: fo.Dataset, captions: Any) -> None:
    """Raises a ConfigError unless these are a field of texts, or of lists of texts, or sample ids to texts."""
    import fiftyone as fo

    if isinstance(captions, Mapping):
        for id_, texts in captions.items():
            for text in [texts] if isinstance(texts, str) else texts if isinstance(texts, (list, tuple)) else [None]:
                if not isinstance(id_, str) or not isinstance(text, str):
                    raise ConfigError(
                        f"captions must have a text or a list of texts for each sample id, got {shown(texts)} for "
                        f"{shown(id_)}"
                    )
        return
    if not isinstance(captions, str):
        raise ConfigError(
            f"captions must name a field of texts, or be a dict of sample ids and texts; got {shown(captions)}"
        )
    found = dataset.get_field(captions)
    if found is None:
        raise ConfigError(f"dataset {dataset.name!r} has no field {captions!r} to read captions from")
    inner = found.field if isinstance(found, fo.ListField) else found
    if not isinstance(inner, fo.StringField):
        raise ConfigError(
            f"field {captions!r} holds no texts: captions are read from a field of texts or lists of them"
        )


def captions_to_learn(dataset: fo.Dataset, captions: Captions, sample_ids: Sequence[str]) -> LearnedCaptions:
    """Reads the captions of samples; blank ones are none.

    Raises:
        ConfigError: if there is none
    """
    if isinstance(captions, str):
        stored = ImageSamples.whole(dataset).stored(sample_ids, [captions])
        source, given = f"in {captions!r}", {id_: value for id_, (value,) in stored.items()}
    else:
        source, given = "given", dict(captions)
    known = set(sample_ids)
    of = {id_: _texts(given[id_]) for id_ in sample_ids if id_ in given}
    of = {id_: texts for id_, texts in of.items() if texts}
    if not of:
        raise ConfigError(
            f"none of the {len(sample_ids):,} samples has a caption {source}: name another field as captions, or None "
            "to learn from none"
        )
    return LearnedCaptions(source=source, of=of, others=sum(id_ not in known for id_ in given))


def _texts(value: Any) -> list[str]:
    """Returns the captions of a sample, each once."""
    found = [value] if isinstance(value, str) else list(value or ())
    return list(dict.fromkeys(text.strip() for text in found if isinstance(text, str) and text.strip()))
