"""The notebook about fusion in docs: it runs from start to end, and says what the committed outputs say."""

import re

import fiftyone as fo
import nbformat
import pytest
from nbclient import NotebookClient

import lgca_plugin as lgca
from tests.docs.test_notebook import PATHS, printed
from tests.helpers.paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebooks" / "fusion.ipynb"
DATASET = "lgca-fusion-notebook"


def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def found_wrong(text):
    """Run key to number of wrong labels that the first of its queue hold."""
    return {key: int(count) for key, count in re.findall(r"^(\w+) +(\d+) of the 12 wrong labels", text, re.MULTILINE)}


def test_notebook__is_committed_with_its_outputs_and_without_this_machine():
    notebook = committed()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for output in (output for cell in cells for output in cell.outputs):
        assert output.output_type == "stream" and output.name == "stdout"
        assert not PATHS.search(output.text)
    found = found_wrong(printed(notebook))
    assert found["fused"] >= found["resnet"] > found["vit"]


@pytest.mark.thorough
def test_notebook__runs_and_its_fused_run_is_no_worse_than_the_better_model(tmp_path, monkeypatch):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this interpreter
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = committed()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(tmp_path)}}
    executed = NotebookClient(notebook, timeout=900, kernel_name="python3", resources=resources).execute()
    dataset = fo.load_dataset(DATASET)
    try:
        assert lgca.list_runs(dataset) == ["resnet", "vit", "fused"]
        right = {
            name: sum(a == b for a, b in zip(*dataset.values([f"{name}.label", "truth.label"]), strict=True))
            for name in ("resnet_lgca_d", "fused_hada")
        }
        assert right["fused_hada"] >= right["resnet_lgca_d"], right
        found = found_wrong(printed(executed))
        assert found["fused"] >= found["resnet"], found
    finally:
        fo.delete_dataset(DATASET)
