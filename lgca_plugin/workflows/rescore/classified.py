"""A classification whose labels follow known shares of the classes: it ends in a rescoring of the run in place.

The offsets depend on all images of a run, so they are found once all are classified, and again when others have come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...config import NO_SHARES
from ...fiftyone_io.fields import error_field
from ...fiftyone_io.outages import patient
from ...fiftyone_io.samples import ImageSamples
from ...prediction.share_entry import ShareEntry
from ...progress import part_of
from ...runs.lease import held_lease, steps_under
from ..classify.class_counts import check_given_shares, class_counts
from ..classify.classify import CLASSIFY, iter_classify
from .request import Changes, check_rescore
from .rescore import iter_rescore

if TYPE_CHECKING:
    from collections.abc import Generator

    from ...config import ClassShares
    from ...encoder.base import Encoder
    from ...progress import Progress
    from ...runs.lease import Lease
    from ...runs.record import RunRecord
    from ..classify.request import ClassifyRequest

CLASSIFY_SHARE = 0.9
"""Share of the time that the classification takes, where nothing is encoded yet."""


def iter_classify_with_shares(
    request: ClassifyRequest,
    *,
    encoder: Encoder | tuple[str, str | None] | str | None = None,
    lease: Lease | None = None,
) -> Generator[Progress, None, RunRecord]:
    """Does what :func:`lgca_plugin.classify` does, as a generator that yields progress and returns the run.

    Closing the generator stops cleanly, and a later call goes on, with the rescoring if that is what is missing.
    ``lease`` is the caller's on the run's key.
    """
    if request.options.shares is None:
        return (yield from iter_classify(request, encoder=encoder, lease=lease))
    with held_lease(lease, request.target.dataset, request.run_key, CLASSIFY) as held:
        return (yield from patient(steps_under(held, _steps(request, encoder, held))))


def _steps(
    request: ClassifyRequest, encoder: Encoder | tuple[str, str | None] | str | None, lease: Lease
) -> Generator[Progress, None, RunRecord]:
    run = yield from part_of(iter_classify(request, encoder=encoder, lease=lease), 0.0, CLASSIFY_SHARE)
    shares = check_given_shares(request.options.shares, run.config.classes, run.dataset, run.fields)
    if not shares_are_due(run, shares):
        return run
    checked = check_rescore(run, Changes(shares=shares))
    loaded = None if encoder is None or isinstance(encoder, (str, tuple)) else encoder
    return (yield from part_of(iter_rescore(checked, encoder=loaded, lease=lease), CLASSIFY_SHARE, 1.0))


def shares_are_due(run: RunRecord, shares: ClassShares | None) -> bool:
    """Returns whether a run has to be rescored, so that its labels follow shares of the classes, or none any more.

    Raises:
        ConfigError: if the classes can't be counted
    """
    entry = ShareEntry.of(run.results)
    if shares is None or run.config.shares != shares or entry is None:
        return run.config.shares != shares or (shares is not None and bool(run.results.get("predicted")))
    everything = ImageSamples.whole(run.dataset)
    fields = [field for field in run.fields if field != error_field(run.key)]
    ids = list(everything.filled(everything.samples.values("id"), fields[:1]))
    counts = class_counts(shares, run.dataset, ids, run.config.classes).counts
    return (entry.counts, entry.images) != (counts, len(ids))


def as_change(shares: ClassShares | None) -> ClassShares | str:
    """Returns shares as a rescoring takes them, which drops them by name."""
    return NO_SHARES if shares is None else shares
