"""What a report says: the answer, suspects with pictures and reasons, changes, accuracies and misleading crops."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from ...fiftyone_io.thumbnails import marked_uri, thumbnail_uri
from ...method.core.methods import method_description, method_title
from ...method.labels.left_out import visible
from ...method.number_text import samples_text
from ...progress import Progress
from ...version import __version__
from ..decisions.decisions import Decision, decision_word
from ..decisions.queue import Triage
from ..decisions.rows import read_rows
from ..decisions.summary_text import answer_text
from ..decisions.suspect_rows import read_suspects
from ..evidence.sample_record import read_sample_record
from ..overview.overview import overview
from ..review.examples import class_examples
from ..review.why import why_suspected
from .cases import CropCase, crop_cases
from .figures import Accuracy, Bar, accuracies, agreement_bars

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from ...runs.record import RunRecord
    from ..decisions.rows import DecisionRow
    from ..decisions.suspect_rows import SuspectRow

PICTURE_SIDE, EXAMPLE_SIDE = 300, 96
"""Longer sides of the pictures of suspects and of examples, in pixels."""
MAX_CLASSES = 60
"""Maximum number of classes whose examples are shown."""


@dataclass(frozen=True, kw_only=True)
class SuspectCard:
    """A suspect as the page shows it.

    Attributes:
        picture: data URI of the image, the deciding region framed if it is a part of it; None if the file can't be read
        file: name of the image file
        sure: how sure the suggestion is, in words; None if it is unknown
        reason: why the label is suspected, and what is framed
        status: what was decided, and by whom; None while nothing is
    """

    row: SuspectRow
    picture: str | None
    file: str
    sure: str | None
    reason: str
    status: str | None


@dataclass(frozen=True, kw_only=True)
class ClassPictures:
    """What a class looks like: data URIs of samples whose label nobody doubts."""

    label: str
    pictures: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Curator:
    """What one person has decided."""

    name: str
    decisions: int
    changed: int
    last: datetime


@dataclass(frozen=True, kw_only=True)
class ReportContent:
    """The contents of a page.

    Attributes:
        title: heading of the page
        answer: what was found, a sentence; None where no labels were checked
        facts: what was asked and how, name to text
        classes: the run's classes
        reviewed: how far the review is, a sentence; None without suspects
        suspects: the first suspects
        total: number of all suspects
        examples: what the classes of these suspects look like
        changes: given label, accepted class and number of samples, the largest number first
        curators: who has decided, the most decisions first
        agreement: how often the compared methods agree
        accuracies: how often each method is right, by label field
        cases: the misleading-crop cases
        all_cases: number of all of them
        warnings: what the run and its triage have warned of
        made: when and by which version the page was made
    """

    title: str
    answer: str | None
    facts: dict[str, str]
    classes: tuple[str, ...]
    reviewed: str | None
    suspects: tuple[SuspectCard, ...]
    total: int
    examples: tuple[ClassPictures, ...]
    changes: tuple[tuple[str, str, int], ...]
    curators: tuple[Curator, ...]
    agreement: tuple[Bar, ...]
    accuracies: tuple[Accuracy, ...]
    cases: tuple[CropCase, ...]
    all_cases: int
    warnings: tuple[str, ...]
    made: str


def report_content(run: RunRecord, *, max_suspects: int, max_cases: int) -> Generator[Progress, None, ReportContent]:
    """Returns the contents of a run's page as it is now; yields progress.

    Args:
        run: a run, triaged or not
        max_suspects: maximum number of suspects with a picture
        max_cases: maximum number of misleading-crop cases
    """
    found = run.results.get("triage") or {}
    triage = Triage.of(run) if found else None
    given = found.get("ground_truth") or run.config.ground_truth
    given = given if given and run.dataset.has_field(given) else None
    of = overview(run, ground_truth=given)
    rows = [] if triage is None else read_suspects(run.dataset, triage.places)
    shown, cases = rows[:max_suspects], of.misleading.tolist()[:max_cases]
    labels = list(dict.fromkeys(label for row in shown for label in (row.given, row.suggested) if label))[:MAX_CLASSES]
    total = len(shown) + len(labels) + len(cases)
    cards: list[SuspectCard] = []
    for row in shown:
        yield Progress(len(cards), total, f"Suspects: {len(cards):,} of {len(shown):,}")
        cards.append(_card(run, row))
    examples: list[ClassPictures] = []
    for label in labels:
        yield Progress(len(cards) + len(examples), total, f"Examples of {len(examples):,} of {len(labels):,} classes")
        examples.append(_examples(run, label))
    done = len(cards) + len(labels)
    crops = []
    for case in crop_cases(run, of, cases):
        crops.append(case)
        yield Progress(done + len(crops), total, f"Misleading crops: {len(crops):,} of {len(cases):,}")
    yield Progress(total, total, "All pictures are made")
    decisions = [] if triage is None else read_rows(run.dataset, triage.places, history=False)
    left = {} if triage is None else triage.left()
    return ReportContent(
        title=run.dataset.name,
        answer=None if triage is None or not found.get("ground_truth") else f"{answer_text(found, left)}.",
        facts=_facts(run, found, of.total),
        classes=run.config.classes,
        reviewed=_reviewed(rows) if rows else None,
        suspects=tuple(cards),
        total=len(rows),
        examples=tuple(one for one in examples if one.pictures),
        changes=_changes(decisions),
        curators=_curators(decisions),
        agreement=agreement_bars(of),
        accuracies=accuracies(run, of, None if triage is None else triage.places.corrected),
        cases=tuple(crops),
        all_cases=len(of.misleading),
        warnings=tuple(dict.fromkeys([*run.results.get("warnings", ()), *found.get("warnings", ())])),
        made=f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC, fiftyone-lgca {__version__}",
    )


def _card(run: RunRecord, row: SuspectRow) -> SuspectCard:
    record = read_sample_record(run, row.sample_id)
    why = why_suspected(run, record)
    region = why.region.box if why.region is not None and why.region.is_part else None
    return SuspectCard(
        row=row,
        picture=marked_uri(row.filepath, box=region, side=PICTURE_SIDE, around=record.around),
        file=PurePath(row.filepath).name,
        sure=None if row.confidence is None else f"{row.confidence:.0%} sure",
        reason=f"{why.reason} {why.marked}".strip(),
        status=_status(row),
    )


def _status(row: SuspectRow) -> str | None:
    if row.decision is None:
        return None
    what = decision_word(row.decision, row.corrected, row.given)
    if row.changed:
        what = f"changed to “{row.corrected}”"
    when = "" if row.at is None else f", {row.at:%Y-%m-%d}"
    return f"{what} by {row.by or 'somebody'}{when}"


def _examples(run: RunRecord, label: str) -> ClassPictures:
    examples = class_examples(run, label)
    uris = (thumbnail_uri(one.filepath, side=EXAMPLE_SIDE, around=one.around) for one in examples)
    return ClassPictures(label=label, pictures=tuple(uri for uri in uris if uri is not None))


def _reviewed(rows: Sequence[SuspectRow]) -> str:
    decided = [row for row in rows if row.decision is not None]
    if not decided:
        return "Nobody has decided about them yet."
    changed = sum(row.changed for row in decided)
    kept = sum(row.label == row.given for row in decided)
    return (
        f"{len(decided):,} of {len(rows):,} are reviewed: {changed:,} labels were changed, {kept:,} kept, "
        f"{len(decided) - changed - kept:,} are bad images or can't be told."
    )


def _changes(decisions: Sequence[DecisionRow]) -> tuple[tuple[str, str, int], ...]:
    counts: dict[tuple[str, str], int] = {}
    for row in decisions:
        if row.decision is Decision.ACCEPTED and row.corrected and row.corrected != row.given:
            pair = (row.given or "none", row.corrected)
            counts[pair] = counts.get(pair, 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple((visible(given), visible(corrected), count) for (given, corrected), count in ranked)


def _curators(decisions: Sequence[DecisionRow]) -> tuple[Curator, ...]:
    by: dict[str, list[DecisionRow]] = {}
    for row in decisions:
        by.setdefault(row.by, []).append(row)
    people = (
        Curator(
            name=name,
            decisions=len(rows),
            changed=sum(row.decision is Decision.ACCEPTED and row.corrected != row.given for row in rows),
            last=max(row.at for row in rows),
        )
        for name, rows in by.items()
    )
    return tuple(sorted(people, key=lambda one: (-one.decisions, one.name)))


def _facts(run: RunRecord, found: dict[str, Any], images: int) -> dict[str, str]:
    """Returns what was asked and how: name to text."""
    config = run.config
    methods = [
        f"{method_title(one.name)} ({text})" if (text := method_description(one.name)) else one.name
        for one in config.methods
    ]
    facts = {
        "Question": f"Which labels in “{found['ground_truth']}” are wrong?" if found.get("ground_truth") else "",
        "Dataset": f"{run.dataset.name}: {samples_text(images)}",
        "Model": config.encoder,
        "Methods": "; ".join(methods),
        "Labels judged by": ", ".join(method_title(name) for name in found.get("judging") or ()),
        "Run": run.key,
        "Checked": str(found.get("at") or "").replace("T", " ").replace("+00:00", " UTC"),
        "Corrected labels": str(found.get("corrected_field") or "") if found.get("ground_truth") else "",
    }
    return {name: text for name, text in facts.items() if text}
