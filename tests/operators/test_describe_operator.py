"""``lgca_describe_classes`` as FiftyOne executes it, against a real server: what is sent, when, and what is kept."""

import asyncio
import dataclasses
import json

import fiftyone as fo
import fiftyone.constants as foc
import fiftyone.operators as foo
import pytest
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionContext, ExecutionError, Executor, ValidationContext

import lgca_plugin as lgca
from tests.helpers import llm_server as llm
from tests.helpers.llm_server import dead_address, running_llm_server

DESCRIBE = "@lgca/zero-shot/lgca_describe_classes"
CLASSIFY = "@lgca/zero-shot/lgca_classify"
CLASSES = ("blue tit", "caspian tern", "grey heron")
KEY = "sk-this-stays-here"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Keeps the answers out of the user's own cache, and the user's own key out of the tests."""
    monkeypatch.setattr(foc, "FIFTYONE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server():
    with running_llm_server(CLASSES) as running:
        running.texts = 2
        yield running


@pytest.fixture
def birds(dataset, demo_images):
    dataset.add_samples(
        [
            fo.Sample(filepath=image.path, ground_truth=fo.Classification(label=label))
            for image, label in zip(demo_images[:3], CLASSES, strict=True)
        ]
    )
    return dataset


def context(dataset, operator, params):
    request = {"dataset_name": dataset.name, "params": params}
    return ExecutionContext(
        request_params=request,
        executor=Executor(),
        operator_uri=operator.uri,
        required_secrets=operator._plugin_secrets,
    )


def form(dataset, uri=DESCRIBE, **params):
    operator = foo.get_operator(uri)
    ctx = context(dataset, operator, params)
    inputs = operator.resolve_type(ctx, "inputs")
    properties = inputs.type.properties
    found = {name: prop.error_message for name, prop in properties.items() if prop.invalid}
    assert ValidationContext(ctx, inputs, operator).invalid == bool(found)
    return properties, found


def filled(server, *names, **params):
    """A form that is filled in and confirmed."""
    base_url = server if isinstance(server, str) else server.base_url
    typed = {"class_source": "typed", "classes": "\n".join(names or CLASSES)}
    return {**typed, "base_url": base_url, "model": llm.MODEL, "per_class": 2, "confirm": True, **params}


def run_it(dataset, params):
    """Executes the operator as the App does; returns its messages and the error it ends with."""
    operator = foo.get_operator(DESCRIBE)
    ctx = context(dataset, operator, params)
    assert not ValidationContext(ctx, operator.resolve_type(ctx, "inputs"), operator).invalid
    messages, failure = [], None
    try:
        for message in operator.execute(ctx):
            messages.append(message.body)  # noqa: PERF401, what came before an error counts too
    except Exception as error:  # noqa: BLE001, the plugin's own copy of the library has its own classes
        failure = error
    json.dumps([message.to_json() for message in messages])
    return messages, failure


def saved(dataset):
    dataset.reload()
    return dataset.info.get("lgca_descriptions", {})


def texts(name, count=2):
    return [f"a {name} with mark number {i}." for i in range(1, count + 1)]


def test_form__starts_with_openais_address_and_unconfirmed(birds):
    properties, found = form(birds)
    assert properties["base_url"].default == "https://api.openai.com/v1"
    assert set(found) == {"model", "confirm"}
    assert properties["sent"].view.label == (
        "The distinct labels of 'ground_truth' are sent to https://api.openai.com/v1; images are not."
    )
    assert properties["confirm"].view.label == "Send the class names to https://api.openai.com/v1"


def test_form__says_exactly_what_is_sent_and_sends_nothing(birds, server):
    properties, found = form(birds, **filled(server, topic="birds"))
    assert found == {}
    note = properties["sent"].view
    assert note.label == f"3 class names and the topic are sent to {server.base_url}; images are not."
    assert server.requests == []
    run_it(birds, filled(server, topic="birds"))
    assert {request.body["model"] for request in server.requests} == {llm.MODEL}
    first = next(request for request in server.requests if request.name == "blue tit")
    assert note.description.endswith(first.prompt)


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"classes": "duck"}, "classes", "at least two classes"),
        ({"classes": "duck\n\nduck"}, "classes", "blank"),
        ({"model": " "}, "model", "give the name of the model"),
        ({"base_url": ""}, "base_url", "base_url must be an address"),
        ({"base_url": "localhost:11434"}, "base_url", "base_url must be an address"),
        ({"base_url": "http://me:secret@host/v1"}, "base_url", "password"),
        ({"per_class": 0}, "per_class", "from 1 to 50"),
        ({"topic": "a\x00b"}, "topic", "control character"),
        ({"confirm": False}, "confirm", "tick to confirm"),
        ({"save_to": "/no/such/folder/a.json"}, "save_to", "no folder '/no/such/folder'"),
        ({"save_to": "texts.txt"}, "save_to", "must end in .json"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_sent(birds, server, params, field, words):
    _, found = form(birds, **filled(server, **params))
    assert words in found[field]
    assert set(found) == {field}
    with pytest.raises(ExecutionError):
        foo.execute_operator(DESCRIBE, dataset=birds, params=filled(server, **params))
    assert server.requests == []
    assert saved(birds) == {}


def test_execute__refuses_what_was_not_confirmed_even_without_a_form(birds, server):
    operator = foo.get_operator(DESCRIBE)
    with pytest.raises(ValueError, match="confirm that the class names may be sent"):
        operator.execute(context(birds, operator, filled(server, confirm=False)))
    assert server.requests == []


def test_form__asks_before_a_file_is_replaced(birds, server, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("{}")
    properties, found = form(birds, **filled(server, save_to=str(path)))
    assert "exists already" in found["save_to"]
    assert "replace_file" in properties
    assert form(birds, **filled(server, save_to=str(path), replace_file=True))[1] == {}


def test_form__without_a_dataset_says_so():
    operator = foo.get_operator(DESCRIBE)
    ctx = ExecutionContext(request_params={"params": {}}, executor=Executor(), operator_uri=DESCRIBE)
    assert "Open a dataset first" in operator.resolve_type(ctx, "inputs").type.properties["refusal"].error_message


def test_run__shows_the_texts_and_keeps_them_on_the_dataset_and_in_a_file(birds, server, tmp_path):
    path = tmp_path / "birds.json"
    schema = list(birds.get_field_schema())
    messages, failure = run_it(birds, filled(server, save_to=str(path)))
    assert failure is None
    expected = {name: texts(name) for name in CLASSES}
    assert saved(birds) == json.loads(path.read_text()) == expected
    assert sorted(server.asked) == sorted(CLASSES)
    steps = [m.params for m in messages if m.operator_uri == "set_progress"]
    assert steps[-1]["progress"] == 1.0
    assert messages[-2].params["message"] == "3 classes described"
    shown = messages[-1].params
    assert json.loads(shown["results"]["descriptions"].removeprefix("```json").removesuffix("```")) == expected
    assert str(path) in shown["results"]["kept"]
    assert list(birds.get_field_schema()) == schema


def test_run__of_a_label_field_asks_about_each_label_once(birds, server):
    birds.add_samples([fo.Sample(filepath="/no/such.jpg", ground_truth=fo.Classification(label=CLASSES[0]))])
    birds.add_samples([fo.Sample(filepath="/none.jpg")])
    messages, _ = run_it(birds, filled(server, class_source="field", classes=None, ground_truth="ground_truth"))
    assert sorted(server.asked) == sorted(CLASSES)
    assert messages[-2].params["message"] == "3 classes described"


def test_run__a_field_without_labels_is_refused_before_anything_is_sent(birds, server):
    birds.add_sample_field("empty", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    with pytest.raises(ExecutionError, match="has no labels to describe"):
        foo.execute_operator(
            DESCRIBE, dataset=birds, params=filled(server, class_source="field", classes=None, ground_truth="empty")
        )
    assert server.requests == []


def test_run__a_dead_endpoint_ends_in_one_sentence(birds):
    messages, failure = run_it(birds, filled(dead_address()))
    assert type(failure).__name__ == "DescribeError"
    heading = messages[-1].params["outputs"]["type"]["properties"]["heading"]["view"]
    assert heading["label"] == "The descriptions were not finished"
    assert heading["description"] == str(failure)
    assert "\n" not in str(failure)
    assert saved(birds) == {}


def test_run__what_was_fetched_before_the_end_is_kept_and_not_asked_again(birds, server):
    server.replies[CLASSES[2]] = dataclasses.replace(llm.KEY_REFUSED, delay=0.5)
    messages, failure = run_it(birds, filled(server))
    assert "the answers for 2 classes are kept in the cache" in str(failure)
    heading = messages[-1].params["outputs"]["type"]["properties"]["heading"]["view"]
    assert heading["description"] == str(failure)
    assert saved(birds) == {}

    del server.replies[CLASSES[2]]
    server.requests.clear()
    after, failure = run_it(birds, filled(server))
    assert failure is None
    assert server.asked == [CLASSES[2]]
    assert set(saved(birds)) == set(CLASSES)
    assert after[-2].params["message"] == "3 classes described, 2 of them from the cache"


def test_run__a_class_without_an_answer_is_named_and_the_others_are_kept(birds, server):
    server.replies["grey heron"] = llm.MALFORMED
    messages, failure = run_it(birds, filled(server))
    assert failure is None
    assert set(saved(birds)) == {"blue tit", "caspian tern"}
    assert messages[-2].params["message"] == "2 classes described, 1 without an answer"
    assert messages[-2].params["variant"] == "warning"
    failed = messages[-1].params["outputs"]["type"]["properties"]["failed"]["view"]
    assert failed["description"].startswith("grey heron: ")


def test_run__without_any_answer_writes_nothing_and_says_why(birds, server, tmp_path):
    server.default = llm.MALFORMED
    path = tmp_path / "birds.json"
    messages, failure = run_it(birds, filled(server, save_to=str(path)))
    assert failure is None
    assert saved(birds) == {}
    assert not path.exists()
    shown = messages[-1].params["outputs"]["type"]["properties"]
    assert set(shown) == {"heading", "failed"}
    assert shown["heading"]["view"]["label"] == "0 classes described, 3 without an answer"


def test_run__edited_texts_stay_and_their_classes_are_not_sent(birds, server):
    birds.info["lgca_descriptions"] = {"Blue_Tit": ["my own words"], "coot": ["a white shield"]}
    birds.save()
    properties, _ = form(birds, **filled(server))
    assert properties["sent"].view.label.startswith("2 class names are sent")
    messages, _ = run_it(birds, filled(server))
    assert sorted(server.asked) == ["caspian tern", "grey heron"]
    assert messages[-2].params["message"] == "2 classes described, 1 left as they were"
    assert {name: len(given) for name, given in saved(birds).items()} == {
        "blue tit": 1,
        "caspian tern": 2,
        "coot": 1,
        "grey heron": 2,
    }
    assert saved(birds)["blue tit"] == ["my own words"]

    run_it(birds, filled(server, replace=True))
    assert saved(birds)["blue tit"] == texts("blue tit")
    assert saved(birds)["coot"] == ["a white shield"]


def test_run__with_nothing_to_ask_sends_nothing_and_can_still_save_a_file(birds, server, tmp_path):
    birds.info["lgca_descriptions"] = {name: ["mine"] for name in CLASSES}
    birds.save()
    path = tmp_path / "mine.json"
    messages, failure = run_it(birds, filled(server, save_to=str(path)))
    assert failure is None
    assert server.requests == []
    assert json.loads(path.read_text()) == {name: ["mine"] for name in CLASSES}
    assert "3 left as they were" in messages[-2].params["message"]


def test_key__comes_from_the_secret_and_is_never_shown(birds, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.key = KEY
    properties, _ = form(birds, **filled(server))
    assert "OPENAI_API_KEY is sent" in properties["key"].view.label
    assert "unencrypted" not in properties["key"].view.label
    inputs = foo.get_operator(DESCRIBE).resolve_type(
        context(birds, foo.get_operator(DESCRIBE), filled(server)), "inputs"
    )
    assert KEY not in json.dumps(inputs.to_json())
    messages, failure = run_it(birds, filled(server))
    assert failure is None
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert KEY not in json.dumps([message.to_json() for message in messages])
    assert KEY not in json.dumps(saved(birds))


def test_key__the_form_says_when_there_is_none_and_when_it_travels_in_the_open(birds, monkeypatch):
    properties, _ = form(birds, **filled("http://127.0.0.1:11434/v1"))
    assert "is not set" in properties["key"].view.label
    assert "usually needs none" in properties["key"].view.label
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    properties, _ = form(birds, **filled("http://gpu.example/v1"))
    assert "unencrypted" in properties["key"].view.label


def test_classify__offers_what_the_dataset_has_and_runs_with_it(birds, server):
    chosen = {"class_source": "typed", "classes": "\n".join(CLASSES), "encoder": "demo", "methods": ["clip", "wca"]}
    properties, _ = form(birds, CLASSIFY, **chosen)
    assert "saved" not in properties["description_source"].type.values
    run_it(birds, filled(server))
    birds.info["lgca_descriptions"]["blue tit"] = ["a blue cap, as edited."]
    birds.save()
    properties, found = form(birds, CLASSIFY, **chosen, description_source="saved")
    assert found == {}
    assert "saved" in properties["description_source"].type.values
    assert "3 classes" in properties["saved_note"].view.label
    params = {**chosen, "description_source": "saved", "advanced": True, "crops": 4, "steps": 1}
    foo.execute_operator(CLASSIFY, dataset=birds, params=params)
    birds.reload()
    run = lgca.load_run(birds, "zeroshot")
    assert run.descriptions["blue tit"] == ["a blue cap, as edited."]
    assert run.descriptions["grey heron"] == texts("grey heron")


def test_classify__a_bad_edit_is_named_in_the_form(birds):
    birds.info["lgca_descriptions"] = {"blue tit": "a blue cap"}
    birds.save()
    _, found = form(
        birds, CLASSIFY, class_source="typed", classes="blue tit\ncoot", encoder="demo", description_source="saved"
    )
    assert "dataset.info['lgca_descriptions'] can't be used" in found["saved_note"]
    assert "must be a list of texts" in found["saved_note"]


def test_sdk__call_describes_the_labels_of_a_field(birds, server):
    foo.get_operator(DESCRIBE)(
        birds.view(), ground_truth="ground_truth", model=llm.MODEL, base_url=server.base_url, per_class=2
    )
    assert saved(birds) == {name: texts(name) for name in CLASSES}


def test_sdk__call_raises_what_went_wrong(birds, server):
    with pytest.raises(ExecutionError, match="no-such-model"):
        foo.get_operator(DESCRIBE)(birds, list(CLASSES), model="no-such-model", base_url=server.base_url)


def test_delegated__runs_in_a_worker(birds, server):
    result = foo.get_operator(DESCRIBE)(
        birds, list(CLASSES), model=llm.MODEL, base_url=server.base_url, per_class=2, delegate=True
    )
    assert result.delegated
    assert server.requests == []
    service = DelegatedOperationService()
    operation = service.get(result.result["id"])
    assert operation.label == f"Describe classes: {llm.MODEL}"
    outcome = asyncio.run(service._execute_operator(operation))
    assert outcome.error is None
    assert set(saved(birds)) == set(CLASSES)
    assert service.get(operation.id).status.progress == 1.0
    service.delete_operation(operation.id)


def test_keep__names_with_dots_and_dollars_and_two_spellings(birds, server):
    server.classes = []
    names = ("St. Bernard", "$cash", "Grey_Heron", "grey heron")
    _, failure = run_it(birds, filled(server, *names))
    assert failure is None
    assert set(saved(birds)) == {"St. Bernard", "$cash", "grey heron"}
