"""What becomes of the texts of a language model: they are saved on the dataset and shown in the dialog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fiftyone.operators import types

from ...lgca_plugin.descriptions.describe import Described
from ...lgca_plugin.descriptions.names import name_key
from ..shared.caller import is_own
from ..shared.descriptions import SAVED_KEY, saved_descriptions
from ..shared.form import Params
from ..shared.plain_text import PlainProperty
from ..shared.results.result import Result, result
from ..shared.server_files import download, write_export
from .form import plural

MAX_SHOWN = 200  # classes in the dialog; all are saved on the dataset
MAX_INFO_BYTES = 8 * 1024**2  # MongoDB holds 16 MB in a dataset's document, which has other contents too


def save(dataset: Any, descriptions: dict[str, tuple[str, ...]]) -> str | None:
    """Saves descriptions on the dataset, beside those of other classes; returns why they could not be, if so."""
    dataset.reload()
    new = {name_key(name): name for name in descriptions}  # of two spellings of one class, one is saved
    saved = saved_descriptions(dataset)
    merged = {name: texts for name, texts in saved.items() if name_key(name) not in new}
    merged.update({name: list(texts) for name, texts in descriptions.items() if name in new.values()})
    if len(json.dumps(merged).encode()) > MAX_INFO_BYTES:
        return f"More than {MAX_INFO_BYTES // 1024**2} MB are too much to save on a dataset: save them to a file."
    if merged:
        dataset.info[SAVED_KEY] = merged
        dataset.save()
    return None


def save_file(params: Params, name: str, described: Described) -> Path:
    """Writes the texts to a JSON file and returns it: from code anywhere, from the App in the folder for exports."""
    if is_own(params):
        return described.save(name)
    return write_export(name, ".json", json_text(described), overwrite=bool(params.get("replace_file")))


def json_text(described: Described) -> str:
    """Returns the texts as the contents of a JSON file."""
    return f"{json.dumps(described.descriptions, ensure_ascii=False, indent=2)}\n"


@dataclass(frozen=True)
class Outcome:
    """The texts, those of ``n_saved`` classes that were saved before included, and the failures.

    ``problem`` is why the texts could not be saved on the dataset, if so, and ``path`` a file with them, if any.
    """

    described: Described
    n_saved: int
    problem: str | None
    path: Path | None


def outcome_line(outcome: Outcome) -> str:
    """Returns the outcome in one line."""
    described, n_saved = outcome.described, outcome.n_saved
    new = len(described.descriptions) - n_saved
    parts = [f"{new:,} {plural(new)} described"]
    if described.cached:
        parts.append(f"{described.cached:,} of them from the cache")
    if n_saved:
        parts.append(f"{n_saved:,} left as they were")
    if described.failed:
        parts.append(f"{len(described.failed):,} without an answer")
    return ", ".join(parts)


def outcome_result(outcome: Outcome) -> Result:
    """Returns the result of a description of classes; the texts themselves are on the dataset."""
    described = outcome.described
    counts = {
        "described": len(described.descriptions) - outcome.n_saved,
        "from the cache": described.cached,
        "left as they were": outcome.n_saved,
        "without an answer": len(described.failed),
    }
    failures = [f"{name} gets templates: {reason}" for name, reason in described.failed.items()]
    return result(
        outcome_line(outcome),
        counts=counts,
        warnings=[*failures[:MAX_SHOWN], *([outcome.problem] if outcome.problem else [])],
        steps=[("Classify with them", "lgca_classify", {"description_source": "saved"})],
        read=None if outcome.problem else f"dataset.info[{SAVED_KEY!r}]",
        file=None if outcome.path is None else str(outcome.path),
    )


def show(ctx: Any, outcome: Outcome) -> Iterator[Any]:
    """Shows the texts as JSON that can be copied, the failures, and where the texts are saved."""
    described, problem = outcome.described, outcome.problem
    line = outcome_line(outcome)
    yield ctx.ops.notify(line, variant="warning" if described.failed or problem else "success")
    outputs = types.Object()
    kind = types.Success if described.descriptions else types.Warning
    outputs.view("heading", kind(label=line))
    failures = "; ".join(f"{name}: {reason}" for name, reason in list(described.failed.items())[:MAX_SHOWN])
    if failures:
        outputs.view("failed", types.Warning(label="These classes get templates", description=failures))
    if problem:
        outputs.view("problem", types.Warning(label=problem))
    if not described.descriptions:
        yield ctx.ops.show_output(outputs=PlainProperty(outputs).to_json(), results={})
        return
    if ctx.params.get("download"):
        yield download(ctx, json_text(described), "descriptions.json", "application/json")
    shown = dict(list(described.descriptions.items())[:MAX_SHOWN])
    # The text field of a result is disabled, and some browsers do not copy from it
    results = {"descriptions": f"```json\n{json.dumps(shown, indent=2, ensure_ascii=False)}\n```"}
    of = f" (the first {len(shown)} classes)" if len(shown) < len(described.descriptions) else ""
    outputs.str("kept", label="Saved in", view=types.LabelValueView())
    outputs.str("descriptions", label=f"Descriptions{of}", view=types.MarkdownView())
    places = [] if problem else [f'dataset.info["{SAVED_KEY}"], to edit and to classify with']
    results["kept"] = " and ".join([*places, *([str(outcome.path)] if outcome.path else [])]) or "the cache only"
    yield ctx.ops.show_output(outputs=PlainProperty(outputs).to_json(), results=results)
