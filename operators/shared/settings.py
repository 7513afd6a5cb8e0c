"""What the operator of the App's server allows its users: environment variables, all read here."""

from __future__ import annotations

import os
from pathlib import Path

KEY_HOSTS = "LGCA_KEY_HOSTS"
LLM_HOSTS = "LGCA_LLM_HOSTS"
EXPORT_DIR = "LGCA_EXPORT_DIR"
READ_DIRS = "LGCA_READ_DIRS"
MODELS = "LGCA_MODELS"


def key_hosts() -> tuple[str, ...]:
    """Returns the hosts that get the server's key, as ``LGCA_KEY_HOSTS`` lists them; OpenAI's own without it."""
    return _listed(KEY_HOSTS, "api.openai.com")


def llm_hosts() -> tuple[str, ...]:
    """Returns further hosts of language models, as ``LGCA_LLM_HOSTS`` lists them; they do not get the server's key."""
    return _listed(LLM_HOSTS, "")


def export_folder() -> Path:
    """Returns the only folder that the App writes to: ``LGCA_EXPORT_DIR``, else ``exports`` in the data folder."""
    chosen = os.environ.get(EXPORT_DIR)
    return Path(chosen).expanduser() if chosen else data_folder() / "exports"


def read_folders() -> tuple[Path, ...]:
    """Returns the folders that the App reads from: those of ``LGCA_READ_DIRS``, and the one that it writes to."""
    chosen = os.environ.get(READ_DIRS, "").split(os.pathsep)
    return (*(Path(folder).expanduser() for folder in chosen if folder.strip()), export_folder())


def models() -> tuple[str, ...]:
    """Returns the models that the App loads besides open_clip's own: ``hf-hub:`` and ``local-dir:`` names."""
    return _listed(MODELS, "")


def data_folder() -> Path:
    """Returns the plugin's own data folder: ``lgca`` in FiftyOne's configuration folder."""
    import fiftyone.constants as foc

    return Path(foc.FIFTYONE_CONFIG_DIR) / "lgca"


def _listed(variable: str, default: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in os.environ.get(variable, default).split(",") if entry.strip())
