"""The house: imports point down the list of rooms and run in no circle, wherever in a file they stand."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import lgca_plugin
from tests.helpers.paths import ROOT

ROOMS = (
    "operators",
    "lgca_plugin.__main__",
    "lgca_plugin.demo",
    "lgca_plugin.cli",
    "lgca_plugin",
    "lgca_plugin.api",
    "lgca_plugin.api_predictions",
    "lgca_plugin.api_job",
    "lgca_plugin.run",
    "lgca_plugin.run_tuning",
    "lgca_plugin.run_search",
    "lgca_plugin.run_figures",
    "lgca_plugin.workflows",
    "lgca_plugin.runs",
    "lgca_plugin.fiftyone_io",
    "lgca_plugin.devices",
    "lgca_plugin.job",
    "lgca_plugin.prediction",
    "lgca_plugin.fusion",
    "lgca_plugin.store",
    "lgca_plugin.engine",
    "lgca_plugin.descriptions",
    "lgca_plugin.encoder",
    "lgca_plugin.images",
    "lgca_plugin.figures",
    "lgca_plugin.config",
    "lgca_plugin.method",
    "lgca_plugin.progress",
    "lgca_plugin.cache",
    "lgca_plugin.cores",
    "lgca_plugin.own_process",
    "lgca_plugin.errors",
    "lgca_plugin.version",
)
"""From the App down to what knows nothing: a module imports from its own room and from those below it."""

BETWEEN_WORKFLOWS = {
    ("triage", "decisions"),
    ("overview", "decisions"),
    ("evidence", "decisions"),
    ("review", "decisions"),
    ("review", "evidence"),
    ("rescore", "classify"),
    ("fuse", "classify"),
    ("fuse", "rescore"),
    ("report", "decisions"),
    ("report", "evidence"),
    ("report", "overview"),
    ("report", "review"),
    ("job", "classify"),
    ("find", "classify"),
    ("find", "triage"),
    ("find", "rescore"),
    ("find", "decisions"),
}
"""Which use case may import which other one."""

BETWEEN_OPERATORS = {("panels", "decisions"), ("menu", "panels")}
"""Which family of operators may import which other one; each may import ``operators.shared``."""

DATABASE = "lgca_plugin/fiftyone_io/database.py"
"""The only file with private names of FiftyOne."""

PRIVATE_ATTRIBUTES = {"_sample_collection", "_sample_collection_name", "_doc", "_dataset", "_root_dataset", "_pipeline"}
PUBLIC_INNER = {
    "fiftyone.core.utils",
    "fiftyone.core.metadata",
    "fiftyone.core.models",
}  # documented, with public functions


def modules(root: Path) -> dict[str, Path]:
    """The modules of the library and of the operators, by their names."""
    found = {}
    for path in (file for top in ("lgca_plugin", "operators") for file in (root / top).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules that a module imports, wherever in its file."""
    package = ["checkout", *name.split(".")]
    if path.name != "__init__.py":
        package.pop()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = package[1 : len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                target = f"{source}.{alias.name}" if f"{source}.{alias.name}" in known else source
                if target in known and target != name:
                    yield target


def graph(root: Path) -> dict[str, set[str]]:
    """Module to the modules that it imports."""
    known = modules(root)
    return {name: set(imports(name, path, known)) for name, path in known.items()}


def room(module: str) -> str:
    """The room that a module is in: the longest name of a room that the module's own begins with."""
    if "." not in module:
        return module
    return max((name for name in ROOMS if module == name or module.startswith(f"{name}.")), key=len)


def private_fiftyone(path: Path) -> list[str]:
    """The uses of FiftyOne's private parts in a file that its imports and strings show."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append(str(node.module))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [node.value] if node.value in PRIVATE_ATTRIBUTES else []
    inner = ("fiftyone.core.", "fiftyone.server.")
    return [
        name for name in found if name in PRIVATE_ATTRIBUTES or (name.startswith(inner) and name not in PUBLIC_INNER)
    ]


def upward(found: dict[str, set[str]]) -> list[tuple[str, str]]:
    """The imports that point up."""
    return [(a, b) for a, targets in found.items() for b in targets if ROOMS.index(room(b)) < ROOMS.index(room(a))]


def circle(found: dict[str, set[str]]) -> list[str]:
    """A circle of imports; empty where there is none."""
    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def between_operators(found: dict[str, set[str]]) -> set[tuple[str, str]]:
    """The imports between families of operators, but for those of what they share."""
    pairs = {(a, b) for a, targets in found.items() for b in targets if a.startswith("operators.")}
    families = {(a.split(".")[1], b.split(".")[1]) for a, b in pairs if b.startswith("operators.")}
    return {(a, b) for a, b in families if b not in (a, "shared")}


@pytest.fixture(scope="module")
def found() -> dict[str, set[str]]:
    return graph(ROOT)


def test_rooms__every_module_is_in_one(found):
    stray = [name for name in found if "." in name and room(name) == "lgca_plugin"]
    assert stray == []


def test_imports__point_down(found):
    assert upward(found) == []


def test_imports__run_in_no_circle(found):
    assert circle(found) == []


def test_imports__between_workflows_are_those_listed(found):
    pairs = {
        (a.split(".")[2], b.split(".")[2])
        for a, targets in found.items()
        for b in targets
        if a.startswith("lgca_plugin.workflows.") and b.startswith("lgca_plugin.workflows.")
    }
    assert {(a, b) for a, b in pairs if a != b} <= BETWEEN_WORKFLOWS


def test_imports__between_operators_are_those_of_what_they_share(found):
    assert between_operators(found) <= BETWEEN_OPERATORS


def test_private_names__of_fiftyone_stand_in_one_file_and_those_of_the_encoder_in_another():
    """``ruff`` finds private names; only these files may switch that off."""
    files = {path.relative_to(ROOT).as_posix(): path for path in modules(ROOT).values()}
    allowed = {name for name, path in files.items() if "SLF001" in path.read_text()}
    encoder = {name for name in allowed if name.startswith("lgca_plugin/encoder/")}
    assert allowed - encoder == {DATABASE}
    assert len(encoder) <= 1
    inner = {name: found for name, path in files.items() if (found := private_fiftyone(path))}
    assert set(inner) == {DATABASE}, inner


def tracked() -> list[Path]:
    """The Python files of the checkout, without hidden folders."""
    files = (
        path for path in ROOT.rglob("*.py") if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )
    return [path for path in files if "build" not in path.parts]


def test_files__are_no_longer_than_a_sitting():
    assert [str(path.relative_to(ROOT)) for path in tracked() if len(path.read_text().splitlines()) > 330] == []


def test_folders__hold_fifteen_files_at_most():
    """The demo's drawings are many small files."""
    counts = Counter(path.parent.relative_to(ROOT) for path in tracked())
    assert {str(folder) for folder, count in counts.items() if count > 15} <= {"lgca_plugin/demo"}


def test_package__has_no_module_called_like_a_public_function():
    """``import lgca_plugin.classify`` would replace the function by the module."""
    names = {path.stem for path in (ROOT / "lgca_plugin").iterdir()}
    public = {name for name in lgca_plugin.__all__ if name.islower()}
    assert public & names == set()


@pytest.fixture
def house(tmp_path):
    """Writes a small checkout and gives its imports."""

    def build(**files: str) -> dict[str, set[str]]:
        defaults = {"method__scores": "", "store__store": "", "runs__record": ""}
        folders = defaultdict(set)
        for name, text in {**defaults, **files}.items():
            path = tmp_path / "lgca_plugin" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            folders[path.parent].add(path)
        for folder in (*folders, tmp_path / "lgca_plugin"):
            (folder / "__init__.py").touch()
        return graph(tmp_path)

    return build


UP = ("lgca_plugin.method.scores", "lgca_plugin.store.store")


@pytest.mark.parametrize(
    "line",
    [
        "from ..store.store import Store",
        "from ..store import store",
        "from lgca_plugin.store.store import Store",
        "import lgca_plugin.store.store",
        "def f():\n    from ..store.store import Store",
        "if TYPE_CHECKING:\n    from ..store.store import Store",
    ],
)
def test_upward__an_import_of_the_store_by_the_method_is_found(house, line):
    assert upward(house(method__scores=line)) == [UP]


def test_upward__an_import_that_points_down_is_none(house):
    assert upward(house(store__store="from ..method.scores import Method")) == []


def test_circle__is_found(house):
    files = {
        "runs__a": "from .b import x",
        "runs__b": "def f():\n    from .record import y",
        "runs__record": "from . import a",
    }
    assert set(circle(house(**files))) == {"lgca_plugin.runs.a", "lgca_plugin.runs.b", "lgca_plugin.runs.record"}


def test_between_operators__families_and_the_shared_folder_are_distinguished():
    found = {
        "operators": {"operators.triage.operator"},
        "operators.triage.form": {"operators.shared.form", "operators.triage.operator", "lgca_plugin.api"},
        "operators.shared.form": {"operators.rescore.source"},
        "operators.delete_run": {"operators.triage.form"},
    }
    assert between_operators(found) == {("shared", "rescore"), ("delete_run", "triage")}
