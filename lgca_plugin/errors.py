"""The package's exceptions. Each message is one sentence that names the remedy.

One process may hold the package twice: FiftyOne loads the plugin's folder as a package of its own, beside the one that
is installed. Both raise the same classes, those of the copy that was imported first, so that ``except lgca.LgcaError``
also catches what an operator raises.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from .version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping


_PHRASES = [
    (
        "pass overwrite=True to replace it, or another run_key to keep both",
        "start over to replace it, or choose another run key to keep both",
    ),
    (
        "call lgca.classify with the same settings and overwrite=True",
        "classify again with the same settings, starting over",
    ),
    (
        "lgca.classify with the same settings and overwrite=True encodes",
        "classifying again with the same settings, starting over, encodes",
    ),
    ("lgca.classify with overwrite=True encodes", "classifying again, starting over, encodes"),
    (
        "lgca.classify with these methods under another run_key encodes",
        "classifying with these methods under another run key encodes",
    ),
    ("lgca.classify asks anew, and encodes", "classifying again asks anew, and encodes"),
    ("name another, or pass overwrite=True", "name another, or choose to overwrite it"),
    ("pass allow_new_class=True if it is the right label", "say that it is a new class if it is the right label"),
    ("pass corrected_field=... to have them elsewhere", "name another field to have them elsewhere"),
    ("pass corrected_field=", "choose "),
    ("ground_truth is ", "the label field is "),
    ("; choose the one to check as ground_truth", "; choose the one to check"),
    ("so name the one to compare with: ground_truth=...", "so choose the one to compare with"),
    ("a ground_truth field", "a label field"),
    ("pass classes, or", "type the classes, or choose"),
    ("; pass classes", "; type the classes"),
    ("or pass device='cpu'", "or choose the device cpu"),
    ("with methods=('clip', 'wca', 'lgca')", "with clip, wca and lgca"),
    ("a run with budget='full'", "a run with a full budget"),
    (" or pass a Method", ""),
    ("pass the dataset or a view", "choose the dataset or a view"),
    ("pass a checkpoint's path or one of", "choose a checkpoint file or one of"),
    ("pass the architecture as the name and the path as pretrained", "choose an architecture, and the path as a file"),
    (', for example load_encoder("ViT-B-32", pretrained="checkpoint.safetensors")', ""),
    ("see open_clip.list_models()", "open_clip's documentation lists its models"),
    ("pass it as encoder, to embed texts that are new", "texts that are new can only be scored from code"),
    ("; pass another as cache", "; set another folder"),
    ("; pass the key as api_key", "; the key has a field of its own"),
    ("pass a valid api_key, or", "give a valid key, or"),
    ("check it, and pass it as base_url", "check it, and give that address"),
    ("or pass a longer timeout", "or try again later"),
    ("check model, and base_url", "check the model, and the address"),
    ("check model and base_url", "check the model and the address"),
    (": run.triage() does that", ": triage it first"),
    ("; triage.actions() lists them", ""),
    ("; leave it out of methods", "; choose other methods"),
    ("must be a text that is not blank, or None", "must be a text that is not blank"),
]
_PATTERNS = [
    (re.compile(r"delete it with dataset\.delete_\w+\([^)]*\)"), "delete it"),
    (re.compile(r"^ground_truth\b"), "the label field"),
    (re.compile(r"^corrected_field\b"), "the field for corrected labels"),
    (re.compile(r"or load a checkpoint file: load_encoder\(.*"), "or choose a checkpoint file that is on this machine"),
]
_NAMES = {
    "api_key": "key",
    "base_url": "address",
    "batch_size": "batch size",
    "corrected_field": "field for corrected labels",
    "global_weight": "weight of the whole image",
    "image_scale": "image scale",
    "lgca_crops": "crops that grow",
    "display_names": "names for the model",
    "file_format": "file format",
    "max_cases": "number of images with misleading crops",
    "max_samples": "number of samples",
    "max_suspects": "number of suspects",
    "run_key": "run key",
    "sample_ids": "samples",
    "scale_max": "largest crop",
    "scale_min": "smallest crop",
    "shown_chains": "chains shown",
    "step_weights": "step weights",
    "text_scale": "text scale",
}
_QUOTED = re.compile(r"((?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\")")


def app_words(message: str) -> str:
    """Returns a message for code in the words of the App's forms, where nothing has the name of an argument.

    What is quoted are values, which stay as they are.
    """
    for phrase, words in _PHRASES:
        message = message.replace(phrase, words)
    for pattern, words in _PATTERNS:
        message = pattern.sub(words, message)
    parts = _QUOTED.split(message)
    for at in range(0, len(parts), 2):
        for name, words in _NAMES.items():
            parts[at] = re.sub(rf"\b{name}\b", words, parts[at])
    return "".join(parts)


_MAX_LENGTH = 1_000
"""Maximum number of characters of a message; of a longer one, the remedy at its end is kept."""
_KEPT_END, _GAP = 300, " ... "


def shown(value: object) -> str:
    """Returns a value as messages show it: its ``repr``, which whole numbers of thousands of digits do not have."""
    try:
        return repr(value)
    except ValueError:
        return "a number of thousands of digits"


class LgcaError(Exception):
    """Base of every error that the package raises on purpose; a very long value in its message is shortened.

    Attributes:
        app: the message in the words of the App's forms
    """

    def __init__(self, message: str = "", *, app: str | None = None) -> None:
        if len(message) > _MAX_LENGTH:
            message = f"{message[: _MAX_LENGTH - _KEPT_END - len(_GAP)]}{_GAP}{message[-_KEPT_END:]}"
        super().__init__(message)
        self.app = app or app_words(message)


class ConfigError(LgcaError, ValueError):
    """An argument is wrong; raised before anything is written."""


class ModelUnavailableError(LgcaError):
    """A model or its weights can't be loaded here."""


class ImageError(LgcaError):
    """One image can't be used; the message is written to the sample as the reason."""


class RunNotFoundError(LgcaError, ValueError):
    """The dataset has no run under this key."""


class RunHeldError(LgcaError):
    """Another call that is still at work holds the run's key; nothing was written."""


class RunCancelledError(LgcaError):
    """The run was cancelled; what it had done is kept, and the same call goes on with it.

    Attributes:
        run_key: key of the run; None if it is not known
    """

    run_key: str | None = None


class StoreError(LgcaError):
    """The store of embeddings can't be read or written."""


class DatabaseAwayError(LgcaError):
    """The database has not answered for longer than a run waits for it; what was written before is there."""


class DescribeError(LgcaError):
    """A language model's endpoint can't be used; ``descriptions`` holds its answers so far."""

    def __init__(
        self, message: str, descriptions: Mapping[str, tuple[str, ...]] | None = None, *, app: str | None = None
    ) -> None:
        super().__init__(message, app=app)
        self.descriptions = dict(descriptions or {})


_SHARED = f"lgca_plugin.errors of {__version__}"
"""The module of the copy that was imported first, in ``sys.modules``; releases differ in what their classes hold."""

if (_first := sys.modules.setdefault(_SHARED, sys.modules[__name__])) is not sys.modules[__name__]:
    globals().update({name: value for name, value in vars(_first).items() if isinstance(value, type)})
