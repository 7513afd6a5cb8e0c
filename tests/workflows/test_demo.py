"""The demo's dataset, and the misleading-crop benchmark's reading of a run on it."""

from pathlib import Path

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from benchmarks.labels.misleading import classified
from lgca_plugin.demo.__main__ import main
from lgca_plugin.demo.ambiguous import Swap, draw_pairs
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import NAME, load_demo_dataset
from lgca_plugin.demo.report import places_of_wrong_labels
from lgca_plugin.errors import ConfigError


def test_load_demo_dataset__records_labels_and_truth_and_is_found_again(tmp_path):
    name = f"demo-{tmp_path.name}"
    try:
        dataset = load_demo_dataset(name, tmp_path, count=40, seed=3)
        assert dataset.persistent
        assert "on purpose" in dataset.info["description"]
        for sample in dataset:
            assert sample.label_is_wrong == (sample.ground_truth.label != sample.truth.label)
        assert dataset.count_values("label_is_wrong") == {True: 2, False: 38}

        Path(dataset.first().filepath).unlink()
        again = load_demo_dataset(name, tmp_path, count=40, seed=3)
        assert again.values("id") == dataset.values("id")
        assert Path(again.first().filepath).is_file()

        with pytest.raises(ConfigError, match="shows other drawings; pass another name, or overwrite=True"):
            load_demo_dataset(name, tmp_path, count=10, seed=3)
        assert len(load_demo_dataset(name, tmp_path, count=10, seed=3, overwrite=True)) == 10
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)


def test_classified__looks_are_what_the_evidence_says(dataset, tmp_path, demo_encoder):
    images = draw_pairs(tmp_path, count=12, seed=7)[:16]
    dataset.add_samples([fo.Sample(filepath=image.path) for image in images])
    regions = lgca.RegionConfig(crops=20, lgca_crops=8, scale_min=0.1, scale_max=0.3)
    methods = ("clip", "wca", "lgca")
    looks = classified(dataset, images, methods=methods, encoder=demo_encoder, regions=regions)
    assert lgca.list_runs(dataset) == []
    assert all(isinstance(one.swap, Swap) for one in images)
    assert [(found.part, found.truth, found.decoy) for found in looks] == [
        (image.swap.part, image.swap.truth, image.swap.decoy) for image in images
    ]
    for found in looks:
        assert tuple(found.labels) == methods
        assert set(found.labels.values()) <= set(CLASSES)
        if found.flagged:
            assert found.labels["wca"] != found.labels["lgca"]
            assert found.size is not None and 1 <= found.size <= 20
            assert found.coverage is not None and all(0 <= share <= 1 for share in found.coverage)
    assert any(found.flagged for found in looks)
    assert sum(found.right("wca") for found in looks) > 4  # one in twelve by chance


@pytest.fixture(scope="module")
def demo_store(tmp_path_factory):
    """A store for all runs of the demo."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def demo(capsys, monkeypatch, demo_store):
    """Runs the demo on 120 drawings without the App; returns what it prints, line by line."""
    monkeypatch.setenv("LGCA_STORE_DIR", str(demo_store))

    def run(*arguments, status=0):
        assert main(["--no-app", "--count", "120", *arguments]) == status
        out, err = capsys.readouterr()
        return (err if status else out).splitlines()

    yield run
    if fo.dataset_exists(NAME):
        fo.delete_dataset(NAME)


def test_main__prints_a_table_of_both_accuracies_and_nothing_of_the_libraries(demo):
    lines = demo()
    dataset = fo.load_dataset(NAME)
    assert len(lines) == 16 and not any("INFO" in line or "WARNING" in line for line in lines)
    head = next(index for index, line in enumerate(lines) if line.startswith("method"))
    cells = [line.split() for line in lines[head + 1 : head + 1 + len(lgca.METHODS)]]
    table = {row[0]: row[2:] if row[1] == "*" else row[1:] for row in cells}
    assert list(table) == list(lgca.METHODS)
    for name, (by_given, by_truth, *_) in table.items():
        for cell, field in ((by_given, "ground_truth"), (by_truth, "truth")):
            right = dataset.match(fo.ViewField(f"{field}.label") == fo.ViewField(f"zeroshot_{name}.label"))
            assert cell == f"{len(right) / 120:.1%}"
    text = " ".join(lines)
    assert "6 of 120 wrong on purpose" in text and "known only because the pictures are drawn" in text
    places = places_of_wrong_labels(lgca.load_run(dataset, "zeroshot").last_triage())
    assert f"Of the 6 wrong ones, {sum(place <= 12 for place in places)} are in the worst 12." in text
    labels = [dataset.values(f"zeroshot_{name}.label") for name in ("clip", "wca", "lgca")]
    assert 4 <= sum(len(set(one)) > 1 for one in zip(*labels, strict=True)) <= 24  # there is something to see


def test_main__a_second_time_goes_on_and_keeps_decisions_and_fresh_starts_anew(demo):
    demo()
    dataset = fo.load_dataset(NAME)
    assert dataset.app_config.active_fields.paths == ["ground_truth", "zeroshot_suspect"]
    triage = lgca.load_run(dataset, "zeroshot").last_triage()
    first = triage.suspects().first().id
    triage.decide([first], "label right")
    written = dataset.values("zeroshot_wca")

    demo()
    dataset.reload()
    assert dataset[first].zeroshot_decision.label == "label right"
    assert dataset.list_runs() == ["zeroshot"] and dataset.values("zeroshot_wca") == written

    (sentence,) = demo("--count", "60", status=1)
    assert sentence.startswith("The demo stopped: name is 'lgca-demo'") and "--fresh" in sentence
    demo("--fresh")
    left = lgca.load_run(fo.load_dataset(NAME), "zeroshot").last_triage().left()
    assert left["undecided"] == left["suspects"] > 0


def test_main__fresh_leaves_a_dataset_of_the_same_name_that_is_no_demo(demo):
    fo.Dataset(NAME).info = {"mine": True}
    (sentence,) = demo("--fresh", status=1)
    assert "is not this demo" in sentence
    assert fo.load_dataset(NAME).info == {"mine": True}


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [51, 52, 53, 54, 55])
def test_find_wrong_labels__nine_of_ten_are_in_the_worst_24_of_the_demo_and_of_other_drawings(tmp_path, seed):
    name = f"demo-{seed}"
    try:
        triage = lgca.find_wrong_labels(
            load_demo_dataset(name, tmp_path, seed=seed), methods=tuple(lgca.METHODS), progress=False
        )
        places = places_of_wrong_labels(triage)
        assert len(places) == 12
        assert sum(place <= 24 for place in places) >= 11
    finally:
        if fo.dataset_exists(name):
            fo.delete_dataset(name)
