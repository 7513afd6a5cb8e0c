"""The folder of the store, its size, and what is evicted when it is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from lgca_plugin.errors import ConfigError
from lgca_plugin.store.file import FILE_NAME, PAGE_BYTES
from lgca_plugin.store.limits import REGIONS_SHARE, default_folder, default_limit
from lgca_plugin.store.store import Store, store_exists
from tests.helpers.worlds.store import check_store, open_run, vectors_of, write

EMPTY = 18 * PAGE_BYTES
"""Size of a store with hardly any rows."""
IMAGE = PAGE_BYTES
"""Size of an image with its regions, about: their blob fills most of a page."""


def test_limit__the_regions_of_the_least_recently_used_run_are_evicted_first(opened, folder, caplog):
    store = opened(EMPTY + 34 * IMAGE, evicted_at_once=2)
    runs = {token: open_run(store, token) for token in ("oldest", "older", "new")}
    open_run(store, "oldest")  # which makes "older" the least recently used
    for token, run in (("older", runs["older"]), ("oldest", runs["oldest"]), ("new", open_run(store, "new"))):
        for number in range(12):
            assert write(store, run, f"{token} {number}")
    assert caplog.text.count("region embeddings of older runs are deleted") == 1
    left = {token: len(store.samples_with_regions(run)) for token, run in runs.items()}
    assert (left["oldest"], left["new"]) == (12, 12)
    assert 0 < left["older"] < 12
    assert all(len(store.sample_ids(run)) == len(vectors_of(store, run)) == 12 for run in runs.values())
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES
    check_store(folder)


def test_limit__what_a_newer_run_references_too_is_not_evicted(opened, folder):
    store = opened(int((EMPTY + 20 * IMAGE) / REGIONS_SHARE))
    shared = [f"shared {number}" for number in range(6)]
    old, new = open_run(store, "old"), open_run(store, "new")
    write(store, old, *shared, *(f"old {number}" for number in range(12)))
    for name in shared:
        write(store, new, name, fresh=())
    for number in range(12):
        assert write(store, new, f"new {number}")
    assert set(shared) <= store.samples_with_regions(new)
    assert len(store.samples_with_regions(new)) == 18
    assert store.samples_with_regions(old) == set(shared)
    check_store(folder)


def test_limit__image_vectors_fit_where_regions_do_not(opened, folder):
    store = opened(EMPTY + 10 * IMAGE)
    run = open_run(store, "run")
    names = [f"image {number}" for number in range(100)]  # their vectors fill three pages
    outcomes = [write(store, run, name) for name in names]

    assert not outcomes[-1]
    assert 5 <= len(store.samples_with_regions(run)) <= 14
    assert list(vectors_of(store, run)) == store.sample_ids(run) == names
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES
    check_store(folder)


def test_limit__too_small_for_anything(opened):
    store = opened(1)
    run = open_run(store, "run")
    assert not write(store, run, "image 0.0")
    assert store.sample_ids(run) == []


def test_limit__holds_for_many_small_images_too(opened):
    store = opened(EMPTY + 10 * PAGE_BYTES)
    run = open_run(store, "run")
    for number in range(200):
        write(store, run, f"image {number}", fresh=(0,))
    assert store.path.stat().st_size <= store.limit_bytes + 2 * PAGE_BYTES


@pytest.mark.parametrize(("chosen", "expected"), [(None, 20e9), ("", 20e9), ("0.5", 5e8), ("1e3", 1e12)])
def test_limit__is_20_gigabytes_or_as_chosen(monkeypatch, chosen, expected):
    monkeypatch.delenv("LGCA_STORE_GB", raising=False)
    if chosen is not None:
        monkeypatch.setenv("LGCA_STORE_GB", chosen)
    assert default_limit() == expected


@pytest.mark.parametrize("chosen", ["much", "0", "-1", "nan", "inf", "1e12", "20 GB"])
def test_limit__that_is_no_size_is_refused(monkeypatch, chosen):
    monkeypatch.setenv("LGCA_STORE_GB", chosen)
    with pytest.raises(ConfigError, match=r"LGCA_STORE_GB must be a number of gigabytes above 0, got '[^']*'$"):
        default_limit()


def test_folder__is_the_chosen_one(monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "deep" / "down"))
    assert not store_exists()
    with Store() as store:
        assert store.path == tmp_path / "deep" / "down" / FILE_NAME
    assert store_exists()
    monkeypatch.setenv("LGCA_STORE_DIR", "~/somewhere")
    assert default_folder() == Path.home() / "somewhere"
