"""Text files for people and other tools: written whole or not at all, and safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import unicodedata
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # some spreadsheets take the wide ones for the others
_BREAKS = ("\t", "\r", "\n")


def write_text(text: str, path: str | Path, *, overwrite: bool) -> Path:
    """Writes a text to a file and returns the file; on an error no partial file is left.

    Raises:
        ConfigError: if it can't be written there
    """
    target = Path(path).expanduser()
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else f"is in {target.parent}, which is no folder"
        raise ConfigError(f"path must be a file to write, got {str(path)!r}, which {what}")
    if target.exists() and not overwrite:
        raise ConfigError(f"file {str(path)!r} exists; name another, or pass overwrite=True")
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        partial.write_text(text, encoding="utf-8", errors="replace", newline="")
        partial.replace(target)
    except OSError as error:
        raise ConfigError(f"file {str(path)!r} can't be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return target


def table_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table as CSV, None as an empty cell.

    Cells that a spreadsheet would take for a formula are preceded by an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and (value.startswith(_BREAKS) or _visible(value).startswith(_FORMULAS)):
        return f"'{value}"
    return "" if value is None else value


def _visible(text: str) -> str:
    """Returns a text without the blanks and invisible characters at its start, which some spreadsheets leave out."""
    return next((text[at:] for at, char in enumerate(text) if unicodedata.category(char)[0] not in "ZC"), "")
