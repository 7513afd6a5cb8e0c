"""The pages of ``docs/reference`` are those of the code, and every public name is documented on one of them."""

import inspect

import pytest
import yaml

import lgca_plugin as lgca
from scripts.docs_hooks import on_page_content
from scripts.reference import FOLDER, operators_page, pages
from tests.helpers.paths import ROOT

PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_page__is_what_the_code_says(name):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run: make reference"


def test_every_public_name__has_a_docstring_and_a_place():
    for name in set(lgca.__all__) - {"METHODS"}:
        assert inspect.getdoc(getattr(lgca, name)), name
        assert f".{name}\n" in PAGES["python.md"], name


def test_every_public_method__has_a_docstring():
    for name in ("Run", "Triage", "Encoder", "Evaluation", "Evidence", "Method", "RegionConfig", "OpenClipEncoder"):
        for attribute, value in inspect.getmembers(getattr(lgca, name)):
            if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert inspect.getdoc(value), f"{name}.{attribute}"


def test_operators__have_their_parameters():
    text = operators_page().partition("lgca_classify`")[2].partition("## ")[0]
    assert "| `classes` | `None` |" in text and "| `delegate` | `False` |" in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (":func:<code>lgca_plugin.classify</code>", "<code>lgca.classify</code>"),
        (":meth:<code>lgca_plugin.Run.rescore</code>", "<code>lgca.Run.rescore</code>"),
        (":class:<code>~.table.Table</code>", "<code>Table</code>"),
        (":mod:<code>lgca_plugin.method.core.stopping</code>", "<code>lgca_plugin.method.core.stopping</code>"),
        ("<code>a</code>", "<code>a</code>"),
    ],
)
def test_references__are_plain_names(given, shown):
    assert on_page_content(given) == shown


def pages_in(entries):
    """The pages of a navigation."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            yield from pages_in(value) if isinstance(value, list) else [value]


def test_navigation__leads_to_every_page():
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert set(settings["validation"]["links"].values()) == {"warn"}  # so that a strict build fails
    listed = list(pages_in(settings["nav"]))
    assert sorted(listed) == sorted(
        page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")
    )
