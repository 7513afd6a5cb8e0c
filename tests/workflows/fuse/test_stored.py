"""What a fused run has in the store: embeddings by all encoders and its weights, as long as there is the run."""

import stat

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.runs.stored_run import stored_run
from lgca_plugin.store.entries import part_token
from lgca_plugin.store.store import Store
from lgca_plugin.store.weights_files import weights_path
from tests.helpers.fusion.fused_birds import REGIONS, answers, fused, fusion_of
from tests.helpers.worlds.birds import classify_birds


@pytest.fixture
def birds(original):
    """A copy of the dataset of the test's own, whose runs it may delete."""
    copy = original.clone()
    yield copy
    copy.delete()


def held(run):
    """Which entries the store has of a run, and whether it has its weights."""
    with Store() as store:
        entries = [store.run(part_token(run.token, number)) is not None for number in (0, 1)]
        return (*entries, weights_path(store.path.parent, run.token).exists())


ALL, NOTHING = (True, True, True), (False, False, False)


def test_fused_run__keeps_its_embeddings_when_its_runs_are_deleted_and_takes_them_along(birds, runs):
    run = lgca.load_run(birds, "fused").rescore(run_key="own", progress=False)
    with Store() as store:
        path = weights_path(store.path.parent, run.token)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    before = answers(birds, "own")
    for one in runs:
        one.delete()
    assert held(run) == ALL
    again = run.rescore(logits=True, progress=False)
    assert answers(birds, "own") == before
    assert held(run) == NOTHING
    assert held(again) == ALL
    again.delete()
    assert held(again) == NOTHING
    assert not any(name.startswith("own") for name in birds.get_field_schema())


def test_fused_run__that_is_rescored_under_another_key_does_not_need_the_first_one(birds):
    run = lgca.load_run(birds, "fused")
    other = run.rescore(run_key="other", progress=False)
    before = answers(birds, "other")
    run.delete()
    assert held(other) == ALL
    other.rescore(shown_chains=0, progress=False)
    assert answers(birds, "other") == before == answers(birds, "other")


def test_fused_run__that_is_replaced_by_a_classification_leaves_nothing_in_the_store(birds, runs, demo_encoder):
    run = fused(runs, run_key="own")
    with pytest.raises(lgca.ConfigError, match="run 'own' exists and is fused from runs of several encoders; pass"):
        classify_birds(birds, demo_encoder, run_key="own", regions=REGIONS)
    with pytest.raises(lgca.ConfigError, match="run 'own' is fused from runs of several encoders, and a search"):
        lgca.find_wrong_labels(birds, "truth", encoder=demo_encoder, run_key="own", progress=False)
    assert held(run) == ALL
    classify_birds(birds, demo_encoder, run_key="own", regions=REGIONS, overwrite=True)
    assert held(run) == NOTHING
    assert "own_hada" not in birds.get_field_schema()


def test_clean_store__deletes_all_of_fused_runs_that_are_gone(original):
    copy = original.clone()
    run = fused([lgca.load_run(copy, key) for key in ("one", "two")], run_key="own")
    assert "own" in [entry["run_key"] for entry in lgca.store_info().runs]
    listed = [entry for entry in lgca.store_info().runs if entry["dataset"] == copy.name]
    assert len(listed) == 3
    lgca.clean_store()
    assert held(run) == ALL
    fo.delete_dataset(copy.name)
    with Store() as store:
        orphan = weights_path(store.path.parent, "orphan")
        orphan.write_bytes(b"of a run whose entry is gone")
    assert lgca.clean_store() > len(b"of a run whose entry is gone")
    assert held(run) == NOTHING
    assert not orphan.exists()
    assert held(lgca.load_run(original, "fused")) == ALL


def test_copied_fused_run__finds_embeddings_and_weights_and_keeps_them_when_the_original_is_deleted(birds):
    run = lgca.load_run(birds, "fused").rescore(run_key="own", progress=False)
    before = answers(birds, "own")
    copy = birds.clone()
    try:
        copied = lgca.load_run(copy, "own")
        with Store() as store:  # found in the entry of run "two", though that of the fused run is newer
            assert not store.lacks_vectors(stored_run(store, lgca.load_run(copy, "two")))
        copied.rescore(run_key="first", progress=False)
        assert answers(copy, "first") == before
        assert held(copied) == ALL
        for key in ("own", "one", "two", "fused"):
            lgca.delete_run(birds, key)
        copied.rescore(run_key="second", progress=False)
        assert answers(copy, "second") == before
        copied.delete()
        assert held(copied) == held(run) == NOTHING
    finally:
        copy.delete()


def test_copied_fused_run__whose_original_was_rescored_meanwhile_finds_its_weights(birds, runs):
    run = fused(runs, run_key="own", seed=5)
    before = answers(birds, "own")
    copy = birds.clone()
    try:
        run.rescore(shown_chains=0, progress=False)
        copied = lgca.load_run(copy, "own")
        copied.rescore(run_key="first", progress=False)
        assert answers(copy, "first") == before
        assert held(copied) == ALL
    finally:
        copy.delete()


def test_weights__that_are_gone_or_damaged_are_named_and_nothing_is_written(birds, runs):
    run = fused(runs, run_key="own", seed=6)  # no other run has the same
    with Store() as store:
        path = weights_path(store.path.parent, run.token)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for words in ("are damaged: fuse its runs again", "are not stored on this machine: fuse its runs again"):
        with pytest.raises(lgca.ConfigError, match=f"the weights of run 'own'.*{words}"):
            run.rescore(classes=CLASSES[:5], progress=False)
        path.unlink(missing_ok=True)
    assert lgca.load_run(birds, "own").config == run.config
    plain = run.rescore(methods=("clip", "wca"), run_key="plain", progress=False)
    assert plain.summary()["predicted"] == 32


@pytest.mark.thorough
def test_embeddings__of_another_encoder_that_are_gone_are_named_and_come_back_with_its_run(
    birds, runs, encoders, monkeypatch, tmp_path
):
    run = fused(runs, run_key="own")
    before = answers(birds, "own")
    with Store() as store:
        weights = weights_path(store.path.parent, run.token).read_bytes()
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))
    classify_birds(birds, encoders[0], run_key="one", regions=REGIONS, overwrite=True)
    with pytest.raises(lgca.ConfigError, match=r"by 'noisy.*are not stored on this machine; .* under run_key='two'"):
        run.rescore(progress=False)
    classify_birds(birds, encoders[1], run_key="two", regions=REGIONS, overwrite=True)
    weights_path(tmp_path, fusion_of(run).weights).write_bytes(weights)
    run.rescore(progress=False)
    after = answers(birds, "own")
    assert {id_: label for id_, (label, *_) in after.items()} == {id_: label for id_, (label, *_) in before.items()}
