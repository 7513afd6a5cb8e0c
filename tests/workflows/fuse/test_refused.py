"""What can't be fused is said in a sentence, before anything is written."""

import shutil
from dataclasses import replace
from typing import Any

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.workflows.fuse.request import FuseOptions, check_fuse
from tests.helpers.fusion.fused_birds import REGIONS, answers, fused
from tests.helpers.worlds.birds import classify_birds

NOTHING_LEARNT = (
    "nothing is learnt from 'few', which has 9 labels of 2 classes, 4 to 5 each: it takes 30 labels, and 5 of each of "
    "two classes; the fused run is the sum of its encoders"
)


@pytest.fixture
def unchanged(birds):
    """Fails if a test has written a run or a field."""
    before = (birds.list_runs(), sorted(birds.get_field_schema()))
    yield
    assert (birds.list_runs(), sorted(birds.get_field_schema())) == before


@pytest.mark.usefixtures("unchanged")
def test_fuse__of_runs_that_do_not_fit_is_refused(birds, runs, original):
    first = runs[0]
    run = lgca.load_run(birds, "fused")

    def changed(**changes):
        other = lgca.load_run(birds, "two")
        other.config = replace(other.config, **changes)
        return other

    cases: dict[Any, str] = {
        "one": "runs must be runs of one dataset, such as .*; got 'one'",
        (first,): "runs must be two or more, of different encoders; got 1: classify the same images with another model",
        (
            first,
            first,
        ): "run 'one' is given twice; a fusion needs runs of different encoders: name one of another model",
        (first, changed(encoder_fingerprint=first.config.encoder_fingerprint)): "it has the same model; take only one",
        (first, changed(classes=CLASSES[1:])): (
            r"can't be fused with run 'one': it has other classes \(1 missing\); rescore one of them with the classes"
        ),
        (first, changed(regions=replace(REGIONS, seed=1))): "has crops of other sizes, or another seed",
        (first, changed(methods=(lgca.METHODS["clip"],))): "run 'two' looks at no crops, which a fusion needs",
        (first, run): "run 'fused' is fused itself: fuse the runs that it was made from",
        (first, lgca.load_run(original, "two")): "runs must be of one dataset: 'one' is of",
    }
    for given, words in cases.items():
        with pytest.raises(lgca.ConfigError, match=words):
            lgca.fuse(given, run_key="new", progress=False)


@pytest.mark.usefixtures("unchanged")
def test_fuse__with_wrong_options_is_refused(birds, runs):
    run = lgca.load_run(birds, "fused")
    birds.add_sample_field("odd", fo.IntField)
    birds.add_sample_field("blank", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    for options, words in (
        ({"run_key": "one"}, "run_key 'one' is that of a run that is fused, which stays"),
        ({"run_key": "fused"}, "run 'fused' exists: pass overwrite=True to replace it"),
        ({"run_key": "not a key"}, "run_key names fields"),
        ({"ground_truth": "nowhere"}, "'nowhere' is no field .*; its label fields: given, truth, blank$"),
        ({"ground_truth": "odd"}, "ground_truth must hold one label a sample"),
        ({"ground_truth": "two_lgca"}, "ground_truth is 'two_lgca', an answer of run 'two'"),
        ({"ground_truth": "fused_hada"}, "ground_truth is 'fused_hada', an answer of run 'fused'"),
        ({"seed": -1, "ground_truth": "given"}, "seed must be a whole number from 0"),
        ({"seed": "1"}, "seed must be a whole number from 0"),
        ({"ground_truth": "blank"}, "none of the 32 samples has a label in 'blank' that is a class of the runs"),
        ({"anchored": False}, "anchored=False learns everything from labels"),
        ({"folds": 1}, "folds must be a whole number from 2 to 20"),
        ({"weights": runs[0]}, "weights must be a fused run"),
        ({"weights": run, "ground_truth": "given"}, "pass ground_truth, to learn from its labels, or weights"),
    ):
        with pytest.raises(lgca.ConfigError, match=words):
            lgca.fuse(runs, progress=False, **{"run_key": "new", **options})
    with pytest.raises(lgca.ConfigError, match="the weights of run 'fused' are of the encoders demo, noisy"):
        check_fuse(FuseOptions(runs=runs[::-1], weights=run, run_key="new"))
    run.token = "of a run that was rescored"
    with pytest.raises(lgca.LgcaError, match="run 'fused' was rescored or started again since it was loaded"):
        check_fuse(FuseOptions(runs=runs, weights=run, run_key="new"))
    birds.delete_sample_fields(["odd", "blank"])


@pytest.mark.usefixtures("unchanged")
def test_fuse__without_the_embeddings_of_a_run_is_refused(runs, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    with pytest.raises(lgca.ConfigError, match="the embeddings of run 'one' are not stored on this machine"):
        lgca.fuse(runs, run_key="new", progress=False)


def test_fuse__of_runs_on_other_samples_takes_the_common_ones_or_is_refused_if_they_are_few(birds, runs, encoders):
    half, few = birds.limit(17), birds.limit(15)
    second = classify_birds(half, encoders[1], run_key="half", regions=REGIONS)
    made = fused([runs[0], second], run_key="part")
    assert made.summary()["warnings"] == ["15 of 32 samples of run 'one' are left out: 15 are not in run 'half'"]
    assert (made.summary()["predicted"], made.summary()["total"]) == (17, 17)
    assert birds.exists("part_hada").values("id") == half.values("id") == birds.exists("part_clip").values("id")
    assert made.rescore(progress=False).summary()["predicted"] == 17
    third = classify_birds(few, encoders[1], run_key="few", regions=replace(REGIONS, crops=4))
    words = r"only 15 of 32 samples of run 'one' can be fused with 'few' \(17 are not in run 'few'\), and at least half"
    with pytest.raises(lgca.ConfigError, match=words):
        fused([runs[0], third], run_key="newer")
    assert "newer" not in birds.list_runs()
    made = fused([third, runs[0]], run_key="newer")
    assert made.summary()["predicted"] == 15
    assert made.summary()["warnings"] == [
        "the runs have drawn different numbers of crops, 4 in run 'few' and 6 in run 'one': the first 4 are the same"
    ]


def test_fuse__leaves_out_images_whose_file_has_changed_or_whose_regions_are_not_stored(
    birds, runs, encoders, monkeypatch, fused_store, tmp_path
):
    """A run of which a later call has encoded another file, and one that has stored no regions of some images."""
    own = shutil.copytree(fused_store, tmp_path / "store")  # else copies of the dataset would take its embeddings
    monkeypatch.setenv("LGCA_STORE_DIR", str(own))
    first = birds.first()
    copy = shutil.copy(birds.last().filepath, tmp_path / "other.jpg")
    before, first.filepath = first.filepath, str(copy)
    first.save()
    second = classify_birds(birds, encoders[1], run_key="changed", regions=REGIONS)
    first.filepath = before
    first.save()
    made = fused([runs[0], second], run_key="moved")
    assert made.summary()["warnings"] == [
        "1 of 32 samples of run 'one' are left out: 1 had another image file in run 'changed'"
    ]
    bare = classify_birds(birds, encoders[1], run_key="bare", regions=REGIONS, store_regions=False)
    with pytest.raises(lgca.ConfigError, match="32 have no stored region embeddings of run 'bare'"):
        fused([runs[0], bare], run_key="without")


def test_fuse__from_too_few_labels_learns_nothing_and_says_so(birds, runs):
    ids = birds.values("id")
    few = {id_: CLASSES[at % 2] for at, id_ in enumerate(ids[:9])}
    birds.set_values("few", [fo.Classification(label=few.get(id_, "owl")) for id_ in ids])
    made = fused(runs, "few", run_key="taught")
    assert made.summary()["warnings"] == [
        NOTHING_LEARNT,
        "23 labels in 'few' are no class of the runs, such as 'owl', and are not learnt from",
    ]
    fused(runs, run_key="untaught")
    assert answers(birds, "taught") == answers(birds, "untaught")
    assert set(birds.values("taught_hada.fold")) == {None}
    with pytest.raises(lgca.ConfigError, match="the 9 labels in 'few' are too few for anchored=False"):
        fused(runs, "few", anchored=False, run_key="published")
