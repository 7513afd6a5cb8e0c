"""Training of a fusion on drawn embeddings."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lgca_plugin.fusion.answers import answer
from lgca_plugin.fusion.fitting import Average, Fit
from lgca_plugin.fusion.labelled import LabelledImages, read_labelled
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.training import cross_validated, fit
from lgca_plugin.fusion.weights import FusionWeights
from lgca_plugin.progress import drive
from tests.fusion.conftest import DIMS, drawn

QUICK = FusionSettings(steps=(0, 50, 100), folds=3)


def trained(world, settings=QUICK, **options):
    steps = fit(world.read, options.pop("labels", world.labels), world.classes, settings, **options)
    return drive(steps, False, unit="")


def accuracy(world, weights) -> float:
    labels = np.array([world.labels[id_] for id_ in world.ids])
    return float((answer(weights, world.nodes, world.classes).logits.argmax(axis=1) == labels).mean())


@pytest.fixture(scope="module")
def marked():
    return drawn(300, seed=5, marks=True)


@pytest.fixture(scope="module")
def fusion(marked):
    return trained(marked)


def test_fit__learns_what_only_a_graph_can_see(marked, fusion):
    fresh = drawn(300, seed=6, marks=True)
    flat = trained(marked, FusionSettings(steps=QUICK.steps, folds=3, graph=False))
    untrained = FusionWeights.untrained(DIMS, 4)
    found = [accuracy(fresh, weights) for weights in (untrained, flat.final, fusion.final)]
    assert fusion.report["steps"] > 0 and fusion.report["labels"] == 300
    assert found[2] > found[1] + 0.03 > found[0] + 0.06, found


def test_fit__answers_each_image_by_a_model_that_has_not_seen_it(marked, fusion):
    assert set(fusion.fold_of) == set(marked.ids) and len(fusion.by_fold) == 3
    counts = np.bincount(list(fusion.fold_of.values()))
    assert counts.max() - counts.min() <= 1


def test_fit__learns_nothing_about_a_fold_from_its_own_labels(marked):
    settings = FusionSettings(anchored=False, steps=(25,), folds=3)  # so that there is nothing to choose
    labels = {id_: marked.labels[id_] for id_ in marked.ids[:90]}
    task = read_labelled(marked.read, labels, marked.classes, settings, memory_bytes=10**9)
    fold_of = np.arange(len(labels)) % 3
    other = (task.labels + (torch.from_numpy(fold_of) == 0)) % 4
    changed = LabelledImages(task.images, other, marked.classes, settings)
    first, second = (drive(cross_validated([one], fold_of, ""), False, unit="").by_fold for one in (task, changed))
    same = [
        all(np.array_equal(one.arrays[name], another.arrays[name]) for name in one.arrays)
        for one, another in zip(first, second, strict=True)
    ]
    assert same == [True, False, False]


def test_fit__takes_the_kind_of_model_that_answers_the_held_out_labels_better(marked):
    settings = FusionSettings(steps=(0, 30), folds=2, fused_part=False)
    labels = {id_: marked.labels[id_] for id_ in marked.ids[:120]}
    plain = read_labelled(marked.read, labels, marked.classes, settings, memory_bytes=10**9)
    fused = plain.under(replace(settings, fused_part=True))
    fold_of = np.arange(len(labels)) % 2
    alone = [drive(cross_validated([one], fold_of, ""), False, unit="") for one in (plain, fused)]
    losses = [min(one.report["losses"].values()) for one in alone]
    assert losses[0] != losses[1]
    better = alone[int(losses[1] < losses[0])]
    for order in ([plain, fused], [fused, plain]):
        found = drive(cross_validated(order, fold_of, ""), False, unit="")
        assert found.report == better.report
        assert all(np.array_equal(found.final.arrays[name], value) for name, value in better.final.arrays.items())


def test_average__is_that_of_a_loop_and_leaves_the_model_as_it_is():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 7.0)
    average, expected = Average(model, 0.2), 7.0
    for step, value in enumerate((1.0, 5.0, 2.0), 1):
        torch.nn.init.constant_(model.weight, value)
        average.add(model, step)
        share = min(0.2, step / (step + 9))
        expected = share * expected + (1 - share) * value
    with average.held_by(model):
        assert model.weight.item() == pytest.approx(expected)
    assert model.weight.item() == 2.0


def test_fit__notes_the_average_of_its_steps(marked, monkeypatch):
    settings = FusionSettings(steps=(5,), folds=2, fused_part=False)
    task = read_labelled(marked.read, marked.labels, marked.classes, settings, memory_bytes=10**9)

    def noted(averaging):
        monkeypatch.setattr(LabelledImages, "averaging", averaging)
        fit_ = Fit(task, np.arange(len(marked.ids)))
        assert list(fit_.steps())
        return fit_.weights[5].arrays["bias"]

    last, mean = noted(0.0), noted(0.98)
    assert np.abs(last - mean).max() > 1e-5
    assert np.array_equal(noted(0.98), mean)


def test_fit__is_the_same_for_a_seed(marked):
    small = {id_: marked.labels[id_] for id_ in marked.ids[:60]}
    settings = FusionSettings(steps=(0, 25), folds=2)
    assert trained(marked, settings, labels=small).digest == trained(marked, settings, labels=small).digest


def test_fit__keeps_groups_in_one_fold(marked):
    labels = {id_: marked.labels[id_] for id_ in marked.ids[:80]}
    groups = {id_: str(at // 2) for at, id_ in enumerate(marked.ids[:80])}
    found = trained(marked, FusionSettings(steps=(0,), folds=4), labels=labels, groups=groups)
    for group in set(groups.values()):
        assert len({found.fold_of[id_] for id_ in labels if groups[id_] == group}) == 1


def test_fit__learns_nothing_from_too_few_labels_or_one_class(marked):
    few = {id_: marked.labels[id_] for id_ in marked.ids[:29]}
    one = dict.fromkeys(marked.ids, 2)
    for labels in (few, one, {}):
        found = trained(marked, labels=labels)
        assert found.report["labels"] == 0 and found.report["steps"] is None and not found.by_fold
        assert np.allclose(found.final.factors, 1)


def test_fit__reads_as_many_images_as_fit_into_its_memory(marked):
    found = trained(marked, FusionSettings(steps=(0,), folds=2), memory_bytes=60_000)
    assert 30 <= found.report["labels"] < 300
    counts = np.bincount([marked.labels[id_] for id_ in found.fold_of]) / found.report["labels"]
    assert np.allclose(counts, np.bincount(list(marked.labels.values())) / 300, atol=0.06)


def test_fit__trusts_a_useless_encoder_less():
    world = drawn(200, seed=8, noise=0.4)
    rng = np.random.default_rng(0)
    useless = world.nodes[1]
    shuffled = useless.rows(rng.permutation(len(world.ids)))
    world.nodes = (world.nodes[0], shuffled)
    found = trained(world, FusionSettings(steps=(0,), folds=2))
    assert found.final.factors[1] < 0.3 * found.final.factors[0]
    assert accuracy(world, found.final) > accuracy(world, FusionWeights.untrained(DIMS, 4)) + 0.05


@pytest.mark.parametrize("settings", [{"anchored": False}, {"fused_part": True}, {"loss": "generalized"}])
def test_fit__of_every_form_learns(marked, settings):
    found = trained(marked, FusionSettings(steps=(0, 50), folds=2, **settings))
    assert accuracy(marked, found.final) > 0.6
