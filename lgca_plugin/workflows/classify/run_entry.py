"""``RunEntry``: a run's entry in the store while it is written to."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from ...errors import StoreError
from ...store.limits import GIGABYTE
from ...store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...store.rows import StoredRun, StoredSample

logger = logging.getLogger(__name__)


class RunEntry:
    """A run's entry in the store; an error of the store ends storing with a warning, and the predictions go on.

    Attributes:
        complete: whether everything that was to be stored has been
        warnings: sentences for the user: why storing has ended, or that the store is full
    """

    def __init__(self, token: str, open_run: Callable[[Store], StoredRun], *, with_regions: bool) -> None:
        self.complete = True
        self.warnings: list[str] = []
        self._token = token
        self._with_regions = with_regions
        self._n_stored = 0
        self._entry: tuple[Store, StoredRun] | None = None
        try:
            store = Store()
        except StoreError as error:
            self._give_up(error)
            return
        try:
            self._entry = store, open_run(store)
        except StoreError as error:
            store.close()
            self._give_up(error)

    def _write(self, samples: Sequence[StoredSample], findings_key: str | None, *, with_regions: bool) -> bool:
        """Stores samples, and returns whether the store goes on; it warns once if not all embeddings fit."""
        if self._entry is None:
            return False
        store, run = self._entry
        try:
            fits = store.write_samples(run, samples, with_regions=with_regions, findings_key=findings_key)
        except StoreError as error:
            self._give_up(error)
            return False
        if not fits:
            self._lacks(f"the store of embeddings has reached its limit of {store.limit_bytes / GIGABYTE:g} GB")
        return True

    def _lacks(self, why: str) -> None:
        """Says, the first time, why not all embeddings are stored."""
        if self.complete:
            self.complete = False
            self.warnings.append(f"{why}: not all embeddings of this run are stored")
            logger.warning(self.warnings[-1])

    def outcome(self) -> dict[str, object]:
        """Returns what is stored, for the run's record."""
        return {"samples": self._count(), "regions": self._with_regions, "complete": self.complete}

    def _count(self) -> int:
        if self._entry is not None:
            store, run = self._entry
            with suppress(StoreError):
                self._n_stored = store.count(run)
        return self._n_stored

    def release_replaced(self) -> None:
        """Releases the replaced run's embeddings; called when the new run has finished."""
        if self._entry is not None:
            try:
                self._entry[0].release_replaced(self._token)
            except StoreError as error:
                self._give_up(error)

    def close(self) -> None:
        """Closes the store."""
        if self._entry is not None:
            self._entry[0].close()
            self._entry = None

    def _give_up(self, error: StoreError) -> None:
        logger.warning("%s; the run continues without the store, and can't be rescored", error)
        self.warnings.append(str(error))
        self.complete = False
        self._count()
        self.close()
