"""Runs that a dataset's clone, or an exported and imported dataset, has copied: their embeddings are found again."""

from dataclasses import replace

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.fiftyone_io.database import dataset_id
from lgca_plugin.runs.stored_run import find_stored_run
from lgca_plugin.store.store import Store
from tests.helpers.runs import add_images, classified

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture(scope="module")
def original(demo_encoder, demo_images, module_store):
    """A triaged run on 24 birds, in the module's store."""
    assert module_store.is_dir()
    dataset = add_images(fo.Dataset(), demo_images)
    run = classified(dataset, demo_encoder, regions=lgca.RegionConfig(crops=4, steps=1), ground_truth="ground_truth")
    run.triage(progress=False)
    yield run
    dataset.delete()


@pytest.fixture(params=["clone", "export and import"])
def copy(original, request, tmp_path):
    """A copy of the dataset with the run."""
    if request.param == "clone":
        made = original.dataset.clone()
    else:
        kind = fo.types.FiftyOneDataset
        original.dataset.export(str(tmp_path), dataset_type=kind, export_media=False, progress=False)
        made = fo.Dataset.from_dir(str(tmp_path), dataset_type=kind, progress=False)
    yield lgca.load_run(made, "zs")
    made.delete()


def findings(dataset):
    paths = ("zs_label_quality", "zs_suggestion.label", "zs_stability", "zs_misleading", "zs_case")
    return list(dataset.values([*paths]))


def test_copy__finds_its_embeddings_without_encoding_an_image(original, copy):
    sample = original.dataset.first().id
    of_copy, of_original = copy.evidence(sample), original.evidence(sample)
    np.testing.assert_array_equal(of_copy.boxes, of_original.boxes)
    assert of_copy.content_hash == of_original.content_hash
    soft = copy.rescore(text_scale=3.0, run_key="soft", progress=False)
    assert soft.summary()["predicted"] == 24
    before = findings(copy.dataset)
    assert len([value for value in before[0] if value is not None]) == 24
    copy.triage(progress=False)
    assert findings(copy.dataset) == before


def test_copy__has_its_vectors_beside_a_later_run_on_the_same_samples_with_others(original, demo_encoder):
    regions, before = original.config.regions, findings(original.dataset)
    other, copy = original.dataset.clone(), original.dataset.clone()
    classified(other, demo_encoder, run_key="more", methods=["clip", "wca", "lgca", "wca_d"], regions=regions)
    lgca.load_run(copy, "zs").triage(progress=False)
    assert findings(copy) == before
    other.delete()
    copy.delete()


def test_copy__can_be_deleted_without_the_original_losing_anything(original, copy):
    sample = original.dataset.first().id
    copy.evidence(sample)
    copy.delete()
    assert original.evidence(sample).content_hash
    with Store() as store:
        datasets = [run["dataset"] for run in store.runs()]
        assert dataset_id(original.dataset) in datasets and dataset_id(copy.dataset) not in datasets


def test_copy__where_nothing_is_stored_keeps_what_was_found_before(copy, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))
    before = findings(copy.dataset)
    with pytest.raises(lgca.ConfigError, match="of 24 samples of run 'zs' are not stored on this machine"):
        copy.triage(progress=False)
    assert findings(copy.dataset) == before
    assert copy.last_triage().left()["suspects"] == len([label for label in before[1] if label])


def test_copy__where_new_images_alone_are_stored_keeps_what_was_found_about_the_others(copy, monkeypatch, tmp_path):
    """As a search does that goes on with a copied run on another machine."""
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))
    dataset, config = copy.dataset, copy.config
    before = findings(dataset)
    new = [sample.copy() for sample in dataset.limit(3)]
    for sample in new:
        for name in [name for name in sample.field_names if name.startswith("zs_")]:
            sample[name] = None
    dataset.add_samples(new, progress=False)
    classified(dataset, lgca.load_encoder("demo"), regions=config.regions, ground_truth="ground_truth")
    with pytest.raises(lgca.ConfigError, match="of 24 samples of run 'zs' are not stored on this machine"):
        lgca.load_run(dataset, "zs").triage(progress=False)
    assert [column[:24] for column in findings(dataset)] == before


def test_copy__of_a_run_with_another_encoder_or_other_crops_takes_no_embeddings(copy):

    for change in ({"regions": replace(copy.config.regions, seed=7)}, {"encoder_fingerprint": "another"}):
        other = lgca.load_run(copy.dataset, "zs")
        other.config = replace(copy.config, **change)
        with Store() as store:
            assert find_stored_run(store, other) is None
