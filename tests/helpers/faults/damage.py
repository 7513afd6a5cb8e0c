"""What a fault has damaged: all values of a dataset and its store, compared with those that nothing disturbed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from lgca_plugin.fiftyone_io.database import sample_collection
from lgca_plugin.fiftyone_io.tokens import run_token
from lgca_plugin.runs.record import read_results
from lgca_plugin.store.store import Store
from tests.helpers.faults.report import Damage

OWN = {"_id", "_dataset_id", "_rand", "created_at", "last_modified_at"}
"""Keys of a document that differ between two datasets of the same samples."""
EVENTS = {"at", "action", "history"}
"""Keys of a decision that differ between two curators who decide the same."""
TOLERANCE = 1e-4
"""Of numbers: which crops share a batch changes the last digits of an embedding."""

Values = dict[str, Any]


def values_of(dataset: Any) -> Values:
    """Every value that is stored of a dataset, by ``file name/path``; files that two samples have by ``name#2``.

    Where a value is the id of a sample, such as that of a near duplicate, its name stands in its place.
    """
    found: Values = {}
    seen: Counter[str] = Counter()
    names: dict[str, str] = {}
    documents = list(sample_collection(dataset).find({}).sort("_id", 1))
    for document in documents:
        name = document.pop("filepath").rsplit("/", 1)[-1]
        seen[name] += 1
        names[str(document["_id"])] = name + ("" if seen[name] == 1 else f"#{seen[name]}")
    for document in documents:
        name = names[str(document["_id"])]
        for path, value in _leaves(document, ""):
            if value is not None:
                found[f"{name}/{path}"] = names.get(value, value) if isinstance(value, str) else value
    for key in dataset.list_runs():
        found.update((f"run {key}/{entry}", value) for entry, value in _stored(dataset, key).items())
    return found


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in OWN and key not in EVENTS:
                yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield f"{path}.n", len(value)
        for at, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{at}")
    else:
        yield path, value


def _stored(dataset: Any, key: str) -> Values:
    """What the record of a run says, and how many samples the store has of it, each in how many rows."""
    with Store() as store:
        run = store.run(run_token(dataset, key) or "")
        ids = [] if run is None else list(store.sample_ids(run))
    results = read_results(dataset, key)
    counts = {name: results.get(name) for name in ("status", "predicted", "failed", "skipped", "pending")}
    counts["images"] = results.get("images_encoded", 0) + results.get("images_recalled", 0)
    decisions = {name: results.get(name) for name in ("triage_fields", "decided")}
    return {"stored": len(set(ids)), "stored.n": len(ids), **counts, **decisions}


def damage(found: Values, expected: Values) -> Damage:
    """Counts values that are missing, that are there twice, and that differ."""
    lost = sum(path not in found for path in expected)
    duplicated = sum(path not in expected for path in found)
    changed = 0
    for path in found.keys() & expected.keys():
        more = path.endswith(".n") and found[path] > expected[path]
        duplicated += more
        changed += not more and not _equal(found[path], expected[path])
    return Damage(lost, duplicated, changed)


def differences(found: Values, expected: Values) -> list[str]:
    """The first of what :func:`damage` counts, for the message of a failed test."""
    paths = [path for path in sorted({*found, *expected}) if not _equal(found.get(path), expected.get(path))]
    return [f"{path}: {found.get(path)!r}, expected {expected.get(path)!r}" for path in paths[:10]]


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(found == expected)
