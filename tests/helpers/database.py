"""Settings of FiftyOne for the tests, and a MongoDB of their own: nothing touches the data of whoever runs them."""

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
import uuid
from pathlib import Path

from scripts import mongod
from tests.helpers.paths import ROOT

_session = contextlib.ExitStack()
_started: list[str] = []
atexit.register(_session.close)


def configure() -> None:
    """Sets the environment that FiftyOne, the store and the libraries read when they are first imported."""
    home = Path(tempfile.mkdtemp(prefix="lgca-tests-"))
    _session.callback(shutil.rmtree, home, ignore_errors=True)
    plugins = home / "plugins"
    plugins.mkdir()
    (plugins / "lgca").symlink_to(ROOT, target_is_directory=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the demo's model is too small for more
    os.environ.update(
        FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS="true",
        FIFTYONE_DATABASE_DIR=str(home / "database"),
        FIFTYONE_DATABASE_NAME=f"lgca-tests-{uuid.uuid4().hex[:12]}",
        FIFTYONE_DATABASE_VALIDATION="false",
        FIFTYONE_DEFAULT_DATASET_DIR=str(home / "datasets"),
        FIFTYONE_DO_NOT_TRACK="true",
        FIFTYONE_MODEL_ZOO_DIR=str(home / "models"),
        FIFTYONE_PLUGINS_DIR=str(plugins),
        FIFTYONE_SHOW_PROGRESS_BARS="false",
        HF_HUB_OFFLINE="1",
        LGCA_STORE_DIR=str(home / "embeddings"),
    )


def start() -> None:
    """Starts the MongoDB, once a process; has to come before the first import of FiftyOne."""
    if _started:
        return
    if "fiftyone" in sys.modules:
        raise RuntimeError("fiftyone was imported before it was given a database of the tests' own")
    if os.environ.get("FIFTYONE_DATABASE_URI"):  # the user's own server: only the tests' database is dropped
        _session.callback(_drop_database)
    else:
        folder = Path(os.environ["FIFTYONE_DATABASE_DIR"])
        os.environ["FIFTYONE_DATABASE_URI"] = _session.enter_context(mongod.running_mongod(folder))
    _started.append(os.environ["FIFTYONE_DATABASE_URI"])


def is_started() -> bool:
    """Whether :func:`start` has been called."""
    return bool(_started)


def _drop_database() -> None:
    import pymongo

    with pymongo.MongoClient(os.environ["FIFTYONE_DATABASE_URI"]) as client:
        client.drop_database(os.environ["FIFTYONE_DATABASE_NAME"])
