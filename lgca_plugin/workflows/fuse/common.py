"""The samples that can be fused: those of which all runs have the embeddings of the same image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...store.rows import StoredRun
    from ...store.store import Store

MIN_SHARE = 0.5
"""Minimum share of the first run's samples that can be fused."""


@dataclass(frozen=True, kw_only=True)
class CommonSamples:
    """The samples that can be fused.

    Attributes:
        ids: theirs, in the first run's order
        hashes: id to hash of the image file
        total: number of the first run's samples
        run_keys: keys of the runs
        reasons: why samples can't be fused, in words, to their number
    """

    ids: list[str]
    hashes: dict[str, str]
    total: int
    run_keys: tuple[str, ...]
    reasons: dict[str, int]

    def sentences(self) -> list[str]:
        """Returns sentences about the samples that can't be fused."""
        left = self.total - len(self.ids)
        if not left:
            return []
        return [f"{left:,} of {self.total:,} samples of run {self.run_keys[0]!r} are left out: {self._why()}"]

    def check(self) -> None:
        """Raises ConfigError if too few samples can be fused."""
        if self.ids and len(self.ids) >= MIN_SHARE * self.total:
            return
        first, *others = map(repr, self.run_keys)
        few = f"only {len(self.ids):,} of {self.total:,}" if self.ids else "none of the"
        start = (
            f"{few} samples of run {first} can be fused with {' and '.join(others)} ({self._why()}), and at least half "
            "are needed"
        )
        raise ConfigError(
            f"{start}: lgca.classify with the settings of each run encodes what is missing, and with overwrite=True "
            "and store_regions=True what is gone or was never stored; or name the run with fewer samples first",
            app=f"{start}: classify again with the settings of each run, starting over and with all embeddings stored, "
            "or choose the run with fewer samples first",
        )

    def _why(self) -> str:
        return ", ".join(f"{count:,} {why}" for why, count in self.reasons.items())


def common_samples(
    store: Store, run_keys: Sequence[str], entries: Sequence[StoredRun], sample_ids: Sequence[str]
) -> CommonSamples:
    """Returns the samples of which the store has all regions by all encoders, of files with the same content.

    Args:
        store: open
        run_keys: keys of the runs
        entries: of the runs, the first one's first
        sample_ids: those that the first run has predicted
    """
    left, reasons = list(sample_ids), {}
    hashes = store.content_hashes(entries[0], left)
    for key, entry in zip(run_keys, entries, strict=True):
        held, complete = set(store.sample_ids(entry)), store.samples_with_regions(entry)
        own = hashes if entry is entries[0] else store.content_hashes(entry, left)
        reasons[f"are not in run {key!r}"] = sum(id_ not in held for id_ in left)
        left = [id_ for id_ in left if id_ in held]
        reasons[f"have no stored region embeddings of run {key!r}"] = sum(
            id_ not in complete or id_ not in own for id_ in left
        )
        left = [id_ for id_ in left if id_ in complete and id_ in own]
        reasons[f"had another image file in run {key!r}"] = sum(own[id_] != hashes[id_] for id_ in left)
        left = [id_ for id_ in left if own[id_] == hashes[id_]]
    return CommonSamples(
        ids=left,
        hashes={id_: hashes[id_] for id_ in left},
        total=len(sample_ids),
        run_keys=tuple(run_keys),
        reasons={why: count for why, count in reasons.items() if count},
    )
