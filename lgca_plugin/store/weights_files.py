"""The files of weights that fused runs have learnt: beside the store's file, deleted with the run's entry in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_PREFIX, _SUFFIX = "fusion-", ".safetensors"


def weights_path(folder: Path, token: str) -> Path:
    """Returns the file of the weights of the run with a token."""
    return folder / f"{_PREFIX}{token}{_SUFFIX}"


def weights_files(folder: Path) -> list[Path]:
    """Lists the files of the weights of all runs."""
    return sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


def delete_weights(folder: Path, token: str) -> int:
    """Deletes the weights of a run, if it has any, and returns their number of bytes.

    Raises:
        StoreError: if the file can't be deleted
    """
    path = weights_path(folder, token)
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"the weights of a fused run at {path} can't be deleted: {error}") from error
    return size


def delete_other_weights(folder: Path, tokens: Collection[str]) -> int:
    """Deletes the weights of all runs but those with some tokens, and returns their number of bytes."""
    names = (path.name.removeprefix(_PREFIX).removesuffix(_SUFFIX) for path in weights_files(folder))
    return sum(delete_weights(folder, token) for token in sorted(names) if token not in tokens)
