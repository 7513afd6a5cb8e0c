"""The operators as FiftyOne executes them: forms, errors before anything is written, runs, delegation, deletion."""

import asyncio
import base64
import itertools
import json
import re
import sqlite3

import fiftyone as fo
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor, ValidationContext

import lgca_plugin as lgca
from lgca_plugin.dataset.store_file import FILE_NAME
from lgca_plugin.model.architectures import embedding_dim

CLASSIFY = "@lgca/zero-shot/lgca_classify"
DELETE = "@lgca/zero-shot/lgca_delete_run"
LIGHT = {"crops": 4, "steps": 1}  # region settings that keep the tests quick


@pytest.fixture
def birds(dataset, demo_images):
    """Eight drawn birds with a label field of two classes and a field that is no label."""
    dataset.add_samples(
        [
            fo.Sample(
                filepath=image.path,
                ground_truth=fo.Classification(label=image.label),
                boxes=fo.Detections(),
                taken=fo.Classification(label="x"),
                number=1.0,
            )
            for image in demo_images[:8]
        ]
    )
    return dataset


@pytest.fixture
def classes(demo_images):
    return sorted({image.truth for image in demo_images})[:3]


def context(dataset, operator, **params):
    request = {"dataset_name": dataset.name, "params": params}
    return ExecutionContext(request_params=request, executor=Executor(), operator_uri=operator.uri)


def form(dataset, uri=CLASSIFY, **params):
    """The form for some parameters, and FiftyOne's verdict on them."""
    operator = foo.get_operator(uri)
    ctx = context(dataset, operator, **params)
    inputs = operator.resolve_type(ctx, "inputs")
    return inputs.type.properties, ValidationContext(ctx, inputs, operator)


def errors(dataset, uri=CLASSIFY, **params):
    """Field name to message for everything the form complains about."""
    properties, verdict = form(dataset, uri, **params)
    found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
    assert verdict.invalid == bool(found)
    return found


def typed(*names, **params):
    return {"class_source": "typed", "classes": "\n".join(names), "encoder": "demo", **params}


def uploaded(data, name="descriptions.json"):
    """What the App sends for a file that was chosen in the form."""
    content = "data:application/json;base64," + base64.b64encode(data).decode()
    file = {"name": name, "type": "application/json", "size": len(data), "content": content, "last_modified": 0}
    return typed("a", "b", description_source="upload", description_upload=file)


def run_it(dataset, **params):
    """Executes the operator as the App does, and returns the messages that the App would receive."""
    operator = foo.get_operator(CLASSIFY)
    ctx = context(dataset, operator, **params)
    assert not ValidationContext(ctx, operator.resolve_type(ctx, "inputs"), operator).invalid
    return [message.body for message in operator.execute(ctx)]


def test_form__starts_valid_with_the_label_field_and_the_published_defaults(birds):
    properties, verdict = form(birds)
    assert not verdict.invalid
    assert properties["class_source"].default == "field"
    assert properties["ground_truth"].default == "ground_truth"
    assert properties["methods"].default == ["clip", "wca", "lgca"]
    assert (properties["model"].default, properties["pretrained"].default) == ("ViT-B-32-quickgelu", "openai")
    assert properties["run_key"].default == "zeroshot"
    assert properties["outlook"].view.label == "8 images x 87 encodes = 696 encodes"


def test_run__with_uploaded_descriptions(birds):
    texts = {"Caspian_Tern": ["an orange beak"], "blue-tit": ["a yellow breast"]}
    upload = uploaded(json.dumps(texts).encode())
    run_it(birds, **{**upload, "classes": "caspian tern\nblue tit", "run_key": "up"})
    assert lgca.load_run(birds, "up").descriptions == {
        "caspian tern": ["caspian tern, which has an orange beak."],
        "blue tit": ["blue tit, which has a yellow breast."],
    }


def test_form__offers_classification_fields_only(birds):
    properties, _ = form(birds)
    assert properties["ground_truth"].type.values == ["ground_truth", "taken"]


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


def test_form__explains_every_method(birds):
    properties, _ = form(birds)
    choices = properties["methods"].view.choices
    assert {choice.value for choice in choices} == set(lgca.METHODS)
    assert all(choice.description for choice in choices)


def test_form__without_label_fields_asks_for_names(dataset, demo_images):
    dataset.add_sample(fo.Sample(filepath=demo_images[0].path))
    properties, _ = form(dataset)
    assert properties["class_source"].type.values == ["typed"]
    assert "ground_truth" not in properties


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        (typed("duck", "", "heron"), "classes", "class 2 of classes is blank"),
        (typed("duck", "heron", " duck "), "classes", "'duck' is given twice"),
        (typed("duck"), "classes", "at least two classes"),
        (typed(""), "classes", "one a line"),
        ({"class_source": "field", "ground_truth": "nowhere"}, "ground_truth", "'nowhere' is no Classification"),
        ({"class_source": "field", "ground_truth": "boxes"}, "ground_truth", "'boxes' is no Classification"),
        (typed("a", "b", run_key="my run"), "run_key", "letters, digits and _"),
        (typed("a", "b", run_key="1st"), "run_key", "start with a letter"),
        (typed("a", "b", methods=[]), "methods", "methods is empty"),
        (typed("a", "b", methods=["clip", "magic"]), "methods", "unknown method 'magic'"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-16", pretrained=""), "pretrained", "pretrained tag"),
        (typed("a", "b", encoder="open_clip", model="ViT-B-33"), "model", "no model 'ViT-B-33'; did you mean ViT-B-32"),
        (typed("a", "b", encoder="checkpoint", model="ViT-B-33"), "model", "did you mean ViT-B-32"),
        (typed("a", "b", encoder="open_clip", model="local-dir:/no/such"), "model", "no model in '/no/such'"),
        (typed("a", "b", encoder="checkpoint", checkpoint="/no/such.pt"), "checkpoint", "no file '/no/such.pt'"),
        (typed("a", "b", description_source="typed", descriptions="{"), "descriptions", "not JSON"),
        (typed("a", "b", description_source="typed", descriptions="[1]"), "descriptions", "must map each class"),
        (typed("a", "b", description_source="upload"), "description_upload", "choose a JSON file"),
        (uploaded(b"\xff\xfe"), "description_upload", "not UTF-8"),
        (uploaded(b'{"a": 3}'), "description_upload", "must be a list of texts"),
        (typed("a", "b", description_source="file"), "description_file", "give the path"),
        (typed("a", "b", advanced=True, crops=0), "crops", "crops must be at least 1"),
        (typed("a", "b", advanced=True, crops=2.5), "crops", "whole number"),
        (typed("a", "b", advanced=True, scale_min=0.9, scale_max=0.5), "scale_min", "must not exceed scale_max"),
        (typed("a", "b", advanced=True, scale_max=1.5), "scale_min", "at most 1"),
        (typed("a", "b", advanced=True, steps=-1), "steps", "steps must be at least 0"),
        (typed("a", "b", advanced=True, keep=1.0), "keep", "keep must be between 0 and 1"),
        (typed("a", "b", advanced=True, growth=1.0), "growth", "growth must be greater than 1"),
        (typed("a", "b", crops=0), "crops", "crops must be at least 1"),
        (typed("a", "b", advanced=True, precision="fp12"), "precision", "must be one of auto, fp32"),
        (typed("a", "b", advanced=True, batch_size=0), "batch_size", "at least 1"),
        (typed("a", "b", advanced=True, shown_chains=-1), "shown_chains", "at least 0"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_written(birds, params, field, words):
    before = (list(birds.get_field_schema()), birds.list_runs())
    found = errors(birds, **params)
    assert list(found) == [field]
    assert words in found[field]
    with pytest.raises(ExecutionError):
        foo.execute_operator(CLASSIFY, dataset=birds, params=params)
    birds.reload()
    assert (list(birds.get_field_schema()), birds.list_runs()) == before


def test_form__takes_every_kind_of_model_name(birds):
    names = ("ViT-L-14", "demo", "hf-hub:someone/some-model")
    assert [errors(birds, **typed("a", "b", encoder="open_clip", model=name)) for name in names] == [{}, {}, {}]


def test_form__advanced_settings_count_only_while_switched_on(birds):
    properties, _ = form(birds, **typed("a", "b", advanced=False, crops=5))
    assert "8 images x 87 encodes" in properties["outlook"].view.label
    properties, _ = form(birds, **typed("a", "b", advanced=True, crops=5, steps=0))
    assert properties["outlook"].view.label == "8 images x 6 encodes = 48 encodes"


def test_form__settings_given_without_their_switch_count(birds):
    texts = json.dumps({"a": ["a bird"], "b": ["a fish"]})
    properties, _ = form(birds, **typed("a", "b", crops=5, steps=0, descriptions=texts))
    assert properties["outlook"].view.label == "8 images x 6 encodes = 48 encodes"
    assert properties["advanced"].default is True
    assert properties["description_source"].default == "typed"
    assert "descriptions" in errors(birds, **typed("a", "b", descriptions="{"))


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


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"shown_chains": 2}, "shown_chains"),
        ({"ground_truth": "taken"}, "ground_truth"),
        ({"precision": "bf16"}, "precision"),
        ({"precision": "fp32"}, None),
        ({"seed": 1}, "regions"),
        ({"logits": True}, "logits"),
        ({"descriptions": '{"a": ["a bird."], "b": ["a fish."]}'}, None),
        ({"descriptions": '{"a": ["a bird."], "b": ["a cat."]}'}, "descriptions"),
        ({"descriptions": '{"a": ["a bird."]}'}, "descriptions"),
        ({"descriptions": None}, "descriptions"),
    ],
)
def test_form__whatever_the_run_would_refuse_is_refused_in_the_form(birds, change, name):
    texts = '{"a": ["a bird."], "b": ["a fish."]}'
    params = typed("a", "b", advanced=True, ground_truth="ground_truth", descriptions=texts, **LIGHT)
    run_it(birds, **params)
    assert errors(birds, **params) == {}
    found = errors(birds, **{**params, **change})
    assert found == {} if name is None else f"other settings ({name})" in found["run_key"]


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


def test_run__model_that_is_not_there_is_told_and_nothing_is_written(birds):
    operator = foo.get_operator(CLASSIFY)
    ctx = context(birds, operator, **typed("a", "b", encoder="open_clip", model="ViT-B-32", pretrained="no-such"))
    messages = []
    with pytest.raises(Exception, match="no-such"):
        messages.extend(operator.execute(ctx))
    shown = messages[-1].body
    assert shown.operator_uri == "show_output"
    assert "no-such" in shown.params["outputs"]["type"]["properties"]["heading"]["view"]["description"]
    birds.reload()
    assert birds.list_runs() == []


def test_run__a_field_with_one_label_is_refused_before_anything_is_loaded(birds):
    with pytest.raises(ExecutionError, match="at least two classes"):
        foo.execute_operator(CLASSIFY, dataset=birds, params={"ground_truth": "taken", "encoder": "demo"})
    birds.reload()
    assert birds.list_runs() == []


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


def test_sdk__call_refuses_blank_names_that_a_form_would_trim(birds):
    with pytest.raises(ValueError, match="class 3 of classes is blank"):
        foo.get_operator(CLASSIFY)(birds, classes=["a", "b", " "], encoder="demo")


def test_sdk__class_names_travel_as_a_list(birds):
    names = ["duck, wild", "heron; grey"]
    foo.execute_operator(CLASSIFY, dataset=birds, params={"classes": names, "encoder": "demo", **LIGHT})
    birds.reload()
    assert lgca.load_run(birds, "zeroshot").config.classes == tuple(names)


@pytest.mark.parametrize("separator", ["\n", "\x85", "\u2028"])
def test_sdk__call_makes_no_two_classes_of_one(birds, separator):
    with pytest.raises(ValueError, match="line break"):
        foo.get_operator(CLASSIFY)(birds, classes=[f"duck{separator}heron", "owl"], encoder="demo")


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


def test_delete__without_runs_says_so(birds):
    assert errors(birds, DELETE) == {"refusal": "There is no zero-shot run to delete on this dataset."}


@pytest.mark.parametrize("uri", [CLASSIFY, DELETE])
def test_form__without_an_open_dataset_says_so(uri):
    operator = foo.get_operator(uri)
    ctx = ExecutionContext(request_params={"params": {}}, executor=Executor(), operator_uri=uri)
    inputs = operator.resolve_type(ctx, "inputs")
    assert "dataset" in inputs.type.properties["refusal"].error_message
    assert ValidationContext(ctx, inputs, operator).invalid
    operator.resolve_placement(ctx)


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
    assert line == f"Embeddings kept on disk: at most {nbytes / 1000:.0f} kB; the store holds 0 bytes of 20 GB"
    without = form(birds, **params, store_regions=False)[0]["outlook"].view.description
    assert without.startswith("Image vectors, without the embeddings of crops, kept on disk: at most 16 kB;")

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


@pytest.mark.parametrize(
    ("model", "size"),
    [("ViT-B-32-quickgelu", "1.5 MB"), ("ViT-L-14", "2.2 MB"), ("hf-hub:someone/some-model", "an unknown size")],
)
def test_form__size_on_disk_follows_the_model(birds, model, size):
    params = typed("a", "b", encoder="open_clip", model=model, pretrained="openai")
    assert size in form(birds, **params)[0]["outlook"].view.description


def test_form__warns_where_the_store_has_no_room(birds, classes, monkeypatch, fresh_store):
    params = typed(*classes)
    assert "room" not in form(birds, **params)[0]
    monkeypatch.setenv("LGCA_STORE_GB", "0.00001")
    assert form(birds, **params)[0]["room"].view.label == (
        "The store of embeddings may hold 10 kB: not all embeddings of this run can be kept"
    )
    monkeypatch.delenv("LGCA_STORE_GB")
    run_it(birds, **params)
    monkeypatch.setenv("LGCA_STORE_GB", "0.0006")
    assert form(birds, **{**params, "run_key": "next"})[0]["room"].view.label == (
        "The store of embeddings may hold 600 kB: embeddings of crops of runs used longest ago are deleted to make room"
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
    assert loss.endswith("evaluations, and those of its stored embeddings that no other run holds; nothing else.")
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
