"""Writes the report of a run: one page that opens anywhere, and the files that go with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...config import check_count
from ...errors import ConfigError
from ...progress import Progress, part_of
from ...runs.record import check_current, check_loaded
from ...runs.registry import reload_record
from ..decisions.annotation_files import FORMATS
from ..decisions.queue import Triage
from ..decisions.rows import csv_text
from ..decisions.text_files import write_text
from .content import report_content

if TYPE_CHECKING:
    from collections.abc import Generator

    from ...runs.record import RunRecord

MAX_SUSPECTS, MAX_CASES = 200, 12
"""Default maximum number of suspects and of misleading-crop cases with pictures: a page of some megabytes."""
PAGE = "report.html"
FILES = {
    "suspects.csv": "csv",
    "suspects.cvat.xml": "cvat",
    "suspects.label-studio.json": "label-studio",
    "label-studio-interface.xml": "label-studio-interface",
}
"""Name of a file that goes with the page to its format."""
DECISIONS = "decisions.csv"
_PAGE_SHARE = 0.97  # of the work


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """A report that has been checked: the run, the folder, and how many suspects and cases are shown."""

    run: RunRecord
    folder: Path
    max_suspects: int
    max_cases: int


def check_report(
    run: RunRecord, folder: str | Path, *, max_suspects: int, max_cases: int, overwrite: bool
) -> ReportRequest:
    """Checks the arguments of :meth:`lgca_plugin.Run.report`; writes nothing.

    Raises:
        ConfigError: if an argument is wrong, or the folder has a report that is not to be replaced
        LgcaError: if the run has been deleted or replaced
    """
    check_loaded(run)
    reload_record(run)
    check_count("max_suspects", max_suspects, at_least=0)
    check_count("max_cases", max_cases, at_least=0)
    place = Path(folder).expanduser()
    if place.exists() and not place.is_dir():
        raise ConfigError(f"a report is a folder with several files, and {str(folder)!r} is a file")
    names = [PAGE, DECISIONS, *FILES]
    there = [name for name in names if (place / name).exists()]
    if there and not overwrite:
        raise ConfigError(f"{str(folder)!r} has a file {there[0]!r} already; name another, or pass overwrite=True")
    return ReportRequest(run=run, folder=place, max_suspects=max_suspects, max_cases=max_cases)


def iter_report(request: ReportRequest) -> Generator[Progress, None, Path]:
    """Does what :meth:`lgca_plugin.Run.report` does, as a generator that yields progress."""
    run = request.run
    text = yield from part_of(
        iter_page(run, max_suspects=request.max_suspects, max_cases=request.max_cases), 0.0, _PAGE_SHARE
    )
    texts = {PAGE: text}
    found = run.results.get("triage") or {}
    if found:
        triage = Triage.of(run)
        texts[DECISIONS] = csv_text(triage.decisions(), history=False)
        if found.get("ground_truth"):
            suspects = triage.suspect_file()
            texts |= {name: FORMATS[file_format](suspects) for name, file_format in FILES.items()}
    check_current(run)
    try:
        request.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"folder {str(request.folder)!r} can't be made: {error.strerror or error}") from error
    for name, content in texts.items():
        write_text(content, request.folder / name, overwrite=True)
    return request.folder / PAGE


def iter_page(
    run: RunRecord, *, max_suspects: int = MAX_SUSPECTS, max_cases: int = MAX_CASES
) -> Generator[Progress, None, str]:
    """Returns the page as text; yields progress."""
    content = yield from report_content(run, max_suspects=max_suspects, max_cases=max_cases)
    return str(_template().render(report=content))


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.jinja")
