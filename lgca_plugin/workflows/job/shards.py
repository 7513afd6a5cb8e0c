"""The shards of a job: stores of one part each, with the embeddings of regions that its worker has made."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ...job.description import SHARDS
from ...job.part_writer import NO_LIMIT, shard_name
from ...store.file import FILE_NAME
from ...store.limits import REGIONS_SHARE, default_limit
from ...store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...engine.embeddings import KnownRegions
    from ...job.description import Job
    from ...job.folder import JobFolder


class ShardReader:
    """Reads the shards of a job."""

    def __init__(self, folder: JobFolder, job: Job) -> None:
        self._folder = folder
        self._job = job

    def fit(self) -> bool:
        """Returns whether the embeddings of all regions fit into the store, as far as the first shards say."""
        names = self._folder.names(SHARDS)
        if not names:
            return True
        sizes = [self._folder.size(f"{SHARDS}/{name}/{FILE_NAME}") for name in names[:8]]
        return sum(sizes) / len(sizes) * self._job.parts <= REGIONS_SHARE * default_limit()

    def regions(self, part: int, sample_ids: Sequence[str]) -> dict[str, KnownRegions]:
        """Returns the embeddings of a part's samples by their ids; without those that are missing or damaged."""
        name = shard_name(part)
        if not sample_ids or not self._folder.exists(name):
            return {}
        with ExitStack() as stack:
            if self._folder.local is not None:
                home = (self._folder.local / name).parent
            else:
                home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lgca-shard-")))
                self._folder.get(name, home / FILE_NAME)
            store = stack.enter_context(Store(home, limit_bytes=NO_LIMIT))
            run = store.run(self._job.token)
            return {} if run is None else {id_: known for id_, _, known in store.known_regions(run, sample_ids)}
