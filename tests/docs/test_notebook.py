"""The notebook in docs: it runs from start to end, over what is left of a former run, and tells what it says."""

import base64
import re
from collections import Counter

import fiftyone as fo
import nbformat
import pytest
from nbclient import NotebookClient

import lgca_plugin as lgca
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.thorough

NOTEBOOK = ROOT / "docs" / "notebooks" / "triage.ipynb"
DATASET = "lgca-triage-notebook"
LOADING = 'load_demo_dataset("lgca-triage-notebook", overwrite=True'
IMAGES = 120  # half of the demo's, which show everything that is told, in half of the time
PATHS = re.compile(r"(?<![\w.:/])/(?:home|Users|tmp|root|work|mnt|var|usr|opt|private)/|[A-Za-z]:\\")


def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def execute(folder):
    notebook = committed()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = cell.source.replace(LOADING, f"{LOADING}, count={IMAGES}")
    assert sum(f"count={IMAGES}" in cell.source for cell in notebook.cells) == 1
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    return client.execute()


def printed(notebook):
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def pictures(notebook):
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ()) if "data" in output]
    return [base64.b64decode(output.data["image/png"]) for output in shown if "image/png" in output.data]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def executed(folder, tmp_path_factory):
    """The notebook, executed where a dataset of its name is left over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(tmp_path_factory.mktemp("store")))
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("JUPYTER_PREFER_ENV_PATH", "1")  # the kernel of this interpreter
        patch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path_factory.mktemp("jupyter")))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        fo.Dataset(DATASET, persistent=True).add_sample(fo.Sample(filepath="left_over.jpg"))
        yield execute(folder)
        fo.delete_dataset(DATASET)


@pytest.fixture
def dataset(executed):  # noqa: ARG001 (it makes the dataset)
    loaded = fo.load_dataset(DATASET)
    loaded.reload()
    return loaded


def test_notebook__shows_three_misleading_crops_and_the_queue(executed):
    assert len(pictures(executed)) == 4
    captions = [
        output.data["text/markdown"]
        for cell in executed.cells
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", {})
    ]
    assert len(captions) == 3
    for caption in captions:
        ((said, says),) = re.findall(r"said \*(.+?)\*.+it says \*(.+?)\*", caption)
        assert said != says


def test_notebook__one_accepted_decision_stands_and_one_was_undone(dataset):
    triage = lgca.load_run(dataset, "zeroshot").last_triage()
    assert [row.decision and row.decision.value for row in triage.decisions()] == ["accepted", "label right"]
    events = triage.decisions(history=True)
    assert Counter(event.decision.value if event.decision else "undone" for event in events) == {
        "accepted": 2,
        "undone": 1,
        "label right": 1,
    }
    assert {event.by for event in events} == {"curator"}
    left = triage.left()
    assert left["undecided"] == left["suspects"] - 2


def test_notebook__corrects_one_label_in_a_field_of_its_own(dataset):
    given, truth, corrected, wrong, suggested = dataset.values(
        [
            "ground_truth.label",
            "truth.label",
            "ground_truth_corrected.label",
            "label_is_wrong",
            "zeroshot_suggestion.label",
        ]
    )
    assert [a != b for a, b in zip(given, truth, strict=True)] == wrong  # the given labels are as they were drawn
    changed = [i for i, (a, b) in enumerate(zip(given, corrected, strict=True)) if a != b]
    assert len(changed) == 1
    assert corrected[changed[0]] == suggested[changed[0]]


def test_notebook__exports_the_decisions_that_stand_and_the_history(executed):
    text = printed(executed)
    standing, history = text.split("decisions.csv\n")[1].split("\nhistory.csv\n")
    rows = [line.split(" | ") for line in standing.splitlines()]
    assert [row[1] for row in rows] == ["changed", "kept"]
    events = [line.split(" | ")[1] for line in history.splitlines() if line.startswith("   bird-")]
    assert sorted(events) == ["changed", "changed", "kept", "undone"]


def test_notebook__evaluates_every_method_against_the_corrected_labels(dataset):
    keys = [f"zeroshot_{name}_eval" for name in ("clip", "wca", "lgca", "wca_d")]
    assert set(dataset.list_evaluations()) == set(keys)
    for key in keys:
        assert dataset.get_evaluation_info(key).config.gt_field == "ground_truth_corrected"
        assert dataset.load_evaluation_results(key).report()["weighted avg"]["support"] == len(dataset)


def test_notebook__leaves_nothing_behind_but_its_dataset(executed, folder):
    assert executed.cells
    assert list(folder.iterdir()) == []


def test_notebook__is_committed_with_its_outputs_and_without_this_machine():
    assert NOTEBOOK.stat().st_size < 1_000_000
    notebook = committed()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert len(pictures(notebook)) == 4
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
            texts = [
                output.get("text", ""),
                *(str(value) for kind, value in output.get("data", {}).items() if kind[:5] != "image"),
            ]
            assert not any(PATHS.search(text) for text in texts), texts
    assert not any("execution" in cell.metadata for cell in notebook.cells)
