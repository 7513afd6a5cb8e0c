"""The operators as FiftyOne executes them: runs and the forms before and after them, delegation, deletion."""

import asyncio
import itertools
import json
import re
import sqlite3

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor

import lgca_plugin as lgca
from lgca_plugin.encoder.architectures import embedding_dim
from lgca_plugin.store.file import FILE_NAME
from tests.helpers.worlds.classify import (
    CLASSIFY,
    DELETE,
    LIGHT,
    add_birds,
    context,
    errors,
    form,
    run_it,
    typed,
    uploaded,
)


@pytest.fixture
def birds(dataset, demo_images):
    return add_birds(dataset, demo_images)


@pytest.fixture
def classes(demo_images):
    return sorted({image.truth for image in demo_images})[:3]


def test_run__with_uploaded_descriptions(birds):
    texts = {"Caspian_Tern": ["an orange beak"], "blue-tit": ["a yellow breast"]}
    upload = uploaded(json.dumps(texts).encode())
    run_it(birds, **{**upload, "classes": "caspian tern\nblue tit", "run_key": "up"})
    assert lgca.load_run(birds, "up").descriptions == {
        "caspian tern": ["caspian tern, which has an orange beak."],
        "blue tit": ["blue tit, which has a yellow breast."],
    }


@pytest.mark.parametrize("readable", [True, False])
def test_form__offers_no_predictions_of_runs_as_labels(birds, classes, readable):
    run_it(birds, **typed(*classes, advanced=True, run_key="a", **LIGHT))
    if not readable:  # as another release might leave it
        record = birds.get_run_info("a")
        record.config.run, record.config.fields = "?", None
        birds.update_run_config("a", record.config)
    properties, verdict = form(birds)
    assert properties["ground_truth"].type.values == ["ground_truth", "taken"]
    assert not verdict.invalid
    properties, verdict = form(birds, **typed("a", "b", run_key="b", ground_truth="a_clip"))  # on purpose, from code
    assert "a_clip" in properties["ground_truth"].type.values
    assert not verdict.invalid
    birds.delete_sample_fields(["ground_truth", "taken"])
    properties, _ = form(birds)
    assert properties["class_source"].type.values == ["typed"]


def test_form__without_label_fields_asks_for_names(dataset, demo_images):
    dataset.add_sample(fo.Sample(filepath=demo_images[0].path))
    properties, _ = form(dataset)
    assert properties["class_source"].type.values == ["typed"]
    assert "ground_truth" not in properties


def test_run__settings_given_without_their_switch_count(birds):
    texts = {"a": ["a bird."], "b": ["a fish."]}
    run_it(birds, **typed("a", "b", crops=5, steps=0, descriptions=json.dumps(texts)))
    run = lgca.load_run(birds, "zeroshot")
    assert run.config.regions == lgca.RegionConfig(crops=5, steps=0)
    assert run.descriptions == texts


def test_form__names_a_field_that_is_taken(birds):
    birds.add_sample_field("zeroshot_wca", fo.FloatField)
    assert "'zeroshot_wca' exists already" in errors(birds, **typed("a", "b"))["run_key"]
    assert errors(birds, **typed("a", "b", run_key="other")) == {}
    assert errors(birds, **typed("a", "b", methods=["clip"])) == {}


def test_form__run_of_another_release_can_be_started_over(birds, classes):
    run_it(birds, **typed(*classes, **LIGHT))
    record = birds.get_run_info("zeroshot")
    record.config.run = '{"version": 99}'
    birds.update_run_config("zeroshot", record.config)
    assert "version 99" in errors(birds, **typed(*classes, **LIGHT))["run_key"]
    assert errors(birds, **typed(*classes, overwrite=True, **LIGHT)) == {}


def test_form__names_a_key_of_another_kind_of_run(birds):
    birds.register_run("mine", birds.init_run(anything=1))
    assert "another kind" in errors(birds, **typed("a", "b", run_key="mine"))["run_key"]


def test_form__empty_and_video_datasets_are_refused_in_words(dataset):
    assert "no samples to classify" in errors(dataset, **typed("a", "b"))["outlook"]
    dataset.add_sample(fo.Sample(filepath="film.mp4"))
    assert "only images" in errors(dataset, **typed("a", "b"))["outlook"]


def test_form__neither_scans_nor_loads_a_model_again_while_it_is_open(birds):
    """With a prompt id, as the App sends it, the count is asked for once, however many keys are pressed."""
    operator = foo.get_operator(CLASSIFY)
    labels = []
    for run_key in ("a", "ab", "abc"):
        request = {"dataset_name": birds.name, "prompt_id": "p1", "params": typed("a", "b", run_key=run_key)}
        ctx = ExecutionContext(request_params=request, executor=Executor(), operator_uri=operator.uri)
        labels.append(operator.resolve_type(ctx, "inputs").type.properties["outlook"].view.label)
        birds.delete_samples(birds.take(1))
    assert set(labels) == {"8 images x 87 encodes = 696 encodes"}


def test_run__classifies_and_tells_the_app(birds, classes):
    messages = run_it(birds, **typed(*classes, advanced=True, **LIGHT))
    birds.reload()
    assert set(birds.distinct("zeroshot_lgca.label")) <= set(classes)
    assert birds.count("zeroshot_clip") == birds.count("zeroshot_wca") == len(birds)
    assert birds.count("zeroshot_regions.detections") > 0
    summary = lgca.load_run(birds, "zeroshot").summary()
    assert (summary["status"], summary["predicted"], summary["total"]) == ("done", 8, 8)

    steps = [m.params for m in messages if m.operator_uri == "set_progress"]
    assert [step["progress"] for step in steps] == sorted(step["progress"] for step in steps)
    assert steps[-1]["progress"] == 1.0
    assert all(step["label"] for step in steps)
    after = [m.operator_uri for m in itertools.dropwhile(lambda m: m.operator_uri != "reload_dataset", messages)]
    assert after == ["reload_dataset", "set_active_fields", "notify", "show_output"]
    assert "open_dataset" in [m.operator_uri for m in messages]
    assert "8 predicted of 8 images" in messages[-2].params["message"]
    json.dumps([message.to_json() for message in messages])


def test_run__the_next_form_knows_the_speed(birds, classes):
    run_it(birds, **typed(*classes, advanced=True, **LIGHT))
    properties, _ = form(birds, **typed(*classes, run_key="next"))
    assert "at the speed of the last run with this encoder" in properties["outlook"].view.label
    properties, _ = form(birds, **typed(*classes, run_key="next", encoder="open_clip"))
    assert "speed" not in properties["outlook"].view.label


def test_run__same_settings_resume_and_others_are_refused_in_the_form(birds, classes):
    params = typed(*classes, advanced=True, **LIGHT)
    run_it(birds, **params)
    assert errors(birds, **params) == {}
    found = errors(birds, **{**params, "crops": 5})
    assert "other settings (regions)" in found["run_key"]
    assert "other settings (classes)" in errors(birds, **{**params, "classes": "a\nb"})["run_key"]
    assert errors(birds, **{**params, "crops": 5, "overwrite": True}) == {}
    assert run_it(birds, **params)[-2].params["message"] == "8 predicted of 8 images"


def test_run__writes_all_class_scores_when_asked(birds, classes):
    assert form(birds, advanced=True)[0]["logits"].default is False
    run_it(birds, **typed(*classes, logits=True, **LIGHT))
    foo.get_operator(CLASSIFY)(birds, classes=classes, encoder="demo", regions=LIGHT, run_key="sdk", logits=True)
    birds.reload()
    for key in ("zeroshot", "sdk"):
        assert [len(scores) for scores in birds.values(f"{key}_lgca.logits")] == [len(classes)] * len(birds)


def test_run__only_the_selected_samples(birds, classes):
    chosen = birds.limit(3)
    foo.execute_operator(
        CLASSIFY,
        dataset=birds,
        selected=chosen.values("id"),
        params={**typed(*classes, advanced=True, **LIGHT), "view_target": "SELECTED_SAMPLES"},
    )
    birds.reload()
    assert birds.exists("zeroshot_clip").values("id") == chosen.values("id")


def test_run__of_a_grouped_dataset_the_active_slice(dataset, demo_images, classes):
    dataset.add_group_field("group", default="left")
    for left, right in zip(demo_images[:3], demo_images[3:6], strict=True):
        group = fo.Group()
        dataset.add_samples(
            [
                fo.Sample(filepath=left.path, group=group.element("left")),
                fo.Sample(filepath=right.path, group=group.element("right")),
            ]
        )
    params = typed(*classes, advanced=True, **LIGHT)
    properties, verdict = form(dataset, **params)
    assert not verdict.invalid
    assert properties["outlook"].view.label.startswith("3 images")
    assert "view_target" in properties
    request = {"dataset_name": dataset.name, "group_slice": "right", "params": params}
    operator = foo.get_operator(CLASSIFY)
    list(operator.execute(ExecutionContext(request, executor=Executor(), operator_uri=operator.uri)))
    dataset.reload()
    for name, count in (("left", 0), ("right", 3)):
        assert dataset.select_group_slices(name).count("zeroshot_lgca") == count


def test_sdk__call_classifies_a_view(birds, classes):
    operator = foo.get_operator(CLASSIFY)
    view = birds.limit(4)
    operator(view, classes=classes, encoder="demo", regions=lgca.RegionConfig(**LIGHT), methods=["clip", "wca"])
    birds.reload()
    assert birds.count("zeroshot_wca") == 4
    run = lgca.load_run(birds, "zeroshot")
    assert run.config.regions == lgca.RegionConfig(**LIGHT)
    assert "zeroshot_lgca" not in birds.get_field_schema()


def test_sdk__call_agrees_with_the_library(birds, classes, demo_encoder):
    options = {"classes": classes, "descriptions": {name: [f"a drawing of a {name}."] for name in classes}}
    regions = lgca.RegionConfig(**LIGHT)
    foo.get_operator(CLASSIFY)(birds, encoder="demo", run_key="app", regions=regions, **options)
    birds.reload()
    lgca.classify(birds, encoder=demo_encoder, run_key="lib", regions=regions, progress=False, **options)
    for method in ("clip", "wca", "lgca"):
        assert birds.values(f"app_{method}.label") == birds.values(f"lib_{method}.label")
        ours, theirs = birds.values(f"app_{method}.confidence"), birds.values(f"lib_{method}.confidence")
        assert ours == pytest.approx(theirs, abs=1e-6)


def test_sdk__class_names_travel_as_a_list(birds):
    names = ["duck, wild", "heron; grey"]
    foo.execute_operator(CLASSIFY, dataset=birds, params={"classes": names, "encoder": "demo", **LIGHT})
    birds.reload()
    assert lgca.load_run(birds, "zeroshot").config.classes == tuple(names)


def test_delegated__runs_in_a_worker_with_progress(birds, classes):
    result = foo.get_operator(CLASSIFY)(
        birds, classes=classes, encoder="demo", regions=LIGHT, run_key="later", delegate=True
    )
    assert result.delegated
    assert birds.list_runs() == []
    service = DelegatedOperationService()
    operation = service.get(result.result["id"])
    assert operation.label == "Classify zero-shot: later"
    outcome = asyncio.run(service._execute_operator(operation))
    assert outcome.error is None
    birds.reload()
    assert lgca.load_run(birds, "later").summary()["predicted"] == len(birds)
    assert service.get(operation.id).status.progress == 1.0
    service.delete_operation(operation.id)


def test_delete__says_what_goes_and_wants_it_confirmed(birds, classes):
    run_it(birds, **typed(*classes, advanced=True, **LIGHT))
    properties, verdict = form(birds, DELETE, run_key="zeroshot")
    assert verdict.invalid
    assert "confirm" in properties["confirm"].error_message
    for field in ("zeroshot_clip", "zeroshot_regions", "zeroshot_error"):
        assert field in properties["loss"].view.description
    with pytest.raises(ExecutionError):
        foo.execute_operator(DELETE, dataset=birds, params={"run_key": "zeroshot"})
    birds.reload()
    assert "zeroshot_clip" in birds.get_field_schema()


def test_delete__counts_what_is_there_now(birds, classes):
    run_it(birds, **typed(*classes, **LIGHT))
    for left in (8, 5):
        birds.delete_samples(birds.limit(len(birds) - left))
        properties, _ = form(birds, DELETE, run_key="zeroshot")
        assert f"of {left} predicted samples" in properties["loss"].view.description
    birds.clear_sample_field("zeroshot_clip")
    assert "of 0 predicted samples" in form(birds, DELETE, run_key="zeroshot")[0]["loss"].view.description


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"confirm": True}, "run_key must name the run to delete; this dataset's runs: zeroshot"),
        ({"run_key": "nowhere", "confirm": True}, "no zero-shot run 'nowhere'"),
        ({"run_key": "zeroshot"}, "confirm=True"),
        ({"run_key": "zeroshot", "confirm": "no"}, "confirm=True"),
    ],
)
def test_delete__past_the_form_is_refused_in_words(birds, classes, params, words):
    run_it(birds, **typed(*classes, **LIGHT))
    operator = foo.get_operator(DELETE)
    with pytest.raises(Exception, match=words):
        operator.execute(context(birds, operator, **params))
    assert lgca.list_runs(birds) == ["zeroshot"]


def test_delete__takes_the_run_and_nothing_else(birds, classes):
    before = set(birds.get_field_schema())
    for key in ("one", "two"):
        run_it(birds, **typed(*classes, advanced=True, run_key=key, **LIGHT))
    result = foo.get_operator(DELETE)(birds, "one")
    birds.reload()
    assert lgca.list_runs(birds) == ["two"]
    left = set(birds.get_field_schema())
    assert before < left
    assert not [field for field in left if field.startswith("one_")]
    assert result.result["run_key"] == "one"
    assert [request.operator_uri for request in result.executor._requests] == ["notify", "reload_dataset"]


def test_placement__delete_appears_with_the_first_run(birds, classes):
    operator = foo.get_operator(DELETE)
    assert operator.resolve_placement(context(birds, operator)) is None
    run_it(birds, **typed(*classes, advanced=True, **LIGHT))
    birds.reload()
    assert operator.resolve_placement(context(birds, operator)).place.value == "samples-grid-secondary-actions"


def test_form__tells_what_is_kept_on_disk_and_is_right(birds, classes, fresh_store):
    params = typed(*classes, advanced=True, **LIGHT)
    line = form(birds, **params)[0]["outlook"].view.description
    # 4 crops, of which 2 start chains: 4 + 1 regions; the whole image, and the image vectors of clip, wca and lgca
    nbytes = 8 * 4 * (128 * (1 + 3 + 5) + 4 * 5)
    assert line == f"Embeddings stored on disk: at most {nbytes / 1000:.0f} kB; the store holds 0 bytes of 20 GB"
    without = form(birds, **params, store_regions=False)[0]["outlook"].view.description
    assert without.startswith("Image vectors, without the embeddings of crops, stored on disk: at most 16 kB;")

    run_it(birds, **params)
    with sqlite3.connect(fresh_store / FILE_NAME) as connection:
        sizes = (
            "SELECT sum(length(whole)) FROM images",
            "SELECT sum(length(boxes) + length(embeddings)) FROM regions",
            "SELECT sum(length(vectors)) FROM samples",
        )
        kept = sum(connection.execute(query).fetchone()[0] for query in sizes)
    assert 0.9 * nbytes <= kept <= nbytes
    line = form(birds, **{**params, "run_key": "next"})[0]["outlook"].view.description
    assert re.search(r"the store holds [0-9.]+ [kM]B of 20 GB", line)


def test_form__warns_where_the_store_has_no_room(birds, classes, monkeypatch, fresh_store):
    params = typed(*classes)
    assert "room" not in form(birds, **params)[0]
    monkeypatch.setenv("LGCA_STORE_GB", "0.00001")
    assert form(birds, **params)[0]["room"].view.label == (
        "The store of embeddings may hold 10 kB: not all embeddings of this run can be stored"
    )
    monkeypatch.delenv("LGCA_STORE_GB")
    run_it(birds, **params)
    monkeypatch.setenv("LGCA_STORE_GB", "0.0006")
    assert form(birds, **{**params, "run_key": "next"})[0]["room"].view.label == (
        "The store of embeddings may hold 600 kB: "
        "embeddings of crops of the least recently used runs are deleted to make space"
    )
    monkeypatch.setenv("LGCA_STORE_GB", "much")
    assert "LGCA_STORE_GB must be a number" in errors(birds, **{**params, "run_key": "next"})["room"]
    monkeypatch.delenv("LGCA_STORE_GB")
    (fresh_store / FILE_NAME).unlink()
    (fresh_store / FILE_NAME).mkdir()  # can't be opened, and the run goes on without it
    properties, verdict = form(birds, **{**params, "run_key": "next"})
    assert "can't be opened" in properties["outlook"].view.description
    assert not verdict.invalid


def test_run__keeps_embeddings_of_crops_unless_told_not_to(birds, classes):
    properties, _ = form(birds, advanced=True)
    assert properties["store_regions"].default is True
    run_it(birds, **typed(*classes, **LIGHT))
    run_it(birds, **typed(*classes, advanced=True, store_regions=False, run_key="light", seed=1, **LIGHT))
    foo.get_operator(CLASSIFY)(
        birds, classes=classes, encoder="demo", regions={**LIGHT, "seed": 2}, run_key="sdk", store_regions=False
    )
    birds.reload()
    kept = {key: lgca.load_run(birds, key).summary()["stored"]["regions"] for key in ("zeroshot", "light", "sdk")}
    assert kept == {"zeroshot": True, "light": False, "sdk": False}


def test_delete__says_that_stored_embeddings_go_and_takes_them(birds, classes):
    run_it(birds, **typed(*classes, **LIGHT))
    loss = form(birds, DELETE, run_key="zeroshot")[0]["loss"].view.description
    assert loss.endswith("evaluations, and its stored embeddings that no other run uses; nothing else.")
    foo.get_operator(DELETE)(birds, "zeroshot")
    assert lgca.store_info().runs == []


def test_embedding_dim__comes_from_the_models_config(tmp_path):
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 640}, "preprocess_cfg": {}}')
    found = {
        name: embedding_dim(name)
        for name in (
            "demo",
            "ViT-B-32",
            "ViT-H-14",
            f"local-dir:{tmp_path}",
            "local-dir:/no/such",
            "hf-hub:a/b",
            "../x",
        )
    }
    assert list(found.values()) == [128, 512, 1024, 640, None, None, None]
    for text in ("[]", "{", '{"model_cfg": 3}', '{"embed_dim": "wide"}'):
        (tmp_path / "open_clip_config.json").write_text(text)
        assert embedding_dim(f"local-dir:{tmp_path}") is None
