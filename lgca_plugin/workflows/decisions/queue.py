"""``Triage``: the suspected labels of a run, the decisions about them, and what is left to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, shown
from ...fiftyone_io.boxes.companion import as_patches
from ...fiftyone_io.fields import CASE, LABEL_QUALITY, MISLEADING, method_field, triage_field
from ...fiftyone_io.samples import image_samples
from ...runs.record import check_loaded, stored_triage
from ...runs.registry import update_record
from ...runs.saved_views import write_views
from .annotation_files import ENDINGS, FORMATS, SuspectFile, check_format, common_folder
from .corrected_field import LARGE, decision_fields
from .decide import decide
from .decisions import Decision
from .rows import count_decided, count_left, csv_text, read_rows
from .summary_text import triage_text
from .suspect_rows import read_suspects
from .text_files import write_text
from .undo import current_actions, undo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import fiftyone as fo

    from ...runs.record import RunRecord
    from .decide import DecideResult
    from .rows import DecisionRow
    from .undo import DecideAction, UndoResult


class Triage:
    """The findings of a run's triage, and the queue of decisions about them.

    Args:
        run: the run
        large: number of samples from which on ``decide(..., wait=False)`` copies labels in a thread

    Attributes:
        run: the run
        report: the findings, as stored with the run; of a run that was replaced since, only where its decisions are
        places: the fields that hold the decisions
    """

    def __init__(self, run: RunRecord, *, large: int = LARGE) -> None:
        self.run = run
        self._large = large
        self.report: dict[str, Any] = stored_triage(run.results)
        self.places = decision_fields(run, self.report)

    @classmethod
    def of(cls, run: RunRecord) -> Triage:
        """Returns the triage of a run.

        Raises:
            ConfigError: if the run has not been triaged
        """
        if not stored_triage(run.results):
            raise ConfigError(f"run {run.key!r} has not been triaged: run.triage() does that")
        return cls(run)

    def suspects(self, *, decided: bool | None = False) -> Any:
        """Returns the samples whose given label is suspected to be wrong, the lowest label quality first.

        The first are those whose label is no class of the run, which have a quality of 0 and a case of their own.

        Args:
            decided: False for those without a decision, True for those with one, None for all

        Returns:
            a FiftyOne view; of a run on boxes, one of their patches
        """
        return as_patches(self.suspect_samples(decided=decided))

    def suspect_samples(self, *, decided: bool | None = False) -> Any:
        """Returns :meth:`suspects` as samples of the run's dataset, also those of boxes."""
        suspects = self._samples().exists(f"{self.places.suggestion}.label")
        if decided is not None:
            suspects = suspects.exists(f"{self.places.decision}.action", decided)
        return suspects.sort_by(triage_field(self.run.key, LABEL_QUALITY))

    def cases(self, case: str) -> Any:
        """Returns the samples of one case.

        Args:
            case: one of the cases that the report counts

        Returns:
            a FiftyOne view; of a run on boxes, one of their patches

        Raises:
            ConfigError: if there is no such case
        """
        from fiftyone import ViewField

        name = str(getattr(case, "value", case))
        known = self.report.get("cases") or {}
        if name not in known:
            raise ConfigError(f"case must be one of {', '.join(map(repr, known))}, got {shown(name)}")
        return as_patches(self._samples().match(ViewField(triage_field(self.run.key, CASE)) == name))

    def decide(
        self,
        sample_ids: str | Sequence[str] | Any,
        decision: Decision | str,
        *,
        label: str | None = None,
        note: str | None = None,
        by: str | None = None,
        allow_new_class: bool = False,
        wait: bool = True,
    ) -> DecideResult:
        """Decides about samples. Earlier decisions about them are replaced, and stay in the samples' history.

        An accepted label goes to the field of corrected labels; given labels are never changed. All arguments are
        checked before anything is written; then each sample is written in one update.

        Args:
            sample_ids: ids, or a view of the dataset; they need not be suspects. Of a run on boxes, ids of labels, or a
                view of patches
            decision: a :class:`Decision` or its value: ``"accepted"``, ``"label right"``, ``"bad crop"``,
                ``"bad image"`` or ``"skipped"``; or its word in files: ``"changed"``, ``"kept"``,
                ``"kept, bad crop"``, ``"bad image"`` or ``"can't tell"``
            label: the right class, if it is not the suggested one
            note: a note for later readers
            by: name of the curator; None takes the login name
            allow_new_class: accept a label that is not a class of the run
            wait: the first decision copies the given labels to the field of corrected labels, which takes seconds for
                100,000 samples; False copies those of other samples in a thread

        Returns:
            the action, for :meth:`undo`, and counts

        Raises:
            ConfigError: if an argument is wrong, before anything is written
            LgcaError: if the run was deleted or started again
        """
        return decide(
            self.run,
            self.places,
            sample_ids,
            decision,
            label=label,
            note=note,
            by=by,
            allow_new_class=allow_new_class,
            large=None if wait else self._large,
        )

    def undo(
        self,
        action: str | None = None,
        *,
        sample_ids: str | Sequence[str] | Any = None,
        of: str | None = None,
        by: str | None = None,
        note: str | None = None,
    ) -> UndoResult:
        """Undoes decisions: the previous decision, corrected label and tag of each sample are restored.

        Without arguments, the latest action of any curator that is not undone is undone. Only a sample's current
        decision can be undone, so that no later decision is lost; other samples are counted. Nothing is removed from
        the history.

        Args:
            action: of :meth:`decide` or :meth:`actions`; None takes the latest, with ``sample_ids`` the current ones
            sample_ids: undo on these samples only
            of: undo decisions of this curator only
            by: who undoes; None takes the login name
            note: a note for later readers

        Returns:
            the action of this call, and counts

        Raises:
            ConfigError: if there is nothing to undo, or an argument is wrong, before anything is written
            LgcaError: if the run was deleted or started again
        """
        return undo(self.run, self.places, action, samples=sample_ids, of=of, by=by, note=note)

    def actions(self) -> list[DecideAction]:
        """Returns the calls of :meth:`decide` that are the current decision of a sample, the latest first."""
        return current_actions(self._dataset(), self.places)

    def decisions(self, *, history: bool = False) -> list[DecisionRow]:
        """Returns the current decisions, oldest first.

        Args:
            history: return every event instead, also those that were replaced or undone
        """
        return read_rows(self._dataset(), self.places, history=history)

    def left(self) -> dict[str, int]:
        """Counts what is left to decide.

        Returns:
            ``suspects``; ``undecided``, ``accepted``, ``label right``, ``bad crop``, ``bad image`` and ``skipped``,
            which sum to it; ``other samples decided``, which are not suspects
        """
        return count_left(self._dataset(), self.places)

    def export(self, path: str | Path, *, history: bool = False, overwrite: bool = False) -> Path:
        """Writes the decisions to a CSV file.

        Its decisions are ``changed``, ``kept``, ``kept, bad crop``, ``bad image`` and ``can't tell``. Cells that a
        spreadsheet would take for a formula are preceded by an apostrophe.

        Args:
            path: the file, in a folder that exists
            history: write every event, see :meth:`decisions`
            overwrite: replace an existing file

        Returns:
            the file

        Raises:
            ConfigError: if it exists or can't be written; no partial file is left
        """
        return write_text(csv_text(self.decisions(history=history), history=history), path, overwrite=overwrite)

    def export_suspects(
        self,
        path: str | Path,
        file_format: str | None = None,
        *,
        root: str | Path | None = None,
        prefix: str | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Writes all suspects to a file, decided or not: a table, or what an annotation tool imports.

        - ``"csv"``: a table with the given and the suggested label, quality, case and decision of each suspect
        - ``"cvat"``: annotations in the format "CVAT 1.1", for a task with these images: each has its class as a tag,
          the decided one, else the suggested one
        - ``"label-studio"``: tasks of Label Studio with the suggestion as a prediction, and the decision, if there is
          one, as an annotation
        - ``"label-studio-interface"``: the labeling interface that those tasks need, to paste into the project's
          settings

        Args:
            path: the file, in a folder that exists
            file_format: one of these; None takes ``"csv"``, ``"cvat"`` or ``"label-studio"`` by the file's ending:
                ``.csv``, ``.xml`` or ``.json``
            root: folder that the tool's names of images are relative to; None takes the deepest one that holds the
                images of all suspects
            prefix: what the names begin with; None takes ``"/data/local-files/?d="`` for Label Studio, which serves
                local files under that, and nothing for CVAT
            overwrite: replace an existing file

        Returns:
            the file

        Raises:
            ConfigError: if an argument is wrong or the file can't be written; no partial file is left
        """
        name = check_format(ENDINGS.get(Path(path).suffix.lower()) if file_format is None else file_format)
        return write_text(self.suspects_text(name, root=root, prefix=prefix), path, overwrite=overwrite)

    def suspects_text(self, file_format: str, *, root: str | Path | None = None, prefix: str | None = None) -> str:
        """Returns the contents of a file of :meth:`export_suspects`."""
        return FORMATS[check_format(file_format)](self.suspect_file(root=root, prefix=prefix))

    def suspect_file(self, *, root: str | Path | None = None, prefix: str | None = None) -> SuspectFile:
        """Returns what every file of :meth:`export_suspects` is made of, read once."""
        rows = read_suspects(self._dataset(), self.places)
        folder = common_folder(rows) if root is None else Path(root).expanduser().absolute()
        classes = self.run.config.classes
        return SuspectFile(run_key=self.run.key, rows=rows, classes=classes, root=folder, prefix=prefix)

    def save_views(self) -> list[str]:
        """Saves views of the suspects, misleading crops, disagreements and decisions; they follow the decisions.

        Returns:
            their names, without those of views that a user has saved under such a name, which are left
        """
        own = self.run.results.get("views") or []
        names = write_views(self.run.dataset, self.run.key, self._views(), own)
        if names != own:
            update_record(self.run, views=names)
        return names

    def _views(self) -> dict[str, Any]:
        from fiftyone import ViewField

        samples = self._samples()
        labels = [f"{method_field(self.run.key, name)}.label" for name in self.report.get("methods") or ()]
        labels = [path for path in labels if self.run.dataset.has_field(path)]
        size, decided = triage_field(self.run.key, MISLEADING), f"{self.places.decision}.action"
        views = {"suspected label errors": self.suspect_samples()}
        if self.run.dataset.has_field(size):
            views["misleading crops"] = samples.exists(size).sort_by(size)
        if len(labels) > 1:
            first, *others = (ViewField(path) for path in labels)
            differs = first != others[0]
            for other in others[1:]:
                differs |= first != other
            views["methods disagree"] = samples.exists(labels[0]).match(differs)
        views["decided"] = samples.exists(decided).sort_by(f"{self.places.decision}.at", reverse=True)
        return views

    def _samples(self) -> Any:
        return image_samples(self._dataset())

    def _dataset(self) -> fo.Dataset:
        """Returns the dataset as it is now; raises LgcaError if the run was deleted, rescored or started again."""
        check_loaded(self.run)
        return self.run.dataset

    def __str__(self) -> str:
        left = self.left()
        return triage_text(self.run.key, self.report, left, count_decided(self.run.dataset, self.places))

    def __repr__(self) -> str:
        return f"<Triage of run {self.run.key!r} on {self.run.dataset.name!r}>"
