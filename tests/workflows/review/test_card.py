"""A suspect's card on a run of drawings with stored regions, and what becomes of it when things vanish."""

import numpy as np
import pytest
from bson import ObjectId

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.errors import ConfigError
from lgca_plugin.fiftyone_io.thumbnails import marked_uri
from lgca_plugin.store.store import Store
from lgca_plugin.workflows.decisions.queue import Triage
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.examples import class_examples
from lgca_plugin.workflows.review.queue import ReviewQueue
from lgca_plugin.workflows.review.why import NOT_SUSPECTED
from tests.helpers.worlds.birds import SMALL, bird_dataset, classify_birds
from tests.helpers.worlds.review import review_run

pytestmark = pytest.mark.usefixtures("module_store")


def triaged_birds(images, encoder, **options):
    """A triaged run on drawings, every third of them labelled wrong."""
    labels = [
        CLASSES[(CLASSES.index(image.truth) + (1 if at % 3 == 0 else 0)) % len(CLASSES)]
        for at, image in enumerate(images)
    ]
    dataset = bird_dataset(images, labels=labels)
    run = classify_birds(dataset, encoder, run_key="zs", regions=SMALL, ground_truth="labels", **options)
    run.triage(progress=False)
    return run


@pytest.fixture(scope="module")
def triaged(demo_encoder, demo_images, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    run = triaged_birds(demo_images, demo_encoder)
    yield run
    run.dataset.delete()


@pytest.fixture
def run(triaged):
    """The run, whose decisions are undone after the test."""
    yield triaged
    triage = Triage.of(triaged)
    while triage.actions():
        triage.undo()


def test_review_card__shows_what_the_sample_holds(run):
    queue = ReviewQueue.of(run)
    assert len(queue) > 3
    for id_ in queue.ids:
        card, sample = review_card(run, id_), run.dataset[id_]
        assert (card.sample_id, card.filepath, card.given) == (id_, sample.filepath, sample["labels"].label)
        assert card.suggested == sample["zs_suggestion"].label
        assert card.confidence == sample["zs_suggestion"].confidence
        assert card.quality == sample["zs_label_quality"]
        assert (card.decision, card.corrected) == (None, None)
        assert card.look_alikes[0] == id_


def test_review_card__marks_the_region_that_contributes_most_to_the_suggestion(run):
    marked = set()
    for id_ in ReviewQueue.of(run).ids:
        card, evidence = review_card(run, id_), run.evidence(id_)
        shares = evidence.contributions("lgca", card.suggested, card.given).tolist()
        small = [n for n, (*_, width, height) in enumerate(evidence.boxes.tolist()) if width * height <= 0.75]
        best = max(small, key=shares.__getitem__)
        part = bool(np.prod(evidence.boxes[best][2:]) <= 0.25)
        assert card.deciding_box == (pytest.approx(tuple(evidence.boxes[best])) if part else None)
        assert (card.deciding_vote, bool(card.marked)) == (evidence.classes[evidence.vote[best]], part)
        assert f"“{card.suggested}”" in card.reason
        marked.add(part)
    assert False in marked


def test_review_card__follows_decisions(run):
    first = ReviewQueue.of(run).ids[0]
    Triage.of(run).decide(first, "accepted", label=CLASSES[5])
    card = review_card(run, first)
    assert (card.decision, card.corrected) == ("accepted", CLASSES[5])
    Triage.of(run).undo()
    assert review_card(run, first).decision is None


def test_review_card__of_a_sample_that_is_no_suspect_says_so(run):
    other = next(id_ for id_ in run.dataset.values("id") if id_ not in ReviewQueue.of(run).ids)
    card = review_card(run, other)
    assert (card.suggested, card.reason, card.deciding_box, card.look_alikes) == (None, NOT_SUSPECTED, None, ())
    assert card.given == run.dataset[other]["labels"].label


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ("swan", "All 4 methods see “swan”."),
        ("tern", "3 of 4 methods see “swan”, 1 sees “tern”."),
    ],
)
def test_review_card__the_reason_names_all_that_have_judged_and_no_control(last, reason):
    methods = ("clip", "wca", "lgca", "wca_d", "crops_mean")
    row = {"given": "tern", "suggested": "swan", "quality": 0.01, "answers": ["swan", "swan", "swan", last, "gull"]}
    run, [id_] = review_run([row], methods=methods)
    run.results["triage"]["judging"] = list(methods[:4])
    try:
        assert review_card(run, id_).reason == reason
    finally:
        run.dataset.delete()


def test_review_card__when_the_given_label_is_changed_or_gone(run):
    first = ReviewQueue.of(run).ids[0]
    one = run.dataset.select(first)
    (given,) = one.values("labels")
    one.set_values("labels.label", ["penguin"])
    card = review_card(run, first)
    assert (card.given, card.deciding_box) == ("penguin", None)
    one.set_values("labels", [None])
    assert review_card(run, first).given is None
    assert class_examples(run, "penguin", near=first) == ()
    one.set_values("labels", [given])


def test_review_card__of_a_deleted_sample_is_refused_and_leaves_the_queue(run):
    last = ReviewQueue.of(run).ids[-1]
    samples = run.dataset._sample_collection
    stored = samples.find_one({"_id": ObjectId(last)})
    run.dataset.delete_samples([last])
    with pytest.raises(ConfigError, match="no sample"):
        review_card(run, last)
    queue = ReviewQueue.of(run)
    assert last not in queue.ids
    assert queue.first_undecided(after=last) == queue.ids[0]
    samples.insert_one(stored)


def test_review_card__without_stored_embeddings_has_a_reason_from_the_labels(run, monkeypatch, tmp_path):
    first = ReviewQueue.of(run).ids[0]
    with monkeypatch.context() as patch:
        patch.setenv("LGCA_STORE_DIR", str(tmp_path))  # as on another machine
        again = lgca.load_run(run.dataset, "zs")
        run.dataset.select(first).set_values("zs_case", ["touched"])  # evidence in memory is of a sample as it was
        card = review_card(again, first)
        assert (card.deciding_box, card.deciding_vote) == (None, None)
        assert card.marked == ""
        assert f"“{card.suggested}”" in card.reason


def test_review_card__of_a_run_that_stored_no_regions(demo_encoder, demo_images, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path))  # the other run has stored these images' regions
    run = triaged_birds(demo_images, demo_encoder, store_regions=False)
    with Store() as store:
        assert store.run(run.token) is not None
    queue = ReviewQueue.of(run)
    assert len(queue) > 3
    for id_ in queue.ids:
        card = review_card(run, id_)
        assert card.deciding_box is None
        assert f"“{card.suggested}”" in card.reason
    shown = [one for label in CLASSES for one in class_examples(run, label, near=queue.ids[0])]
    assert any(one.nearest for one in shown)  # vectors of whole images are always stored
    run.dataset.delete()


def test_review_card__a_missing_or_broken_file_has_no_picture(run, tmp_path):
    first = ReviewQueue.of(run).ids[0]
    card = review_card(run, first)
    assert marked_uri(card.filepath, box=card.deciding_box) is not None
    assert marked_uri(str(tmp_path / "gone.jpg"), box=card.deciding_box) is None
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert marked_uri(str(tmp_path / "broken.jpg")) is None


def test_review__of_a_run_that_was_started_again_has_no_suspects(demo_encoder, demo_images):
    run = triaged_birds(demo_images, demo_encoder)
    first = ReviewQueue.of(run).ids[0]
    Triage.of(run).decide(first, "label right")
    options = {"run_key": "zs", "regions": SMALL, "ground_truth": "labels", "overwrite": True}
    again = classify_birds(run.dataset, demo_encoder, **options)
    assert ReviewQueue.of(again).ids == ()
    assert review_card(again, first).confidence is None
    again.triage(progress=False)
    assert ReviewQueue.of(again).progress().reviewed == 1
    run.dataset.delete()
