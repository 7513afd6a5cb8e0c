"""Given labels that are plain texts, from the search to the summary of their review: corrected ones are texts, too."""

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.errors import ConfigError
from lgca_plugin.runs.proposals import given_label_field, given_label_fields, label_fields, prediction_choices
from lgca_plugin.workflows.decisions.suspect_rows import read_suspects
from lgca_plugin.workflows.overview.overview import overview
from lgca_plugin.workflows.overview.selections import wrong
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.queue import ReviewQueue
from tests.helpers.runs import classified

COUNT = 30
TEXTS = {"ground_truth": "data.species", "classes": None, "methods": ("clip", "wca", "lgca")}


@pytest.fixture
def texts(dataset, images):
    """Birds with the names of their classes in ``data.species``, and other texts beside them."""
    samples = []
    for at, image in enumerate(images[:COUNT]):
        data = fo.DynamicEmbeddedDocument(species=image.label)
        sample = fo.Sample(filepath=str(image.path), data=data, split="train" if at % 2 else "val")
        sample["note"] = f"seen on day {at}"
        samples.append(sample)
    dataset.add_samples(samples)
    dataset.add_dynamic_sample_fields()
    return dataset


def test_text_labels__work_throughout(texts, demo_encoder, options):
    assert label_fields(texts) == ["data.species", "split"] and given_label_field(texts) == "data.species"
    given, ids = texts.values("data.species"), texts.values("id")
    run = classified(texts, demo_encoder, **{**options, **TEXTS})
    assert run.config.classes == tuple(sorted(set(given)))

    triage = run.triage(progress=False)
    assert triage.report["labels"]["compared"] == triage.report["judged"] == COUNT
    queue = ReviewQueue.of(run)
    first, second = queue.suspects[:2]
    assert first.given == given[ids.index(first.sample_id)] != first.suggested
    assert review_card(run, first.sample_id).given == first.given
    assert [row.given for row in read_suspects(texts, triage.places)] == [one.given for one in queue.suspects]

    triage.decide(first.sample_id, "accepted", by="anna")
    triage.decide(second.sample_id, "label right", by="anna")
    corrected = [first.suggested if id_ == first.sample_id else own for id_, own in zip(ids, given, strict=True)]
    assert triage.places.corrected == "data_species_corrected"
    assert isinstance(texts.get_field("data_species_corrected"), fo.StringField)
    assert texts.values("data_species_corrected") == corrected and texts.values("data.species") == given

    before, after = (run.evaluate(name, methods=["clip"]) for name in ("data.species", "data_species_corrected"))
    predicted = texts.values("zs_clip.label")
    assert before.methods["clip"].correct == sum(a == b for a, b in zip(predicted, given, strict=True))
    assert after.methods["clip"].correct == sum(a == b for a, b in zip(predicted, corrected, strict=True))
    assert texts.values("zs_evaluated.label") == corrected
    assert len(texts.load_evaluation_results("zs_clip_eval").ytrue) == COUNT
    found = overview(run, ground_truth="data.species")
    differing = [id_ for id_, label, own in zip(ids, predicted, given, strict=True) if label != own]
    view = texts.view()
    for stage in wrong(found, "clip").stages:
        view = view.add_stage(stage)
    assert set(view.values("id")) == set(differing)
    assert ReviewQueue.of(run).summary().changes == ((first.given, first.suggested, 1),)

    triage.undo()
    assert texts.values("data_species_corrected") == corrected
    triage.undo()
    assert texts.values("data_species_corrected") == given
    run.delete()
    assert not [name for name in texts.get_field_schema() if name.startswith("zs")]


def test_text_labels__changed_by_hand_stay_as_they_are_when_a_decision_is_undone(texts, demo_encoder, options):
    triage = classified(texts, demo_encoder, **{**options, **TEXTS}).triage(progress=False)
    first, second, third = triage.suspects().values("id")[:3]
    triage.decide([first, second, third], "accepted")
    accepted = {id_: texts[id_].data_species_corrected for id_ in (first, second, third)}
    sample = texts[second]
    sample["data_species_corrected"] = "emu"
    sample.save()
    triage.decide(third, "label right")
    assert texts[third].data_species_corrected == texts[third].data.species

    texts.rename_sample_field("data_species_corrected", "clean")
    with pytest.raises(ConfigError, match="was renamed to 'clean'"):
        triage.decide(first, "label right")
    texts.delete_sample_field("clean")
    undone = triage.undo()  # that of the third; the field is made again with what stands accepted
    assert undone.restored == 2 and isinstance(texts.get_field("data_species_corrected"), fo.StringField)
    assert {id_: texts[id_].data_species_corrected for id_ in (first, second)} == {
        id_: accepted[id_] for id_ in (first, second)
    }
    texts.set_values("data_species_corrected", {second: "emu"}, key_field="id")
    undone = triage.undo()
    assert (undone.samples, undone.labels_kept) == (3, 1)
    assert [texts[id_].data_species_corrected for id_ in (first, second)] == [texts[first].data.species, "emu"]


def test_text_labels__judged_by_predictions_that_are_texts_too(texts):
    first, second, *others = texts.values("data.species")
    assert first != second
    texts.add_sample_field("my_predictions", fo.StringField)
    texts.set_values("my_predictions", [first, second, *others])
    texts.set_values("data.species", [second, second, *others])
    assert prediction_choices(texts) == ["my_predictions"]
    triage = lgca.triage(texts, "data.species", predictions="my_predictions", progress=False)
    assert triage.report["labels"]["compared"] == COUNT
    (suspect,) = triage.suspects()
    assert suspect.id == texts.first().id and suspect[triage.places.suggestion].label == first


def test_fields_of_texts__are_chosen_by_name_and_refused_where_they_are_no_classes(texts):
    assert given_label_fields(texts) == ["data.species", "split"]
    texts.add_sample_field("caption", fo.StringField)
    texts.set_values("caption", [f"a sentence about bird {at}" for at in range(COUNT)])
    assert "caption" not in label_fields(texts) and label_fields(texts, include="caption")[-1] == "caption"
    texts.add_sample_field("class", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    assert given_label_field(texts) == "class"  # a Classification comes before any text
    texts.delete_sample_fields(["class", "data"])
    with pytest.raises(ConfigError, match="only texts may hold labels, in split; choose the one to check"):
        given_label_field(texts)
    texts.add_samples([fo.Sample(filepath=f"{at}.png", caption=f"more about bird {at}") for at in range(120)])
    with pytest.raises(ConfigError, match=r"'caption' holds 150 different texts on 150 images.*no class labels"):
        lgca.find_wrong_labels(texts, "caption", encoder="demo", progress=False)
    for field, words in {
        "tags": "'tags' is a list of texts",
        "filepath": "'filepath' is StringField",
        "metadata.mime_type": "'metadata.mime_type' is StringField",
    }.items():
        with pytest.raises(ConfigError, match=f"must hold one label a sample, a Classification or a text; {words}"):
            lgca.find_wrong_labels(texts, field, encoder="demo", progress=False)
