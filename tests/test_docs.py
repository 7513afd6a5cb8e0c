"""The user's guides say what the code does."""

import ast
import re
from textwrap import dedent

import pytest

from lgca_plugin.fiftyone_io.fields import COMPUTED, DECISION, triage_field
from lgca_plugin.method.labels.triage_cases import WITH_LABEL, WITHOUT_LABEL, Case
from lgca_plugin.runs.saved_views import VIEWS, view_name
from lgca_plugin.workflows.decisions.decisions import Decision
from scripts.pictures import SCREENSHOTS
from tests.helpers.paths import ROOT

GUIDE = ROOT / "docs" / "triage.md"
TEXT = GUIDE.read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


def test_guide__has_every_case_once_with_its_meaning_in_the_half_it_belongs_to():
    names = {case.value for case in Case}
    start = next(i for i, row in enumerate(ROWS) if row[0] == "**with a label**")
    middle = next(i for i, row in enumerate(ROWS) if row[0] == "**without a label**")
    for cases, rows in ((WITH_LABEL, ROWS[start + 1 : middle]), (WITHOUT_LABEL, ROWS[middle + 1 :])):
        assert rows[: len(cases)] == [[f"`{case.value}`", case.meaning] for case in cases]
    assert sum(row[0].strip("`") in names for row in ROWS) == len(names)


def test_guide__has_every_decision_with_its_explanation_and_tag():
    for decision in Decision:
        rows = [row[1:4] for row in ROWS if row[0] == f"`{decision.value}`"]
        assert rows == [[decision.word, decision.explanation, f"`{decision.tag}`"]]


def test_guide__names_every_field_and_saved_view():
    listed = " ".join(row[0] for row in ROWS)
    for name in (*COMPUTED, DECISION):
        assert f"`{triage_field('zeroshot', name)}`" in listed
    for kind in VIEWS:
        assert f"`{view_name('zeroshot', kind)}`" in TEXT


PAGES = {path: path.read_text(encoding="utf-8") for path in sorted(GUIDE.parent.glob("**/*.md"))}
LINKS = [(page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)]


@pytest.mark.parametrize(("guide", "target"), LINKS, ids=lambda value: getattr(value, "name", value))
def test_guides__links_lead_somewhere(guide, target):
    if target.startswith("https://"):
        return
    path, _, heading = target.partition("#")
    file = guide.parent / path if path else guide
    assert file.exists()
    if heading:
        lines = file.read_text(encoding="utf-8").splitlines()
        titles = [line.lstrip("# ").lower() for line in lines if line.startswith("#")]
        names = [line.removeprefix("::: ") for line in lines if line.startswith("::: ")]  # of the Python reference
        assert heading in [*names, *(re.sub(r"[^\w\s-]", "", title).replace(" ", "-") for title in titles)]


def test_pictures__each_is_in_a_guide_and_comes_from_a_screenshot_that_a_browser_test_takes():
    guides = " ".join([(ROOT / "README.md").read_text(encoding="utf-8"), *PAGES.values()])
    tests = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("**/browser/**/*.py"))
    taken = set(re.findall(r'screenshot\("(\w+)"\)', tests))
    taken |= {f"review_{name}" for name in re.findall(r'picture\("(\w+)"\)', tests)}
    taken |= {f"evidence_{name}" for name in re.findall(r'picture\("(\w+)"\)', tests)}
    assert {name for name in SCREENSHOTS if f"images/{name}.png" not in guides} == set()
    assert {name for name in SCREENSHOTS.values() if name not in taken} == set()
    assert {path.stem for path in (GUIDE.parent / "images").glob("*.png") if path.name not in guides} == set()


def test_snippets__are_python():
    snippets = [
        (path, dedent(snippet))
        for path, text in PAGES.items()
        for snippet in re.findall(r"^ *```python\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    ]
    assert len(snippets) > 60
    for path, snippet in snippets:
        compile(snippet, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


# ---------------------------------------------------------------------------------------------------- troubleshooting

GAP = "\u2026"
QUOTED = [
    message
    for line in PAGES[GUIDE.parent / "troubleshooting.md"].splitlines()
    if line.startswith("| \u201c")
    for message in re.findall("\u201c(.+?)\u201d", line.split(" | ")[0])
]
"""What the page on messages quotes, with a gap for what differs from case to case."""


def texts_of(tree: ast.AST) -> list[str]:
    """Returns the literal texts of a module, with a gap for each value that is put into them."""
    values = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    texts = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts.append("".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in values:
            texts.append(node.value)
    return texts


def test_messages__that_are_explained_are_those_of_the_code():
    files = [path for room in ("lgca_plugin", "operators") for path in (ROOT / room).glob("**/*.py")]
    texts = [text for path in files for text in texts_of(ast.parse(path.read_text(encoding="utf-8")))]
    assert len(QUOTED) == len(set(QUOTED)) > 40
    for message in QUOTED:
        parts = [part.strip(" ;:,") for part in message.split(GAP)]
        assert sum(map(len, parts)) > 14, message
        pattern = re.compile(".*".join(map(re.escape, parts)), re.DOTALL)
        assert any(pattern.search(text) for text in texts), message


PROMISES = re.findall(
    r"^\| (?!promise|---)(.+) \| (.+) \|$", (GUIDE.parent / "reliability.md").read_text("utf-8"), re.MULTILINE
)


def test_promises__each_is_made_once_and_names_tests_that_are_there():
    assert len(PROMISES) == len({promise for promise, _ in PROMISES}) > 30
    for promise, tests in PROMISES:
        assert tests.split(", ") == [f"`{path}`" for path in re.findall(r"`(tests/[\w/.]+)`", tests)], promise
        assert [path for path in re.findall(r"`([\w/.]+)`", tests) if not (ROOT / path).exists()] == []


# ---------------------------------------------------------------------------------------------------- CONTRIBUTING.md

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PLACES = [  # "`file.py`: `name`, `name`" and "`name` (`file.py`)"
    *(
        (file, name)
        for file, names in re.findall(r"`([\w/]+\.py)`:((?:[\s,]*`\w+`)+)", CONTRIBUTING)
        for name in re.findall(r"`(\w+)`", names)
    ),
    *((file, name) for name, file in re.findall(r"`(\w+)`\s+\(`([\w/]+\.py)`\)", CONTRIBUTING)),
]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:lgca_plugin|operators|tests)/[\w./]*)`", CONTRIBUTING))))
def test_map__names_files_and_folders_that_are_there(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_walks__name_what_is_defined_where_they_say(file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    assert name in defined


def test_map__has_every_room():
    rooms = {path.name for path in (ROOT / "lgca_plugin").iterdir() if path.is_dir() and not path.name.startswith("_")}
    assert {name for name in rooms if f"`lgca_plugin/{name}/`" not in CONTRIBUTING} == set()
