"""Copies of a file: the label of one must not vouch for the others, and many of them teach no more than one."""

from types import SimpleNamespace

import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from tests.helpers.fusion.fused_birds import FOUR, REGIONS, answers, fused, fusion_of
from tests.helpers.worlds.birds import bird_dataset, classify_birds

COPIES = 6


@pytest.fixture(scope="module")
def files(original):
    return original.values("filepath")


@pytest.fixture
def runs_on(encoders, request):
    """Makes runs ``one`` and ``two`` on files with given labels."""

    def make(files, given, **options):
        birds = bird_dataset([SimpleNamespace(path=path) for path in files], given=given)
        request.addfinalizer(birds.delete)
        return [
            classify_birds(birds, encoder, run_key=key, regions=REGIONS, **options)
            for key, encoder in zip(("one", "two"), encoders, strict=True)
        ]

    return make


def labels(count):
    return [FOUR[at % len(FOUR)] for at in range(count)]


def values(run):
    return list(answers(run.dataset, run.key).values()), run.dataset.values(f"{run.key}_hada.fold")


def test_copies__without_a_label_are_answered_by_weights_that_have_not_seen_their_twins(files, runs_on, encoders):
    runs = runs_on([*files, *files[:COPIES]], [*labels(len(files)), *[None] * COPIES])
    ids = runs[0].dataset.values("id")
    captions = {id_: f"a bird {at}." for at, id_ in enumerate(ids[: len(files)])}
    run = fused(runs, "given", captions=captions, encoder=encoders)
    found, folds = values(run)
    assert None not in folds and folds[len(files) :] == folds[:COPIES]
    for copy, twin in zip(found[len(files) :], found[:COPIES], strict=True):
        assert copy[0] == twin[0] and copy[1:] == pytest.approx(twin[1:], abs=1e-6)
    assert fusion_of(run).labels == run.summary()["fusion"]["labels"] == len(files)
    search = run.similarity(encoder=encoders, progress=False)
    one, twin = (dict(search.captions(id_, ["a bird 0.", "a beach."])) for id_ in (ids[0], ids[len(files)]))
    assert one == pytest.approx(twin, abs=1e-4)

    again = fused(runs_on(files, labels(len(files))), weights=run, run_key="taken")
    assert values(again)[1] == folds[: len(files)]
    assert [one[0] for one in values(again)[0]] == [one[0] for one in found[: len(files)]]


def test_copies__of_few_files_teach_nothing_and_that_is_said(files, runs_on, encoders):
    runs = runs_on([files[0]] * 40, labels(40))
    captions = {id_: f"a bird {at}." for at, id_ in enumerate(runs[0].dataset.values("id"))}
    run = fused(runs, "given", captions=captions, encoder=encoders)
    of_labels, of_captions = run.summary()["warnings"]
    assert of_labels == (
        "nothing is learnt from 'given', which has 40 labels of 4 classes, 10 each on one image file: it takes labels "
        "of 30 different files, and 5 of each of two classes; the fused run is the sum of its encoders"
    )
    assert of_captions.startswith("nothing is learnt from the captions given: 1 image has some, and at least 30 are")
    assert set(run.dataset.values("fused_hada.fold")) == {None}


def test_weights__are_taken_for_the_same_classes_in_another_order(files, runs_on, original):
    taken = lgca.load_run(original, "fused")
    run = fused(runs_on(files, labels(len(files)), classes=CLASSES[::-1]), weights=taken, run_key="turned")
    for one, another in zip(values(run)[0], answers(original, "fused").values(), strict=True):
        assert one[0] == another[0] and one[1:] == pytest.approx(another[1:], abs=1e-5)
