"""What the form of ``lgca_classify`` says about cost, space on disk, and runs and fields that exist."""

import re
import sqlite3

import fiftyone as fo
import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from lgca_plugin.store.file import FILE_NAME
from tests.helpers.app.operators import CLASSIFY
from tests.helpers.worlds.classify import LIGHT, add_birds, typed


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def params(demo_images):
    """The parameters of a small run."""
    return typed(*sorted({image.truth for image in demo_images})[:3], **LIGHT)


def preview(birds, **params):
    return CLASSIFY.form(birds, **params)[0]["preview"].view


@pytest.mark.parametrize("readable", [True, False])
def test_labels__are_no_predictions_of_runs(birds, params, readable):
    CLASSIFY.run(birds, **params | {"run_key": "a"})
    if not readable:  # as another release might leave it
        record = birds.get_run_info("a")
        record.config.run, record.config.fields = "?", None
        birds.update_run_config("a", record.config)
    properties, found = CLASSIFY.form(birds)
    assert properties["ground_truth"].type.values == ["ground_truth", "taken"]
    assert found == {}
    properties, found = CLASSIFY.form(birds, **typed("a", "b", run_key="b", ground_truth="a_clip"))  # from code
    assert "a_clip" in properties["ground_truth"].type.values
    assert found == {}
    birds.delete_sample_fields(["ground_truth", "taken"])
    properties, _ = CLASSIFY.form(birds)
    assert properties["class_source"].type.values == ["typed"]
    assert "ground_truth" not in properties


def test_run_key__names_what_is_in_its_way(birds):
    birds.add_sample_field("zeroshot_wca", fo.FloatField)
    birds.register_run("mine", birds.init_run(anything=1))
    properties, found = CLASSIFY.form(birds, **typed("a", "b"))
    assert found == {} and properties["new_run_key"].default == "zeroshot_2"
    assert "'zeroshot_wca' exists already" in properties["new_run_key"].view.description
    taken = CLASSIFY.errors(birds, **typed("a", "b", new_run_key="zeroshot"))
    assert taken["new_run_key"].endswith("belongs to no run: choose another key, such as zeroshot_2")
    assert "another kind" in CLASSIFY.errors(birds, **typed("a", "b", run_key="mine"))["run_key"]
    assert CLASSIFY.errors(birds, **typed("a", "b", run_key="other")) == {}
    assert CLASSIFY.errors(birds, **typed("a", "b", methods=["clip"])) == {}


def test_run_key__a_free_one_is_proposed_where_the_usual_one_has_other_settings(birds, params):
    CLASSIFY.run(birds, **params)
    assert CLASSIFY.form(birds, **params)[0]["run_key"].default == "zeroshot", "the same settings continue the run"
    changed = {**params, "crops": 5, "run_key": "zeroshot"}  # which the App has filled in before the change
    properties, found = CLASSIFY.form(birds, **changed)
    assert found == {} and "run_key" not in properties
    assert properties["new_run_key"].default == "zeroshot_2"
    assert "run 'zeroshot' exists with other settings (regions)" in properties["new_run_key"].view.description
    CLASSIFY.run(birds, **changed, new_run_key="zeroshot_2")
    assert sorted(lgca.list_runs(birds)) == ["zeroshot", "zeroshot_2"]
    back = {**params, "run_key": "zeroshot", "new_run_key": "zeroshot_2"}  # which the App keeps
    assert "run_key" in CLASSIFY.form(birds, **back)[0]
    CLASSIFY.run(birds, **back)
    assert sorted(lgca.list_runs(birds)) == ["zeroshot", "zeroshot_2"]
    typed_over = {**changed, "new_run_key": "zeroshot"}
    assert "start over, or choose" in CLASSIFY.errors(birds, **typed_over)["new_run_key"]
    CLASSIFY.run(birds, **typed_over, overwrite=True)
    assert lgca.load_run(birds, "zeroshot").config.regions.crops == 5


def test_run_key__code_that_names_it_is_refused_as_before(birds, params):
    CLASSIFY.run(birds, **params)
    with pytest.raises(ExecutionError, match="other settings"):
        CLASSIFY.execute(birds, **{**params, "crops": 5, "run_key": "zeroshot"})
    assert lgca.list_runs(birds) == ["zeroshot"]


def test_classes__of_a_field_are_those_of_the_dataset_and_what_a_list_leaves_out_is_named(birds):
    labels = sorted(birds.distinct("ground_truth.label"))
    view = [stage._serialize() for stage in birds.limit(1)._stages]
    properties, _ = CLASSIFY.form(birds, {"view": view})
    line = properties["field_classes"].view.label
    assert line == f"{len(labels)} classes, all labels of ground_truth in the dataset: {', '.join(labels)}"
    assert "left_out" not in properties
    slip = [labels[0] + "x", *labels[1:]]
    properties, found = CLASSIFY.form(birds, **typed(*slip, ground_truth="ground_truth"))
    count = birds.count_values("ground_truth.label")[labels[0]]
    hint = f"{labels[0]!r} ({count}; the list has {slip[0]!r}: did you mean {labels[0]!r}?)"
    assert properties["left_out"].view.label.endswith(hint) and found == {}
    birds.default_classes = ["owl", labels[0]]
    assert "2 classes, the dataset's own list: owl" in CLASSIFY.form(birds)[0]["field_classes"].view.label


def test_blocked__is_said_beside_the_button_too(birds):
    properties, found = CLASSIFY.form(birds, **typed("duck", run_key="my run"))
    assert list(found) == ["classes", "run_key"]
    (name, last) = list(properties.items())[-1]
    assert name == "blocked" and last.view.label == "Classify is not possible yet"
    assert last.view.description == f"Class names, one a line: {found['classes']}; Run key: {found['run_key']}"
    assert "blocked" not in CLASSIFY.form(birds, **typed("a", "b"))[0]


def test_run_key__a_run_of_another_release_can_be_started_over(birds, params):
    CLASSIFY.run(birds, **params, run_key="mine")
    record = birds.get_run_info("mine")
    record.config.run = '{"version": 99}'
    birds.update_run_config("mine", record.config)
    params["run_key"] = "mine"
    assert "version 99" in CLASSIFY.errors(birds, **params)["run_key"]
    assert CLASSIFY.errors(birds, **params, overwrite=True) == {}


def test_cost__empty_and_video_datasets_are_refused(dataset):
    assert "no samples to classify" in CLASSIFY.errors(dataset, **typed("a", "b"))["preview"]
    dataset.add_sample(fo.Sample(filepath="film.mp4"))
    assert "only images" in CLASSIFY.errors(dataset, **typed("a", "b"))["preview"]


def test_cost__is_counted_once_while_the_form_is_open(birds):
    """The App sends the same prompt id with every keystroke."""
    labels = []
    for run_key in ("a", "ab", "abc"):
        properties, _ = CLASSIFY.form(birds, {"prompt_id": "p1"}, **typed("a", "b", run_key=run_key))
        labels.append(properties["preview"].view.label)
        birds.delete_samples(birds.take(1))
    assert set(labels) == {"8 images x 87 encodes = 696 encodes"}


def test_cost__the_next_form_has_the_speed_of_the_last_run(birds, params):
    CLASSIFY.run(birds, **params)
    assert "at the speed of the last run with this encoder" in preview(birds, **params | {"run_key": "next"}).label
    assert "speed" not in preview(birds, **params | {"run_key": "next", "encoder": "open_clip"}).label


def test_disk__the_form_says_what_is_stored_and_is_right(birds, params, fresh_store):
    # 4 crops, of which 2 start chains: 4 + 1 regions; the whole image; vectors of clip, wca, lgca and wca_d
    nbytes = 8 * 4 * (128 * (1 + 4 + 5) + 4 * 5)
    assert preview(birds, **params).description == (
        f"Embeddings stored on disk: at most {nbytes / 1000:.0f} kB; the store holds 0 bytes of 20 GB"
    )
    without = preview(birds, **params, store_regions=False).description
    assert without.startswith("Image vectors, without the embeddings of crops, stored on disk: at most 20 kB;")

    CLASSIFY.run(birds, **params)
    with sqlite3.connect(fresh_store / FILE_NAME) as connection:
        sizes = (
            "SELECT sum(length(whole)) FROM images",
            "SELECT sum(length(boxes) + length(embeddings)) FROM regions",
            "SELECT sum(length(vectors)) FROM samples",
        )
        stored = sum(connection.execute(query).fetchone()[0] for query in sizes)
    assert 0.9 * nbytes <= stored <= nbytes
    line = preview(birds, **params | {"run_key": "next"}).description
    assert re.search(r"the store holds [0-9.]+ [kM]B of 20 GB", line)


@pytest.mark.parametrize(
    ("model", "size"),
    [("ViT-B-32-quickgelu", "1.5 MB"), ("ViT-L-14", "2.2 MB"), ("hf-hub:someone/some-model", "an unknown size")],
)
def test_disk__the_size_follows_the_model(birds, monkeypatch, model, size):
    monkeypatch.setenv("LGCA_MODELS", "hf-hub:someone/some-model")
    params = typed("a", "b", encoder="open_clip", model=model, pretrained="openai")
    assert size in preview(birds, **params).description


def test_disk__the_form_warns_where_the_store_has_no_space(birds, monkeypatch, fresh_store):
    params = typed("goldfinch", "redpoll")
    assert "storage" not in CLASSIFY.form(birds, **params)[0]
    monkeypatch.setenv("LGCA_STORE_GB", "0.00001")
    storage = CLASSIFY.form(birds, **params)[0]["storage"].view
    assert storage.label.startswith("The store of embeddings may hold 10 kB, which at least 0 of ")
    assert storage.label.endswith(" images fill: not all embeddings of this run can be stored")
    assert "switch “Store embeddings of crops” off" in storage.description
    monkeypatch.delenv("LGCA_STORE_GB")
    CLASSIFY.run(birds, **params)
    following = params | {"run_key": "next"}
    monkeypatch.setenv("LGCA_STORE_GB", "0.0006")
    assert CLASSIFY.form(birds, **following)[0]["storage"].view.label == (
        "The store of embeddings may hold 600 kB: "
        "embeddings of crops of the least recently used runs are deleted to make space"
    )
    monkeypatch.setenv("LGCA_STORE_GB", "much")
    assert "LGCA_STORE_GB must be a number" in CLASSIFY.errors(birds, **following)["storage"]
    monkeypatch.delenv("LGCA_STORE_GB")
    (fresh_store / FILE_NAME).unlink()
    (fresh_store / FILE_NAME).mkdir()  # can't be opened, and the run goes on without it
    properties, found = CLASSIFY.form(birds, **following)
    assert "can't be opened" in properties["preview"].view.description
    assert found == {}
