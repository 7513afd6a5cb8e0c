"""The results in the record of a custom run, always either the earlier or the new ones, whatever fails meanwhile.

FiftyOne deletes the stored results before it writes the new ones: a process that is killed in between leaves a record
that can't be read, and one that reads in between finds none. Here the record refers to the earlier ones until the new
ones are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import LgcaError
from .database import journaled, reload_run, run_id, sample_collection
from .documents import utc_now
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Callable

    import fiftyone as fo

Results = dict[str, Any]

ATTEMPTS = 50
"""Maximum number of times that a change is made again because another process has written the results meanwhile."""


@waits_for_database
def read_run_results(dataset: fo.Dataset, run_key: str) -> Results:
    """Returns the results in a run's record, as stored; empty if there are none."""
    return _read(dataset, run_key)[1]


@waits_for_database
def change_run_results(
    dataset: fo.Dataset, run_key: str, change: Callable[[Results], Results], *, config: fo.RunConfig | None = None
) -> Results:
    """Replaces the results in a run's record by what ``change`` makes of them, and returns those.

    With a ``config``, it becomes that of the record in the same step, and the record is as new.

    No change of another process is lost: if there is one meanwhile, ``change`` is called again with its results.

    Raises:
        LgcaError: if the dataset has no such run any more
    """
    import fiftyone as fo
    from bson import json_util
    from gridfs import GridFS

    database = sample_collection(dataset).database
    files, runs = GridFS(database), journaled(database.runs)
    changes: dict[str, Any] = {}
    if config is not None:
        changes = {"config": config.serialize(), "timestamp": utc_now(), "version": fo.__version__}
    for _ in range(ATTEMPTS):
        record = run_id(dataset, run_key)
        if record is None:
            break
        before, results = _read(dataset, run_key)
        results = change(results)
        if run_key not in dataset.list_runs():  # another process has registered it
            dataset.reload()
        content = json_util.dumps(dataset.init_run_results(run_key, **results).serialize()).encode()
        new = files.put(content, content_type="application/json")
        if runs.update_one({"_id": record, "results": before}, {"$set": {**changes, "results": new}}).matched_count:
            if before is not None:
                files.delete(before)
            reload_run(dataset, run_key)
            return results
        files.delete(new)
    raise LgcaError(f"run {run_key!r} was deleted, or is written by too many processes at once: nothing was saved")


def _read(dataset: fo.Dataset, run_key: str) -> tuple[Any, Results]:
    """Returns the id of the file of a run's results, and the results."""
    from bson import json_util
    from gridfs import GridFS
    from gridfs.errors import GridFSError

    database, before = sample_collection(dataset).database, None
    for _ in range(ATTEMPTS):
        record = database.runs.find_one({"_id": run_id(dataset, run_key)}, ["results"]) or {}
        file = record.get("results")
        if file is None:
            break
        try:
            results: Results = json_util.loads(GridFS(database).get(file).read().decode())
        except (GridFSError, ValueError):  # replaced meanwhile; if it still is the same, a release before has lost it
            if file == before:
                return file, {}
            before = file
            continue
        results.pop("cls", None)
        return file, results
    return None, {}
