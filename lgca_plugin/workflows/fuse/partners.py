"""Which runs of a dataset can be fused: known from their records and from counts in the store, no sample is read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from ...errors import LgcaError
from ...fiftyone_io.tokens import run_token
from ...runs.registry import list_runs, read_config
from ...store.store import Store, geometry_of, store_exists

if TYPE_CHECKING:
    import fiftyone as fo

    from ...config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A run that another one can be fused with, or can't.

    Attributes:
        key: its key
        encoder: its encoder's name
        fingerprint: its encoder's fingerprint
        samples: number of samples of which the store has embeddings of both runs
        problem: why the two can't be fused, in words that follow the run's name; None if they can
    """

    key: str
    encoder: str
    fingerprint: str
    samples: int = 0
    problem: str | None = None

    @property
    def fits(self) -> bool:
        """Whether the two can be fused."""
        return self.problem is None


class Mismatch(NamedTuple):
    """Why two runs can't be fused.

    Attributes:
        problem: in words that follow the second run's name
        remedy: what to do
    """

    problem: str
    remedy: str


def mismatch(first: RunConfig, second: RunConfig) -> Mismatch | None:
    """Returns why runs with these settings can't be fused; None if they can, as far as their settings say."""
    if first.voters is not None or second.voters is not None:
        return Mismatch("is of predictions that were there already, or the first run is", "take runs of two models")
    if second.fusion is not None:
        return Mismatch("is fused itself", "take the runs that it was fused from")
    if first.encoder_fingerprint == second.encoder_fingerprint:
        return Mismatch("has the same model", "take only one of them, and a run of another model")
    if set(first.classes) != set(second.classes):
        problem = f"has {_other_classes(first.classes, second.classes)}"
        return Mismatch(problem, "rescore one of them with the classes of the other, which encodes no image")
    crops = "classify the images again, with methods that look at crops"
    if not first.region_plan.counts:
        return Mismatch("looks at crops, and the first run does not", crops)
    if not second.region_plan.counts:
        return Mismatch("looks at no crops", crops)
    if geometry_of(first.regions) != geometry_of(second.regions):
        again = "classify with one of the models again, with the sizes and the seed of the crops of the other run"
        return Mismatch("has crops of other sizes, or another seed", again)
    if first.region_plan.spread_of != second.region_plan.spread_of:
        again = "classify with one of the models again, with the budget and the number of crops of the other run"
        return Mismatch("has crops in another order, of which an economical budget takes a third", again)
    return None


def partners(dataset: fo.Dataset, run_key: str) -> list[Partner]:
    """Returns the other runs of a dataset, the newest first, each with whether the run can be fused with it.

    Those that are fused themselves are left out, and those whose record can't be read.

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if its record can't be read
        StoreError: if the store can't be read
    """
    own = read_config(dataset, run_key)
    configs = {}
    for key in reversed(list_runs(dataset)):
        if key != run_key:
            with suppress(LgcaError):
                configs[key] = read_config(dataset, key)
    configs = {key: config for key, config in configs.items() if config.has_one_encoder}
    found = {
        key: Partner(key=key, encoder=it.encoder, fingerprint=it.encoder_fingerprint, problem=why and why.problem)
        for key, it in configs.items()
        for why in [mismatch(own, it)]
    }
    fitting = [key for key, partner in found.items() if partner.fits]
    common = common_samples(dataset, run_key, fitting) if fitting else {}
    for key, samples in common.items():
        problem = None if samples else "has no stored embeddings of the same pictures"
        found[key] = replace(found[key], samples=samples, problem=problem)
    return list(found.values())


def fused_from(dataset: fo.Dataset, run_key: str) -> list[str]:
    """Returns the keys of the runs that were fused from a run, the newest first."""
    found = []
    for key in reversed(list_runs(dataset)):
        with suppress(LgcaError):
            fusion = read_config(dataset, key).fusion
            if fusion is not None and run_key in (fusion.run_key, *(other.run_key for other in fusion.others)):
                found.append(key)
    return found


def has_partners(dataset: fo.Dataset) -> bool:
    """Returns whether any two runs of a dataset can be fused, as far as their settings say."""
    configs: list[RunConfig] = []
    for key in list_runs(dataset):
        with suppress(LgcaError):
            configs.append(read_config(dataset, key))
    return any(mismatch(a, b) is None and a.fusion is None for a, b in combinations(configs, 2))


def common_samples(dataset: fo.Dataset, run_key: str, others: list[str]) -> dict[str, int]:
    """Returns key to the number of samples of which the store has embeddings of a run and of another one.

    Raises:
        StoreError: if the store can't be read
    """
    counts = dict.fromkeys(others, 0)
    if not store_exists():
        return counts
    with Store() as store:
        token = run_token(dataset, run_key)
        own = token and store.run(token)
        for key in others if own else ():
            token = run_token(dataset, key)
            other = token and store.run(token)
            if own and other:
                counts[key] = store.count(own, other)
    return counts


def _other_classes(first: tuple[str, ...], second: tuple[str, ...]) -> str:
    more, fewer = len(set(second) - set(first)), len(set(first) - set(second))
    parts = [f"{count:,} {what}" for count, what in ((more, "more"), (fewer, "missing")) if count]
    return f"other classes ({', '.join(parts)})"
