"""Writes the pages of ``docs/reference`` from the code, for ``make reference``; a test compares them.

Importing the operators takes FiftyOne, and so a database: ``scripts/mongod.py`` starts one.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import lgca_plugin as lgca
from lgca_plugin import _HOMES
from lgca_plugin.config import RegionConfig
from lgca_plugin.config.regions import BUDGETS
from lgca_plugin.method.core.methods import METHOD_TABLE

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/reference.py; change the code instead. -->\n"

GROUPS = {
    "Find wrong labels, classify, fuse": ("find_wrong_labels", "classify", "triage", "fuse", "describe_classes"),
    "Runs": ("Run", "RunState", "load_run", "list_runs", "runs_at_work", "cancel_run", "delete_run"),
    "Jobs": ("prepare_job", "run_job", "job_state", "JobState", "collect_job"),
    "Triage and decisions": ("Triage", "Decision", "Case"),
    "Results": ("Evaluation", "Evidence", "SweepReport", "Described", "Progress"),
    "Models and settings": ("load_encoder", "load_model", "Encoder", "OpenClipEncoder", "Method", "RegionConfig"),
    "The store of embeddings": ("store_info", "clean_store", "StoreInfo"),
    "Errors": tuple(name for name in sorted(_HOMES) if name.endswith("Error")),
}
"""Heading to public names, in the order of the page; other names come last."""


def pages() -> dict[str, str]:
    """Returns file name to the text of each page."""
    return {"python.md": python_page(), "operators.md": operators_page(), "methods.md": methods_page()}


def python_page() -> str:
    """Returns the page of the public names, whose texts are their docstrings."""
    known = [name for name in lgca.__all__ if name in _HOMES]
    grouped = {title: [name for name in names if name in known] for title, names in GROUPS.items()}
    placed = {name for names in grouped.values() for name in names}
    if rest := [name for name in known if name not in placed]:
        grouped["More"] = rest
    lines = [NOTE, "# Python", "", "Everything here is a name of `import lgca_plugin as lgca`.", ""]
    for title, names in grouped.items():
        lines += [f"## {title}", ""]
        for name in names:
            home = f"lgca_plugin.{_HOMES[name]}"
            lines += [f"::: {home}.{name}", ""]
    return "\n".join(lines)


def operators_page() -> str:
    """Returns the page of the operators: what each does, and its parameters as code passes them."""
    lines = [
        NOTE,
        "# Operators",
        "",
        "In the App they are in the menu *Wrong labels* and in the operator browser (backquote key). From code:",
        "`foo.get_operator(uri)(dataset, ...)` with the parameters below, which mean what those of the",
        "[library's functions](python.md) mean. `foo.execute_operator` and assistants take the fields of the form",
        "instead: [results that programs read](../howto/results.md).",
        "Panels are opened from the `+` beside the tab *Samples*.",
        "",
    ]
    plugin = load_plugin()
    for made in (one() for one in (*plugin.operators.OPERATORS, *plugin.operators.PANELS)):
        config = made.config
        if getattr(config, "unlisted", False):
            continue
        lines += [f"## {config.label}", "", f"`@lgca/zero-shot/{config.name}`", ""]
        if config.description if hasattr(config, "description") else None:
            lines += [f"{config.description}.", ""]
        if getattr(config, "allow_delegated_execution", False):
            lines += ["Can be delegated to a worker.", ""]
        lines += _parameters(made)
    return "\n".join(lines)


def _parameters(operator: Any) -> list[str]:
    call = type(operator).__dict__.get("__call__")
    if call is None:
        return []
    rows = [
        f"| `{one.name}` | {'required' if one.default is one.empty else f'`{one.default!r}`'} |"
        for one in list(inspect.signature(call).parameters.values())[2:]
    ]
    return ["| parameter | default |", "| --- | --- |", *rows, ""] if rows else []


def methods_page() -> str:
    """Returns the page of the methods, their settings, the settings of regions, and the budgets."""
    lines = [NOTE, "# Methods and settings", "", "## Methods", "", "| name | title | what it looks at | kind |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {entry.title} | {entry.description.replace('|', '/')} | {entry.role} |"
        for name, entry in METHOD_TABLE.items()
    ]
    presets = [entry.preset for entry in METHOD_TABLE.values()]
    names = [one.name for one in fields(presets[0]) if one.name != "name"]
    lines += ["", "## Their settings", "", f"| name | {' | '.join(f'`{name}`' for name in names)} |"]
    lines += [f"| --- |{' --- |' * len(names)}"]
    for preset in presets:
        values = " | ".join(_shown(getattr(preset, name)) for name in names)
        lines += [f"| `{preset.name}` | {values} |"]
    lines += ["", "What each setting means: [`Method`](python.md#lgca_plugin.method.core.methods.Method).", ""]
    lines += ["## Regions", "", "| setting | default |", "| --- | --- |"]
    lines += [f"| `{one.name}` | {_shown(getattr(RegionConfig(), one.name))} |" for one in fields(RegionConfig)]
    lines += ["", "What each means: [`RegionConfig`](python.md#lgca_plugin.config.RegionConfig).", ""]
    lines += [
        "## Budgets",
        "",
        ", ".join(f"`{name}`" for name in BUDGETS) + ": [speed](../speed.md#adaptive-budget).",
        "",
    ]
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def load_plugin() -> ModuleType:
    """Returns the plugin as FiftyOne loads it: the checkout as a package."""
    name = "lgca_reference_plugin"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py")
        assert spec is not None and spec.loader is not None  # noqa: S101 (the file is there)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        importlib.import_module(f"{name}.operators")
    return sys.modules[name]


def main() -> None:
    """Writes the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
