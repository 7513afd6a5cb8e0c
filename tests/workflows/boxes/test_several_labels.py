"""Pictures with several labels each, in a field of Classifications: each is judged and corrected by itself."""

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.demo.dataset import draw_images
from lgca_plugin.fiftyone_io.boxes.each_label import other_labels
from lgca_plugin.runs.proposals import given_label_field, label_fields
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify
from lgca_plugin.workflows.review.card import review_card
from lgca_plugin.workflows.review.queue import ReviewQueue
from lgca_plugin.workflows.triage.analysis import without_others

pytestmark = pytest.mark.usefixtures("module_store")

SINGLE, PAIRS = 24, 4


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Files with the classes that they show: one bird, or two side by side."""
    folder = tmp_path_factory.mktemp("several")
    drawn = draw_images(folder, count=SINGLE + 2 * PAIRS, seed=51)
    found = [(str(one.path), [one.truth]) for one in drawn[:SINGLE]]
    for at in range(SINGLE, len(drawn), 2):
        left, right = (Image.open(one.path).convert("RGB").resize((200, 200)) for one in drawn[at : at + 2])
        picture = Image.new("RGB", (400, 200))
        picture.paste(left, (0, 0))
        picture.paste(right, (200, 0))
        picture.save(folder / f"pair{at}.png")
        found.append((str(folder / f"pair{at}.png"), [one.truth for one in drawn[at : at + 2]]))
    return found


@pytest.fixture
def several(dataset, pictures):
    """The pictures with their classes in ``birds``; the first has a wrong label, two an odd one beside others."""
    samples = []
    for path, names in pictures:
        labels = [fo.Classification(label=name, source="web") for name in names]
        samples.append(fo.Sample(filepath=path, birds=fo.Classifications(classifications=labels)))
    wrong = next(name for name in CLASSES if name != pictures[0][1][0])
    samples[0].birds.classifications[0].label = wrong
    odd = next(name for name in CLASSES if name != pictures[1][1][0])
    for sample, label in ((samples[1], odd), (samples[-1], "rowing boat")):
        sample.birds.classifications.append(fo.Classification(label=label))
    dataset.add_samples(samples)
    yield dataset
    for name in fo.list_datasets(f"{dataset.name} *"):
        fo.delete_dataset(name)


def by_id(dataset, attribute, field="birds"):
    columns = (dataset.values(f"{field}.classifications.{name}", unwind=True) for name in ("id", attribute))
    return dict(zip(*columns, strict=True))


def test_several_labels__are_judged_and_corrected_one_by_one(several, demo_encoder):
    assert label_fields(several) == [] and given_label_field(several) == "birds"
    given = by_id(several, "label")
    first = several.first().birds.classifications[0]
    triage = lgca.find_wrong_labels(several, encoder=demo_encoder, methods=("clip", "wca", "lgca"), progress=False)
    run = triage.run
    assert run.dataset.name == f"{several.name} labels of birds" and lgca.list_runs(several) == []
    assert dict(zip(*run.dataset.values(["id", "birds.label"]), strict=True)) == given
    assert run.summary()["predicted"] == len(given) and run.summary()["failed"] == 0
    assert run.dataset.count("box") and len(set(run.dataset.values("filepath"))) == SINGLE + PAIRS
    assert "near_duplicates" not in triage.report  # two labels of the same picture may both be right
    queue = ReviewQueue.of(run)
    assert {first.id, several[several.values("id")[1]].birds.classifications[1].id} <= set(queue.ids)
    card = review_card(run, first.id)
    assert card.given == first.label

    several.reload()
    assert by_id(several, "zeroshot_suggestion") == dict(
        zip(*run.dataset.values(["id", "zeroshot_suggestion.label"]), strict=True)
    )
    others = other_labels(run.dataset)
    of_several = [sample.birds.classifications for sample in several if len(sample.birds.classifications) > 1]
    assert others == {
        one.id: tuple(other.label for other in labels if other.label != one.label)
        for labels in of_several
        for one in labels
        if len({other.label for other in labels}) > 1
    }
    suggested = by_id(several, "zeroshot_suggestion")
    assert not [id_ for id_, names in others.items() if suggested[id_] in names]

    triage.decide(first.id, "accepted", by="anna")
    expected = {**given, first.id: suggested[first.id]}
    assert by_id(several, "label", "birds_corrected") == expected and by_id(several, "label") == given
    assert by_id(several, "source", "birds_corrected")[first.id] == "web"
    triage.undo()
    assert by_id(several, "label", "birds_corrected") == given

    labels = lgca.each_label(several, "birds")
    assert labels.name == run.dataset.name and lgca.list_runs(labels) == ["zeroshot"]
    with pytest.raises(lgca.RunNotFoundError, match=r"on the labels of 'birds'.*lgca.each_label\(dataset, 'birds'\)"):
        lgca.load_run(several, "zeroshot")
    two = several.limit(2)
    assert lgca.each_label(two, "birds").values("id") == two.values("birds.classifications.id", unwind=True)
    request = check_classify(ClassifyOptions(samples=two, ground_truth="birds", run_key="other"))
    assert (request.target.dataset.name, request.ground_truth, request.target.count()) == (labels.name, "birds", 3)
    lgca.delete_run(labels, "zeroshot")
    several.reload()
    assert not [path for path in several.get_field_schema(flat=True) if "zeroshot" in path]
    assert not fo.dataset_exists(labels.name)


def test_each_label__of_another_kind_of_field_is_refused(several):
    several.add_sample_field("truth", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification)
    for field in ("truth", "nowhere", "filepath", ""):
        with pytest.raises(lgca.ConfigError, match="no field with several labels a sample"):
            lgca.each_label(several, field)
    with pytest.raises(lgca.ConfigError, match="samples must be a FiftyOne dataset or view, got NoneType"):
        lgca.each_label(None, "birds")
    with pytest.raises(lgca.ConfigError, match="the view leaves out the field 'birds'"):
        lgca.each_label(several.exclude_fields("birds"), "birds")


def test_each_label__of_a_view_are_the_labels_that_it_shows(several):
    boats = several.filter_labels("birds", fo.ViewField("label") == "rowing boat")
    assert lgca.each_label(boats, "birds").values("birds.label") == ["rowing boat"]
    assert len(lgca.each_label(several.select(several.last().id), "birds")) == 3


def test_logits__of_the_other_labels_of_a_picture_never_win():
    logits = np.array([[5.0, 1.0, 3.0], [0.0, 2.0, 1.0], [9.0, 8.0, 7.0]], dtype=np.float32)
    found = without_others(logits.copy, np.array([4, 6, 9]), {4: [0], 9: [0, 1], 7: [2]})()
    assert found.argmax(axis=1).tolist() == [2, 1, 2]
    kept = np.array([[0, 1, 1], [1, 1, 1], [0, 0, 1]], dtype=bool)
    assert (found[kept] == logits[kept]).all()
    assert (np.exp(found - found.max(axis=1, keepdims=True))[~kept] == 0).all()
