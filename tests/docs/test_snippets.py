"""The snippets of the tutorial and the how-to pages that the demo can show: each page runs from start to end."""

import re
from pathlib import Path

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset
from tests.helpers.paths import ROOT

PAGES = ROOT / "docs"
EXECUTED = re.compile(r"<!-- executed -->\n+```python\n(.*?)```", re.DOTALL)
WITH_SNIPPETS = [path for path in sorted(PAGES.glob("**/*.md")) if EXECUTED.search(path.read_text(encoding="utf-8"))]
LOADING = "load_demo_dataset()"
COUNT = 36  # pictures, of the 240: as many labels as a calibration takes, and two of them wrong

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("module_store")]


@pytest.fixture(scope="module")
def birds(module_store, tmp_path_factory):  # noqa: ARG001 (where the embeddings go)
    """The demo, and a run on it whose embeddings every page finds in the store."""
    dataset = load_demo_dataset("docs-demo", tmp_path_factory.mktemp("birds"), count=COUNT)
    lgca.find_wrong_labels(dataset, progress=False)
    yield dataset
    for name in fo.list_datasets("docs-*"):
        fo.delete_dataset(name)


@pytest.mark.parametrize("page", WITH_SNIPPETS, ids=lambda page: page.stem)
def test_page__its_snippets_run_one_after_the_other(page: Path, birds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = birds.clone(f"docs-{page.stem}")
    names = {"lgca": lgca, "fo": fo, "dataset": dataset}
    for snippet in EXECUTED.findall(page.read_text(encoding="utf-8")):
        source = snippet.replace(LOADING, f"fo.load_dataset({dataset.name!r})")
        exec(compile(source, str(page), "exec"), names)
