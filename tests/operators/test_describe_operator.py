"""``lgca_describe_classes`` as FiftyOne executes it, against a real server: what is sent, when, and what is kept."""

import dataclasses
import json

import fiftyone as fo
import fiftyone.constants as foc
import pytest
from fiftyone.operators.executor import ExecutionError

import lgca_plugin as lgca
from tests.helpers import llm_server as llm
from tests.helpers.app.operators import CLASSIFY, DESCRIBE, notice, progress, shown, work
from tests.helpers.llm_server import running_llm_server

CLASSES = ("blue tit", "caspian tern", "grey heron")
KEY = "sk-this-stays-here"


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """Keeps the answers out of the user's own cache, and the user's own key out of the tests."""
    monkeypatch.setattr(foc, "FIFTYONE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("LGCA_EXPORT_DIR", str(tmp_path))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture
def server(monkeypatch):
    """A language model's server that the App may send requests to, without the server's key."""
    with running_llm_server(CLASSES) as running:
        monkeypatch.setenv("LGCA_LLM_HOSTS", running.base_url.removesuffix("/v1"))
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


def filled(server, *names, **params):
    """A form that is filled in and confirmed."""
    base_url = server if isinstance(server, str) else server.base_url
    typed = {"class_source": "typed", "classes": "\n".join(names or CLASSES)}
    return {**typed, "base_url": base_url, "model": llm.MODEL, "per_class": 2, "confirm": True, **params}


def save(dataset, descriptions):
    dataset.info["lgca_descriptions"] = descriptions
    dataset.save()


def saved(dataset):
    dataset.reload()
    return dataset.info.get("lgca_descriptions", {})


def texts(name):
    return list(llm.good_texts(name, 2))


def test_form__starts_with_openais_address_and_unconfirmed(birds):
    properties, found = DESCRIBE.form(birds)
    assert properties["base_url"].default == "https://api.openai.com/v1"
    assert set(found) == {"model_is_missing", "confirm_is_missing"}
    assert properties["sent"].view.label == (
        "The distinct labels of 'ground_truth' are sent to https://api.openai.com/v1; images are not."
    )
    assert properties["confirm"].view.label == "Send the class names to https://api.openai.com/v1"


def test_form__says_exactly_what_is_sent_and_sends_nothing(birds, server):
    properties, found = DESCRIBE.form(birds, **filled(server, topic="birds"))
    assert found == {}
    note = properties["sent"].view
    assert note.label == f"3 class names and the topic are sent to {server.base_url}; images are not."
    assert server.requests == []
    DESCRIBE.run(birds, **filled(server, topic="birds"))
    assert {request.body["model"] for request in server.requests} == {llm.MODEL}
    first = next(request for request in server.requests if request.name == "blue tit")
    assert note.description.endswith(first.prompt)


@pytest.mark.parametrize(
    ("params", "field", "words"),
    [
        ({"classes": "duck\n\nduck"}, "classes", "blank"),
        ({"model": " "}, "model", "give the name of the model"),
        ({"base_url": "http://me:secret@host/v1"}, "base_url", "password"),
        ({"per_class": 0}, "per_class", "from 1 to 50"),
        ({"topic": "a\x00b"}, "topic", "control character"),
        ({"confirm": False}, "confirm_is_missing", "tick “Send the class names to "),
        ({"save_to": "/no/such/folder/a.json"}, "save_to", "without a folder"),
        ({"save_to": "texts.txt"}, "save_to", "must end in .json"),
    ],
)
def test_form__bad_input_is_shown_under_its_field_and_nothing_is_sent(birds, server, params, field, words):
    _, found = DESCRIBE.form(birds, **filled(server, **params))
    assert words in found[field]
    assert set(found) == {field}
    with pytest.raises(ExecutionError):
        DESCRIBE.execute(birds, **filled(server, **params))
    assert server.requests == []
    assert saved(birds) == {}


def test_execute__refuses_what_was_not_confirmed_even_without_a_form(birds, server):
    with pytest.raises(ValueError, match="confirm that the class names may be sent"):
        DESCRIBE.begin(DESCRIBE.context(birds, filled(server, confirm=False)))
    assert server.requests == []


def test_form__asks_before_a_file_is_replaced(birds, server, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("{}")
    properties, found = DESCRIBE.form(birds, **filled(server, save_to=str(path)))
    assert "exists already" in found["save_to"]
    assert "replace_file" in properties
    assert DESCRIBE.form(birds, **filled(server, save_to=str(path), replace_file=True))[1] == {}


def test_run__shows_the_texts_and_keeps_them_on_the_dataset_and_in_a_file(birds, server, tmp_path):
    path = tmp_path / "birds.json"
    schema = list(birds.get_field_schema())
    messages = DESCRIBE.run(birds, **filled(server, save_to=str(path)))
    expected = {name: texts(name) for name in CLASSES}
    assert saved(birds) == json.loads(path.read_text()) == expected
    assert sorted(server.requested) == sorted(CLASSES)
    assert progress(messages)[-1] == 1.0
    assert notice(messages) == "3 classes described"
    values = shown(messages)["values"]
    assert json.loads(values["descriptions"].removeprefix("```json").removesuffix("```")) == expected
    assert str(path) in values["kept"]
    assert list(birds.get_field_schema()) == schema


def test_run__of_a_label_field_asks_about_each_label_once(birds, server):
    again = fo.Sample(filepath="/no/such.jpg", ground_truth=fo.Classification(label=CLASSES[0]))
    birds.add_samples([again, fo.Sample(filepath="/none.jpg")])
    messages = DESCRIBE.run(birds, **filled(server, class_source="field", classes=None, ground_truth="ground_truth"))
    assert sorted(server.requested) == sorted(CLASSES)
    assert notice(messages) == "3 classes described"


def test_run__a_field_without_labels_is_refused_before_anything_is_sent(birds, server):
    birds.add_sample_field("empty", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    with pytest.raises(ExecutionError, match="has no labels to describe"):
        DESCRIBE.execute(birds, **filled(server, class_source="field", classes=None, ground_truth="empty"))
    assert server.requests == []


def test_run__what_was_fetched_before_the_end_is_kept_and_not_asked_again(birds, server):
    server.replies[CLASSES[2]] = dataclasses.replace(llm.KEY_REFUSED, delay=0.5)
    messages, error = DESCRIBE.run_to_error(birds, **filled(server))
    assert type(error).__name__ == "DescribeError"
    assert "the answers for 2 classes are cached" in str(error) and "\n" not in str(error)
    heading = shown(messages)["views"]["heading1"]
    assert heading["label"] == "The descriptions were not finished"
    assert heading["description"].replace("\\", "") == str(error)
    assert saved(birds) == {}

    del server.replies[CLASSES[2]]
    server.requests.clear()
    after = DESCRIBE.run(birds, **filled(server))
    assert server.requested == [CLASSES[2]]
    assert set(saved(birds)) == set(CLASSES)
    assert notice(after) == "3 classes described, 2 of them from the cache"


def test_run__a_class_without_an_answer_is_named_and_the_others_are_kept(birds, server):
    server.replies["grey heron"] = llm.MALFORMED
    messages = DESCRIBE.run(birds, **filled(server))
    assert set(saved(birds)) == {"blue tit", "caspian tern"}
    assert notice(messages) == "2 classes described, 1 without an answer"
    assert messages[-2].params["variant"] == "warning"
    assert shown(messages)["views"]["failed"]["description"].startswith("grey heron: ")


def test_run__without_any_answer_writes_nothing_and_says_why(birds, server, tmp_path):
    server.default = llm.MALFORMED
    path = tmp_path / "birds.json"
    messages = DESCRIBE.run(birds, **filled(server, save_to=str(path)))
    assert saved(birds) == {}
    assert not path.exists()
    views = shown(messages)["views"]
    assert set(views) == {"heading", "failed"}
    assert views["heading"]["label"] == "0 classes described, 3 without an answer"


def test_run__edited_texts_stay_and_their_classes_are_not_sent(birds, server, tmp_path):
    save(birds, {"Blue_Tit": ["my own words"], "coot": ["a white shield"]})
    properties, _ = DESCRIBE.form(birds, **filled(server))
    assert properties["sent"].view.label.startswith("2 class names are sent")
    messages = DESCRIBE.run(birds, **filled(server))
    assert sorted(server.requested) == ["caspian tern", "grey heron"]
    assert notice(messages) == "2 classes described, 1 left as they were"
    own = {"blue tit": ["my own words"], "coot": ["a white shield"]}
    assert saved(birds) == {**own, **{name: texts(name) for name in CLASSES[1:]}}

    server.requests.clear()
    path = tmp_path / "mine.json"
    messages = DESCRIBE.run(birds, **filled(server, save_to=str(path)))  # nothing is left to describe
    assert server.requests == []
    assert json.loads(path.read_text()) == {name: saved(birds)[name] for name in CLASSES}
    assert "3 left as they were" in notice(messages)

    DESCRIBE.run(birds, **filled(server, replace=True))
    assert saved(birds)["blue tit"] == texts("blue tit")
    assert saved(birds)["coot"] == ["a white shield"]


def test_key__comes_from_the_secret_and_is_never_shown(birds, server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LGCA_KEY_HOSTS", server.base_url.removesuffix("/v1"))
    server.key = KEY
    properties, _ = DESCRIBE.form(birds, **filled(server))
    assert "secret OPENAI_API_KEY is sent" in properties["key"].view.label
    assert "unencrypted" not in properties["key"].view.label
    inputs = DESCRIBE.operator.resolve_type(DESCRIBE.context(birds, filled(server)), "inputs")
    assert KEY not in json.dumps(inputs.to_json())
    messages = DESCRIBE.run(birds, **filled(server))
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert KEY not in json.dumps([message.to_json() for message in messages])
    assert KEY not in json.dumps(saved(birds))


def test_key__the_form_says_when_there_is_none_and_when_it_travels_in_the_open(birds, monkeypatch):
    properties, _ = DESCRIBE.form(birds, **filled("http://127.0.0.1:11434/v1"))
    assert "No key is sent" in properties["key"].view.label
    assert "usually needs none" in properties["key"].view.label
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("LGCA_KEY_HOSTS", "http://gpu.example")
    properties, _ = DESCRIBE.form(birds, **filled("http://gpu.example/v1"))
    assert "unencrypted" in properties["key"].view.label


def test_classify__offers_what_the_dataset_has_and_runs_with_it(birds, server):
    chosen = {"class_source": "typed", "classes": "\n".join(CLASSES), "encoder": "demo", "methods": ["clip", "wca"]}
    properties, _ = CLASSIFY.form(birds, **chosen)
    assert "saved" not in properties["description_source"].type.values
    DESCRIBE.run(birds, **filled(server))
    save(birds, {**saved(birds), "blue tit": ["a blue cap, as edited."]})
    properties, found = CLASSIFY.form(birds, **chosen, description_source="saved")
    assert found == {}
    assert "saved" in properties["description_source"].type.values
    assert "3 classes" in properties["saved_note"].view.label
    CLASSIFY.execute(birds, **chosen, description_source="saved", crops=4, steps=1)
    run = lgca.load_run(birds, "zeroshot")
    assert run.descriptions["blue tit"] == ["a blue cap, as edited."]
    assert run.descriptions["grey heron"] == texts("grey heron")


def test_classify__a_bad_edit_is_named_in_the_form(birds):
    save(birds, {"blue tit": "a blue cap"})
    _, found = CLASSIFY.form(
        birds, class_source="typed", classes="blue tit\ncoot", encoder="demo", description_source="saved"
    )
    assert "dataset.info['lgca_descriptions'] can't be used" in found["saved_note"]
    assert "must be a list of texts" in found["saved_note"]


def test_sdk__call_describes_the_labels_of_a_field(birds, server):
    DESCRIBE.call(birds.view(), ground_truth="ground_truth", model=llm.MODEL, base_url=server.base_url, per_class=2)
    assert saved(birds) == {name: texts(name) for name in CLASSES}


def test_sdk__call_raises_what_went_wrong(birds, server):
    with pytest.raises(lgca.DescribeError, match="no-such-model"):
        DESCRIBE.call(birds, list(CLASSES), model="no-such-model", base_url=server.base_url)


def test_delegated__runs_in_a_worker(birds, server):
    options = {"model": llm.MODEL, "base_url": server.base_url, "per_class": 2}
    queued = DESCRIBE.queue(birds, list(CLASSES), **options)
    assert server.requests == []
    assert work(queued, birds) == f"Describe classes: {llm.MODEL}"
    assert set(saved(birds)) == set(CLASSES)


def test_keep__names_with_dots_and_dollars_and_two_spellings(birds, server):
    server.classes = []
    names = ("St. Bernard", "$cash", "Grey_Heron", "grey heron")
    DESCRIBE.run(birds, **filled(server, *names))
    assert set(saved(birds)) == {"St. Bernard", "$cash", "grey heron"}
