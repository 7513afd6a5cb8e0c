"""The captions that a fusion learns from, and what is to be said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...config.checks import is_whole_text
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

    def sentences(self, files: int) -> list[str]:
        """Returns sentences for the user about captions that are not learnt from.

        Args:
            files: number of different image files that have captions
        """
        said, why = [], None
        if files < MIN_LABELS:
            have = "1 image has some" if files == 1 else f"{files:,} different images have some"
            why = f"{have}, and at least {MIN_LABELS} are needed"
        elif len({text for texts in self.of.values() for text in texts}) < 2:
            why = "they are all the same"
        if why is not None:
            said.append(
                f"nothing is learnt from the captions {self.source}: {why}; a search in the fused run compares as "
                "without captions"
            )
        if self.others:
            whose = "1 sample that is" if self.others == 1 else f"{self.others:,} samples that are"
            said.append(f"the captions of {whose} not in the fused run are not learnt from")
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
                if not is_whole_text(text):
                    raise ConfigError(f"a caption of sample {id_!r} has half a character in it; remove it")
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
