"""A second search: it goes on where the first one was, and decisions stay."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.progress import drive
from lgca_plugin.workflows.find.find import iter_find_wrong_labels
from lgca_plugin.workflows.find.request import FindOptions, check_find
from tests.helpers.engine import Counting
from tests.helpers.runs import assert_same_predictions, predictions
from tests.workflows.find.conftest import FEW


def test_nothing_new__nothing_is_encoded_and_no_model_is_loaded(birds, find, counting):
    first = find(birds)
    encoded, token = counting.encoded, first.run.token
    again = find(birds)
    assert counting.encoded == encoded
    assert again.run.token == token
    assert again.suspects().values("id") == first.suspects().values("id")


def test_new_images__only_they_are_encoded(birds, find, counting):
    first = find(birds[:50])
    assert first.report["counts"]["triaged"] == 50
    before = counting.encoded
    triage = find(birds)
    assert triage.run.key == first.run.key
    assert triage.report["counts"]["triaged"] == 60
    assert 0 < counting.encoded - before <= 10 * 24
    alone = predictions(find(birds, run_key="alone").run.dataset, "alone")
    assert_same_predictions(predictions(birds, "zeroshot"), alone)


def test_methods__a_search_of_an_earlier_release_goes_on_with_its_own(birds, find, counting):
    former = ["clip", "wca", "lgca"]
    birds = birds[:40]
    first = find(birds, methods=former)
    encoded = counting.encoded
    again = find(birds)
    assert (again.run.token, counting.encoded) == (first.run.token, encoded)
    assert again.report["judging"] == [method.name for method in again.run.config.methods] == former
    new = find(birds, run_key="new")
    assert (new.report["judging"], new.report["methods"]) == ([*former, "wca_d"], former)


def test_changed_file__is_encoded_again_and_a_touched_one_is_not(birds, find, counting):
    find(birds)
    before = counting.encoded
    changed, touched = birds.limit(2).values("filepath")
    with Image.open(changed) as image:
        image.rotate(90).save(changed)
    Path(touched).write_bytes(Path(touched).read_bytes())
    find(birds)
    assert 0 < counting.encoded - before <= 24
    assert_same_predictions(
        predictions(birds, "zeroshot"), predictions(find(birds, run_key="alone").run.dataset, "alone")
    )
    before = counting.encoded
    find(birds)
    assert counting.encoded == before


def test_new_class_in_the_labels__rescores_the_run_without_encoding(birds, find, counting):
    first = find(birds)
    decided = first.suspects().values("id")[0]
    first.decide(decided, "accepted", by="ann")
    before = counting.encoded
    sample = birds.last()
    sample["ground_truth"].label = "swan"
    sample.save()
    triage = find(birds)
    assert counting.encoded == before
    assert "swan" in triage.run.config.classes
    assert lgca.list_runs(birds) == ["zeroshot"]
    assert triage.left()["accepted"] + triage.left()["other samples decided"] == 1
    assert triage.decisions()[0].by == "ann"
    fresh = find(birds, run_key="fresh").run
    assert fresh.config.classes == triage.run.config.classes
    agree = [a == b for a, b in zip(birds.values("zeroshot_clip.label"), birds.values("fresh_clip.label"), strict=True)]
    assert all(agree)
    sample["ground_truth"].label = "redpoll"
    sample.save()
    assert "swan" not in find(birds).run.config.classes, "a class that no label names any more suggests nothing"


def test_new_class__is_not_scored_on_what_a_changed_file_held_before(birds, find, counting):
    few = birds[:12]
    find(few, budget="full")
    changed, other = birds.first(), birds.last()
    shutil.copyfile(other.filepath, changed.filepath)
    changed["ground_truth"].label = "swan"
    changed.save()
    before = counting.encoded
    find(few)
    assert 0 < counting.encoded - before <= 24
    fresh = predictions(find(few, run_key="fresh", budget="full").run.dataset, "fresh")
    assert_same_predictions(predictions(birds, "zeroshot"), fresh)


@pytest.mark.thorough
def test_new_class__where_the_embeddings_are_gone_the_images_are_encoded_again(birds, find, counting, fresh_store):
    first = find(birds[:50])
    first.decide(first.suspects().values("id")[0], "label right")
    shutil.rmtree(fresh_store)
    before = counting.encoded
    sample = birds.first()
    sample["ground_truth"].label = "swan"
    sample.save()
    triage = find(birds)
    assert counting.encoded > before
    assert triage.report["counts"]["triaged"] == 60
    assert "swan" in triage.run.config.classes
    assert len(triage.decisions()) == 1


def test_classes_and_descriptions_of_the_caller__stay_until_other_ones_are_given(birds, find):
    own = ["great egret", "grey heron", "redpoll"]
    assert find(birds, classes=own, descriptions={"redpoll": ["a red cap."]}).run.config.classes == tuple(own)
    second = find(birds).run
    assert second.config.classes == tuple(own)
    assert second.descriptions["redpoll"] == ["a red cap."]
    assert "'oystercatcher'" in check_find(FindOptions(samples=birds, encoder=("demo", None))).warnings[0]
    labels = sorted({*birds.values("ground_truth.label")})
    assert find(birds, classes="labels").run.config.classes == tuple(labels)
    birds.set_values("ground_truth.label", ["swan", *birds.values("ground_truth.label")[1:]])
    assert "swan" in find(birds).run.config.classes  # which follow the labels again


@pytest.mark.thorough
def test_rescored_run__keeps_what_the_user_has_chosen(birds, find):
    find(birds).run.rescore(descriptions={"redpoll": ["a small bird."]}, progress=False)
    run = find(birds).run
    assert run.key == "zeroshot"
    assert run.descriptions["redpoll"] == ["a small bird."]


def test_run_of_a_classification__is_only_triaged_under_its_key(birds, find, counting):
    classes = ["great egret", "grey heron", "redpoll", "swan"]
    settings = {"classes": classes, "encoder": counting, "regions": FEW, "run_key": "mine", "progress": False}
    lgca.classify(birds, **settings)
    before = counting.encoded
    assert check_find(FindOptions(samples=birds, encoder=counting)).run_key == "zeroshot", "a run of its own"
    triage = lgca.find_wrong_labels(birds, run_key="mine", progress=False)
    assert counting.encoded == before
    assert triage.run.config.classes == tuple(classes)
    assert triage.run.config.budget == "full"
    assert triage.report["ground_truth"] == "ground_truth"
    assert find(birds).run.key == "mine", "it is the latest now"


@pytest.mark.thorough
def test_other_settings__make_another_run_and_each_is_found_again(birds, find):
    keys = [find(birds).run.key, find(birds, budget="full").run.key, find(birds).run.key]
    assert keys == ["zeroshot", "zeroshot_2", "zeroshot_2"], "the latest, where nothing is asked for"
    assert find(birds, budget="adaptive").run.key == "zeroshot"


def test_interrupted_search__goes_on(birds, counting):
    options = FindOptions(samples=birds, encoder=counting, regions=FEW)
    steps = iter_find_wrong_labels(check_find(options))
    for step in steps:
        if step.label.startswith("Images classified: "):
            break
    steps.close()
    assert lgca.load_run(birds, "zeroshot").summary()["status"] == "interrupted"
    triage = drive(iter_find_wrong_labels(check_find(options)), False, unit="images")
    assert triage.run.key == "zeroshot"
    assert triage.run.summary()["status"] == "done"
    assert triage.report["counts"]["triaged"] == 60


@pytest.mark.thorough
def test_other_weights_under_the_same_name__make_a_new_run(birds, find, demo_encoder):
    find(birds)
    other = Counting(demo_encoder, fingerprint="other weights")
    assert find(birds, encoder=other).run.key == "zeroshot_2"
