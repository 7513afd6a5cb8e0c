"""Several stores on one file in one process: in threads, and from two copies of the library."""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import lgca_plugin
from lgca_plugin.store.store import Store
from tests.helpers.worlds.store import BATCHES, BOXES, boxes_known, check_store, names_of, open_run, write

NAMES = [*names_of(0), *names_of(1)]


@pytest.fixture(params=["this copy", "another copy"])
def other_store(request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    """A second store of the folder; also from a second copy of the library, as FiftyOne loads a plugin."""
    name, home = "another_copy_of_lgca_plugin", Path(lgca_plugin.__file__)
    if request.param == "another copy":
        spec = importlib.util.spec_from_file_location(name, home, submodule_search_locations=[str(home.parent)])
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    store_class = Store if request.param == "this copy" else import_module(f"{name}.store.store").Store
    with store_class(folder) as store:
        yield store
    for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
        del sys.modules[loaded]


def test_two__stores_in_one_process_return_what_the_other_has_written(store, other_store, folder):
    runs = open_run(store, "run"), open_run(other_store, "other", replaces=None)
    for number, name in enumerate(NAMES):
        writer, reader = (store, other_store) if number % 2 else (other_store, store)
        for run in runs:
            write(writer, run, name, fresh=range(number, number + 5))
            assert boxes_known(reader, run, name) == 5  # the second run writes no regions again
            assert reader.sample_ids(run) == NAMES[: number + 1]
    other_store.delete_run("run")
    assert store.run("run") is None
    assert [boxes_known(store, runs[1], name) for name in NAMES] == [5] * len(NAMES)
    check_store(folder)


def test_threads__recall_while_another_writes_and_deletes(opened, folder):
    """Images come, go, and come back as other rows; what is recalled is always that of the image."""
    store, elsewhere = opened(), opened()
    run = open_run(store, "run")
    names = [name for batch in range(BATCHES) for name in names_of(batch)]
    done = threading.Event()

    def recall() -> set[int | None]:
        counts: set[int | None] = set()
        while not done.is_set():
            counts.update(boxes_known(store, run, name) for name in names)
        return counts

    with ThreadPoolExecutor(3) as pool:
        found = [pool.submit(recall) for _ in range(3)]
        try:
            for passing in ("first", "second"):
                write(elsewhere, open_run(elsewhere, passing), *names[::-1])
                elsewhere.delete_run(passing)
            write(elsewhere, run, *names)
        finally:
            done.set()
    assert set().union(*(counts.result() for counts in found)) <= {None, BOXES}
    assert [boxes_known(store, run, name) for name in names] == [BOXES] * len(names)
    check_store(folder)
