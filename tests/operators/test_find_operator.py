"""``lgca_find_wrong_labels`` as FiftyOne executes it: the form with its cost, the answer, and what comes next."""

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.app.operators import CLASSIFY, TRIAGE, AppOperator, notice, progress, shown, warned, work
from tests.helpers.worlds.birds import like_the_demo
from tests.helpers.worlds.classify import LIGHT, typed

pytestmark = pytest.mark.usefixtures("module_store")

FIND = AppOperator("lgca_find_wrong_labels")
ESTIMATE = AppOperator("lgca_estimate_search")
NEXT = AppOperator("lgca_next_step")
WORDS = (
    "wrong labels",
    "mistakes",
    "mistake",
    "label errors",
    "label quality",
    "mislabeled",
    "mislabelled",
    "cleanlab",
    "triage",
    "zero-shot",
)


@pytest.fixture
def birds(dataset, demo_images):
    """Twelve birds that count as the demo, the first with a wrong label."""
    return like_the_demo(dataset, demo_images[:12])


def dialog_of(messages):
    """All that the last dialog holds, as text."""
    return str(next(message.params for message in reversed(messages) if message.operator_uri == "show_output"))


def loader_name(properties):
    return next(name for name in properties if name.startswith("cost_"))


def estimated(dataset, **params):
    """The form's fields and errors once the estimate is there, which the App executes as the form has it."""
    properties, _ = FIND.form(dataset, **params)
    name = loader_name(properties)
    loader = properties[name].view.to_json()
    assert loader["operator"] == ESTIMATE.uri
    result, _ = ESTIMATE.run_at_once(dataset, **loader["params"])
    return FIND.form(dataset, **params, **{name: {"state": "loaded", "data": result}})


def test_operator_browser__finds_it_first_under_the_words_that_people_use():
    """The App searches label, URI and description, and sorts by the first character of the description."""
    config = FIND.operator.config
    for word in WORDS:
        assert word in f"{config.label}\n{FIND.uri}\n{config.description}".lower()
    others = ("classify", "triage", "rescore", "evaluate", "decide", "open_review", "open_compare", "describe_classes")
    descriptions = [AppOperator(f"lgca_{name}").operator.config.description for name in others]
    assert config.description[0] < min(description[0] for description in descriptions)


def test_form__is_short_and_can_be_submitted_while_the_cost_is_measured(birds):
    properties, errors = FIND.form(birds)
    assert errors == {}
    assert [name for name in properties if not name.startswith("cost_")] == ["ground_truth", "model_choice", "more"]
    assert (properties["ground_truth"].default, properties["model_choice"].default) == ("ground_truth", "demo")
    assert "you can start without waiting" in properties[loader_name(properties)].view.to_json()["label"]


def test_form__the_cost_is_measured_then_known_and_small_the_second_time(birds):
    properties, errors = estimated(birds)
    assert errors == {}
    assert properties["cost"].view.label.startswith("About ")
    assert properties["cost"].view.label.endswith(" for 12 pictures on this machine's CPU")
    assert properties["cost"].view.description == "Measured on 12 of your pictures"
    FIND.run(birds)
    properties, _ = estimated(birds)
    assert properties["cost"].view.label.startswith("A few seconds: all 12 pictures are classified already")
    assert properties["cost"].view.description == "Your decisions stay"
    birds.add_samples([fo.Sample(filepath=one.filepath, ground_truth=one.ground_truth) for one in birds.limit(3)])
    properties, _ = estimated(birds)
    assert "for 3 pictures on this machine's CPU: new or changed among 15" in properties["cost"].view.label


def test_form__a_model_that_is_not_here_is_said_in_the_apps_words(birds):
    properties, errors = estimated(birds, model_choice="default")
    (message,) = errors.values()
    assert message == properties["cost"].view.label
    assert message.startswith(
        "The weights of ViT-B-32-quickgelu/openai are not on this machine, and the internet can't"
    )
    assert "pretrained" not in message


def test_form__labels_outside_the_classes_are_named(birds):
    properties, errors = estimated(birds, more=True, class_source="typed", classes="grey heron\ngreat egret")
    assert errors == {}
    assert "labels that the classes leave out" in properties["warning0"].view.label


def test_form__goes_back_from_typed_classes_to_those_of_the_labels(birds):
    chosen = {"more": True, "class_source": "typed", "classes": "grey heron\ngreat egret\nswan"}
    FIND.run(birds, **chosen)
    run = lgca.load_run(birds, "zeroshot")
    assert run.config.classes == ("grey heron", "great egret", "swan")
    properties, _ = FIND.form(birds, more=True)
    assert [one.value for one in properties["class_source"].view.choices] == ["field", "labels", "typed"]
    FIND.run(birds, more=True, class_source="labels")
    assert set(lgca.load_run(birds, "zeroshot").config.classes) == set(CLASSES)  # which are the dataset's own


@pytest.mark.parametrize(
    ("params", "field", "sentence"),
    [
        ({"class_source": "typed", "classes": "one"}, "classes", "at least two classes"),
        ({"methods": ["clip"]}, "methods", "no method that looks at crops"),
        ({"run_key": "no key"}, "run_key", "letters, digits"),
    ],
)
def test_form__wrong_entries_under_more_are_marked(birds, params, field, sentence):
    assert sentence in FIND.errors(birds, more=True, **params)[field]


def test_form__without_labels_is_a_sentence(dataset):
    dataset.add_sample(fo.Sample(filepath="a.jpg"))
    assert "there are no labels to check" in FIND.errors(dataset)["refusal"]
    dataset.add_sample_field("boxes", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections)
    assert "are on boxes, in boxes: show the patches" in FIND.errors(dataset)["refusal"]
    dataset.add_sample_field("label", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    (sentence,) = estimated(dataset)[1].values()
    assert sentence.startswith("No image has a label in 'label', so")
    dataset.set_values("label", [fo.Classification(label="crow")])
    (sentence,) = estimated(dataset)[1].values()
    assert sentence.startswith("The only label in 'label' is 'crow': type at least one other class")


def test_run__answers_the_question_and_opens_the_review(birds, tmp_path):
    last = birds.last()
    grey = np.asarray(Image.open(last.filepath).convert("L"), dtype=np.uint16) * 16  # 12 bits of 16
    last.filepath = str(tmp_path / "grey.png")
    Image.fromarray(grey).save(last.filepath)
    last.save()
    birds.clone_sample_field("ground_truth", "ground_truth_corrected")
    messages = FIND.run(birds, ground_truth="ground_truth")
    run = lgca.load_run(birds, "zeroshot")
    suspects = run.last_triage().suspects()
    assert birds.first().id in suspects.values("id")
    assert notice(messages).endswith("of 12 labels look wrong.") or notice(messages) == "1 of 12 labels looks wrong."
    assert progress(messages) == sorted(progress(messages))
    found = warned(messages)
    assert found[0].startswith("1 image holds values that fill only some bits of their type")
    warning = next(one for one in found if "ground_truth_corrected" in one)
    assert warning.startswith("Corrected labels will go to 'ground_truth_corrected', which exists")
    assert warning.endswith("name another field to have them elsewhere")
    opened = next(message.params for message in messages if message.operator_uri == "open_panel")
    assert (opened["name"], opened["layout"]) == ("lgca_review", "horizontal")
    views = shown(messages)["views"]
    assert views["heading1"]["label"] == notice(messages)
    assert views["heading1"]["description"].startswith("CLIP, WCA, LGCA and decisive WCA agree on ")
    text = dialog_of(messages)
    first = suspects.first()
    assert text.count("data:image/jpeg;base64,") == min(6, len(suspects))
    assert first["zeroshot_suggestion"].label in text
    assert [name for name in ("Review labels", "Compare methods", "Undo this run …") if name in text] == [
        "Review labels",
        "Compare methods",
        "Undo this run …",
    ]


def test_run__again_says_what_was_reviewed_and_what_could_not_be_read(birds):
    FIND.run(birds)
    triage = lgca.load_run(birds, "zeroshot").last_triage()
    triage.decide(triage.suspects().limit(1), "label right")
    birds.add_sample(fo.Sample(filepath="/no/bird.jpg", ground_truth=fo.Classification(label=CLASSES[0])))
    said = shown(FIND.run(birds))["views"]["heading1"]["description"]
    triage.decide(triage.suspects(), "label right") if len(triage.suspects()) else None
    again = shown(FIND.run(birds))["views"]["heading1"]["description"]
    assert "1 picture could not be read." in said and "1 picture could not be read." in again
    assert "reviewed" in said
    assert again.startswith(("All of them are reviewed.", "It is reviewed."))


def test_run__nothing_wrong_is_said_with_what_was_checked(birds):
    birds.set_values("ground_truth", [fo.Classification(label=label) for label in birds.values("truth.label")])
    triage = lgca.find_wrong_labels(birds, "ground_truth", progress=False)
    run = lgca.load_run(birds, triage.run.key)
    lookalike = run.dataset.exists("zeroshot_suggestion.label")
    lookalike.set_values("ground_truth.label", lookalike.values("zeroshot_clip.label"))
    messages = FIND.run(birds)
    assert not len(run.last_triage().suspects())
    assert notice(messages) == "Nothing looks wrong"
    words = shown(messages)["views"]["heading1"]["description"]
    assert words.startswith("12 labels were checked by CLIP, WCA, LGCA and decisive WCA. They agree on ")
    assert "open_panel" not in [message.operator_uri for message in messages]


def test_error_on_the_way__is_shown_in_the_dialog(birds):
    birds.set_values("filepath", [f"/no/{at}.jpg" for at in range(12)])
    messages, error = FIND.run_to_error(birds)
    assert error is not None
    view = shown(messages)["views"]["heading1"]
    assert view["label"] == "The search has stopped"
    assert "None of the 12 images could be classified" in view["description"]


def test_next_step__closes_the_dialog_and_opens_a_panel_or_a_form(birds):
    _, sent = NEXT.run_at_once(birds, open="lgca_review")
    assert [name for name, _ in sent] == ["lgca_close_dialog", "lgca_open_review"]
    _, sent = NEXT.run_at_once(birds, None, open="lgca_delete_run", **{"with": {"run_key": "zeroshot"}})
    assert sent[-1][0] == "prompt_user_for_operation"
    assert sent[-1][1]["params"] == {"run_key": "zeroshot"}
    with pytest.raises(ValueError, match="there is no step"):
        NEXT.operator.execute(NEXT.context(birds, {"open": "shutdown"}))


def test_call__from_code_and_queued_for_a_worker(birds):
    FIND.execute(birds, {"view": birds.limit(4)}, ground_truth="ground_truth")
    assert lgca.load_run(birds, "zeroshot").summary()["predicted"] == 4
    FIND.call(birds.limit(8), "ground_truth", encoder="demo", run_key="mine")
    assert lgca.load_run(birds, "mine").summary()["predicted"] == 8
    queued = FIND.queue(birds, "ground_truth", encoder="demo", run_key="mine")
    assert work(queued, birds) == "Find wrong labels: ground_truth"
    assert lgca.load_run(birds, "mine").summary()["predicted"] == 12


def test_after_a_classification__the_next_step_is_to_find_wrong_labels(birds):
    messages = CLASSIFY.run(birds, **typed("grey heron", "great egret", "redpoll", **LIGHT), run_key="mine")
    assert dialog_of(messages).count("Find wrong labels") == 1
    assert "'of_run': 'mine'" in dialog_of(messages)
    properties, errors = estimated(birds, of_run="mine")
    assert errors == {}
    assert "model_choice" not in properties
    assert properties["cost"].view.label.startswith("A few seconds: all 12 pictures are classified already")
    messages = FIND.run(birds, of_run="mine")
    run = lgca.load_run(birds, "mine")
    assert run.config.classes == ("grey heron", "great egret", "redpoll")
    assert run.config.budget == "full"
    assert run.last_triage().report["ground_truth"] == "ground_truth"


def test_after_a_triage__the_next_step_is_the_review(birds):
    triage = lgca.find_wrong_labels(birds, "ground_truth", progress=False)
    messages = TRIAGE.run(birds, run=triage.run.key)
    assert "Review labels" in dialog_of(messages)
    assert "labels look wrong" in dialog_of(messages) or "label looks wrong" in dialog_of(messages)
