"""The dataset and the store that release 0.1.0 has written, restored into this session's database."""

import contextlib
import gzip
import json
import lzma
import math
import os
import shutil
import uuid
from functools import lru_cache
from pathlib import Path

import bson.json_util
import fiftyone as fo
import numpy as np
from fiftyone.core.odm import get_db_conn

import lgca_plugin as lgca
from tests.helpers.paths import ROOT

RELEASE = ROOT / "tests" / "data" / "release_0_1_0"
STORE_FILE = "embeddings-2.sqlite"
NEAR = 1e-6
"""Tolerance of numbers, relative and absolute, stored ones and those computed from stored embeddings."""
NEAR_EMBEDDED = 1e-4
"""Tolerance where the model embeds the texts anew."""
SUMS = ("['summary']", "['report']", "['found']")


@contextlib.contextmanager
def restored(folder):
    """Puts the release's documents into this session's database and its store where ``LGCA_STORE_DIR`` says.

    Everything keeps its ids, by which the documents and the store refer to each other. The dataset gets a new name, and
    the pictures are copied to ``folder``. The identity of the database is the release's as long as this lasts.
    """
    store = Path(os.environ["LGCA_STORE_DIR"])
    store.mkdir(parents=True, exist_ok=True)
    (store / STORE_FILE).write_bytes(lzma.decompress((RELEASE / f"{STORE_FILE}.xz").read_bytes()))
    shutil.copytree(RELEASE / "images", folder / "images")
    documents = bson.json_util.loads(documents_text(RELEASE))
    (stored,) = documents["datasets"]
    name = f"release-{uuid.uuid4().hex[:12]}"
    stored.update(name=name, slug=name)
    for sample in documents[stored["sample_collection_name"]]:
        sample["filepath"] = str(folder / "images" / sample["filepath"])

    database = get_db_conn()
    identity = {"store_name": "lgca_runs", "key": "database", "dataset_id": None}
    before = database["execution_store"].find_one_and_delete(identity)
    try:
        for collection, found in documents.items():
            database[collection].insert_many(found)
        yield fo.load_dataset(name)
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
        for collection, found in documents.items():
            database[collection].delete_many({"_id": {"$in": [document["_id"] for document in found]}})
        database["execution_store"].delete_many({"dataset_id": stored["_id"]})
        if before is not None:
            database["execution_store"].insert_one(before)


@lru_cache(maxsize=1)
def documents_text(folder):
    return gzip.decompress((folder / "database.json.gz").read_bytes()).decode()


@lru_cache(maxsize=1)
def expected():
    return json.loads((RELEASE / "expected.json").read_text(encoding="utf-8"))


class Mute(lgca.Encoder):
    """The demo's model under its own name and fingerprint, which fails when it is to encode images, or any texts."""

    def __init__(self, *, texts=False):
        model = lgca.load_encoder("demo", device="cpu")
        vars(self).update(vars(model), fingerprint=model.fingerprint)
        self._embed = model.encode_texts if texts else None

    def encode_images(self, pixels):  # noqa: ARG002
        raise AssertionError("the model would encode images that the release has encoded")

    def encode_texts(self, texts):
        assert self._embed, "the model would encode texts that the release has encoded"
        return self._embed(texts)


def assert_same(found, wanted, near=NEAR, where="it"):
    """Compares JSON documents, numbers by their difference; later releases may say more where a run sums itself up."""
    if isinstance(wanted, dict):
        if where.endswith(SUMS):
            found = {key: found[key] for key in wanted}
        assert isinstance(found, dict) and found.keys() == wanted.keys(), f"{where}: {found} is not {wanted}"
        for key, value in wanted.items():
            assert_same(found[key], value, near, f"{where}[{key!r}]")
    elif isinstance(wanted, list):
        assert isinstance(found, list) and len(found) == len(wanted), f"{where}: {found} is not {wanted}"
        for index, value in enumerate(wanted):
            assert_same(found[index], value, near, f"{where}[{index}]")
    elif isinstance(wanted, float):
        assert isinstance(found, float) and math.isclose(found, wanted, rel_tol=near, abs_tol=near), (
            f"{where}: {found} is not {wanted}"
        )
    else:
        assert type(found) is type(wanted) and found == wanted, f"{where}: {found!r} is not {wanted!r}"


def plain(value):
    """Makes a JSON document of whatever the functions below have found; nan, which JSON does not have, is a text."""
    if isinstance(value, dict):
        return {str(key): plain(of_key) for key, of_key in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    return "nan" if isinstance(value, float) and math.isnan(value) else value
