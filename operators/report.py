"""``lgca_report``: a run as one page for people without the App, or its suspects for a table or an annotation tool."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from fiftyone.operators import types

from ..lgca_plugin.api import load_run
from ..lgca_plugin.config import check_count
from ..lgca_plugin.errors import ConfigError
from ..lgca_plugin.progress import Progress
from ..lgca_plugin.run import Run
from ..lgca_plugin.workflows.decisions.queue import Triage
from ..lgca_plugin.workflows.report.report import MAX_SUSPECTS, iter_page
from .shared.base import RunOperator
from .shared.caller import from_page
from .shared.dialogs.dialog import Dialog, steps_after
from .shared.execution import call, report_steps
from .shared.form import Params, add_dropdown, add_tabs, checked, text_field
from .shared.results.result import Result, result
from .shared.run_choice import add_run, read_run
from .shared.server_files import check_export, download, write_export
from .shared.settings import export_folder

DOWNLOAD, SERVER = "download", "server"
PAGE = "page"
MAX_SHOWN = 1_000
"""Maximum number of suspects with a picture, so that the page can travel to the browser."""


@dataclass(frozen=True)
class Kind:
    """What can be written: its words in the form, the ending of its file, and its media type."""

    label: str
    ending: str
    media: str


KINDS = {
    PAGE: Kind("A page for people without the App (HTML)", ".html", "text/html"),
    "csv": Kind("All suspects as a table (CSV)", ".csv", "text/csv"),
    "cvat": Kind("All suspects for CVAT (CVAT 1.1, XML)", ".xml", "application/xml"),
    "label-studio": Kind("All suspects for Label Studio: tasks (JSON)", ".json", "application/json"),
    "label-studio-interface": Kind(
        "All suspects for Label Studio: its labeling interface (XML)", ".xml", "application/xml"
    ),
}


@dataclass(frozen=True)
class ReportJob:
    """What is to be written of a run, and where: a name in the export folder, or None for a download."""

    run: Run
    kind: str
    max_suspects: int
    name: str | None
    overwrite: bool


class Report(RunOperator):
    """Writes a run as a page, or its suspects as a file."""

    operator_name = "lgca_report"
    icon = "summarize"
    title = "Report on a run"
    description = "Wrong labels and changes as a page for people without the App; suspects for CVAT and Label Studio"
    submit = "Report"
    problem = "The report was not written"

    def add_form(self, inputs: Any, ctx: Any) -> None:
        """Adds the run, what to write, and where to."""
        if checked(add_run(inputs, ctx), read_run, ctx) is None:
            return
        params = ctx.params
        kind = params.get("kind") or PAGE
        labels = {name: one.label for name, one in KINDS.items()}
        add_dropdown(inputs, "kind", list(KINDS), labels=labels, default=PAGE, label="What to write")
        if kind == PAGE:
            note = "With picture and reason, the most suspicious first; all others are counted"
            prop = inputs.int("max_suspects", default=MAX_SUSPECTS, label="Number of suspects", description=note)
            checked(prop, _read_count, params)
        destination = params.get("destination") or (DOWNLOAD if from_page(ctx) else SERVER)
        add_tabs(inputs, "destination", destination, {DOWNLOAD: "Download", SERVER: "File on the server"}, label="To")
        if destination == SERVER:
            ending = KINDS[kind].ending if kind in KINDS else ""
            note = f"Ends in {ending}; written to {export_folder()}"
            prop = inputs.str("path", required=True, label="Name of the file", description=note, view=text_field(2))
            checked(prop, check_export, params.get("path"), ending, overwrite=bool(params.get("overwrite")))
            inputs.bool("overwrite", default=False, label="Replace an existing file")

    def read_request(self, ctx: Any) -> ReportJob:
        """Reads and checks what is to be written.

        Raises:
            ConfigError: if a setting is wrong, or a worker that nobody looks at is to download a file
        """
        key, _ = read_run(ctx)
        params = ctx.params
        kind = params.get("kind") or PAGE
        if kind not in KINDS:
            raise ConfigError(f"there is no report of kind {kind!r}; choose from {', '.join(KINDS)}")
        run, name = load_run(ctx.dataset, key), None
        if kind != PAGE:
            Triage.of(run)  # has been triaged
        overwrite = bool(params.get("overwrite"))
        if (params.get("destination") or (DOWNLOAD if from_page(ctx) or ctx.delegated else SERVER)) == SERVER:
            name = check_export(params.get("path"), KINDS[kind].ending, overwrite=overwrite)
        elif ctx.delegated or not from_page(ctx):
            raise ConfigError("a report that is made in the background can't be downloaded: write a file on the server")
        return ReportJob(run, kind, _read_count(params), name, overwrite)

    def work(self, ctx: Any, request: ReportJob) -> Generator[Any, None, tuple[ReportJob, str, str]]:
        """Makes the file, writes it if it goes to the server, and returns its place and contents."""
        text = yield from report_steps(ctx, _contents(request))
        ending = KINDS[request.kind].ending
        if request.name is None:
            what = "report" if request.kind == PAGE else f"suspects_{request.kind}"
            return request, f"{request.run.key}_{what}_{datetime.now(timezone.utc):%Y-%m-%d}{ending}", text
        place = write_export(request.name, ending, text, overwrite=request.overwrite)
        return request, str(place), text

    def show(self, ctx: Any, outcome: tuple[ReportJob, str, str]) -> Iterator[Any]:
        """Downloads the file, or shows where it is."""
        request, place, text = outcome
        if request.name is None:
            yield download(ctx, text, place, KINDS[request.kind].media)
        dialog = Dialog()
        dialog.heading(types.Success(label="Downloaded" if request.name is None else "Written"))
        dialog.lines({"File": place, "Size": f"{len(text.encode()) / 1e6:,.1f} MB"})
        if request.kind == PAGE:
            dialog.text("It opens in any browser, without a network and without the App.", muted=True)
        yield dialog.show(ctx)

    def result_of(self, ctx: Any, outcome: tuple[ReportJob, str, str]) -> Result:
        """Returns where the file is."""
        request, place, text = outcome
        size = len(text.encode())
        return result(
            f"Written to {place}",
            run=request.run.key,
            counts={"bytes": size},
            steps=steps_after(request.run.key),
            path=place,
        )

    def __call__(
        self,
        sample_collection: Any,
        run: str,
        path: str,
        *,
        kind: str = PAGE,
        max_suspects: int = MAX_SUSPECTS,
        overwrite: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Executes the operator from the SDK, or queues it with ``delegate``.

        ``lgca.load_run(dataset, key).report(folder)`` does the same in the calling process, and writes to any folder;
        this writes to the folder of the App's exports.

        Args:
            sample_collection: the dataset, or a view of it
            run: the run's key
            path: name of the file
            kind: ``"page"``, or a format of :meth:`lgca_plugin.Triage.export_suspects`
            max_suspects: maximum number of suspects with a picture
            overwrite: replace an existing file
            delegate: queue it for a worker

        Returns:
            a ``fiftyone.operators.executor.ExecutionResult``, or a task of it in a notebook
        """
        params: Params = {"run": run, "destination": SERVER, "path": path, "kind": kind}
        params |= {"max_suspects": max_suspects, "overwrite": overwrite}
        return call(self, sample_collection, params, delegate=delegate)


def _contents(request: ReportJob) -> Generator[Progress, None, str]:
    if request.kind == PAGE:
        return (yield from iter_page(request.run, max_suspects=request.max_suspects))
    yield Progress(0, 1, "Reading the suspects")
    text = Triage.of(request.run).suspects_text(request.kind)
    yield Progress(1, 1, "All suspects are read")
    return text


def _read_count(params: Any) -> int:
    """Reads the number of suspects.

    Raises:
        ConfigError: if it is none, or too large for a page that a browser downloads
    """
    count = params.get("max_suspects")
    count = MAX_SUSPECTS if count is None else count
    check_count("max_suspects", count, at_least=0)
    if count > MAX_SHOWN:
        raise ConfigError(f"at most {MAX_SHOWN:,} suspects with a picture fit on a page; the table has all of them")
    return int(count)
