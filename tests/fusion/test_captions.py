"""Captions: their nodes, how like images and captions are, against a loop from the formula, and what is learnt."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from lgca_plugin.errors import ConfigError
from lgca_plugin.fusion.answers import answer
from lgca_plugin.fusion.captioned import read_captioned
from lgca_plugin.fusion.search import image_vectors, search_factors, text_vectors
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.training import fit_captions
from lgca_plugin.fusion.weights import CaptionWeights, Fusion, FusionWeights
from lgca_plugin.method.core.scores import normalize
from lgca_plugin.method.fusion.captions import MAX_SENTENCES, caption_nodes, sentences
from lgca_plugin.method.fusion.features import decisive_vectors, node_features
from lgca_plugin.progress import drive
from tests.fusion.conftest import CLASSES, DIMS, drawn

QUICK = FusionSettings(steps=(0, 40), folds=2, fused_part=True)


class Captioned:
    """Images, each with a caption of three sentences, of which one, in a random place, says what the image shows.

    A direction of the embedding, in which no image differs, marks it; the others say what another image shows.
    """

    def __init__(self, images: int, *, seed: int) -> None:
        self.world = drawn(images, seed=seed)
        rng = np.random.default_rng(seed)
        self.captions = {id_: f"{id_} one. {id_} two. {id_} three." for id_ in self.world.ids}
        self._vectors: list[dict[str, np.ndarray]] = []
        told = rng.integers(0, 3, images)
        others = rng.integers(0, images, (images, 3))
        for own in self.world.nodes:
            shown = own.vectors.astype(np.float64).sum(axis=1)
            of_text: dict[str, Any] = {}
            for row, caption in enumerate(self.captions.values()):
                meant = [shown[row] if at == told[row] else shown[others[row, at]] for at in range(3)]
                of_caption = normalize(np.array(meant))
                of_caption[:, -1] = np.arange(3) == told[row]
                parts = [caption, *sentences(caption)]
                of_text |= zip(parts, normalize(np.stack([of_caption.sum(axis=0), *of_caption])), strict=True)
            self._vectors.append(of_text)

    @property
    def encoders(self):
        return [
            lambda texts, own=own: np.stack([own[text] for text in texts]).astype(np.float32) for own in self._vectors
        ]

    def fit(self, settings=QUICK, **options):
        captions = options.pop("captions", {id_: [text] for id_, text in self.captions.items()})
        steps = fit_captions(self.world.read, captions, self.world.classes, self.encoders, settings, **options)
        return drive(steps, False, unit="")

    def likeness(self, weights: CaptionWeights) -> np.ndarray:
        images = image_vectors(weights, self.world.nodes, self.world.classes)
        texts = text_vectors(weights, list(self.captions.values()), self.encoders)
        return (images * search_factors(weights, self.world.classes)) @ texts.T

    def top1(self, weights: CaptionWeights) -> float:
        """How often an image finds its caption among all, and a caption its image."""
        likeness, own = self.likeness(weights), np.arange(len(self.captions))
        return float(np.mean([likeness.argmax(axis=1) == own, likeness.argmax(axis=0) == own]))


@pytest.fixture(scope="module")
def captioned():
    return Captioned(90, seed=3)


@pytest.fixture(scope="module")
def learnt(captioned):
    return captioned.fit()


def random_weights(settings: FusionSettings) -> CaptionWeights:
    """Weights as after some training: none is 0."""
    start = CaptionWeights.untrained(DIMS, settings)
    rng = np.random.default_rng(4)
    arrays = {
        name: value + 0.3 * rng.normal(size=value.shape).astype(np.float32) for name, value in start.arrays.items()
    }
    for side in ("attention", "of_captions"):
        arrays[f"{side}.deviation"] = np.abs(arrays[f"{side}.deviation"]) + 0.5
    return CaptionWeights(dims=DIMS, settings=settings, arrays=arrays)


def slow_side(a: dict[str, np.ndarray], side: str, prior: Any, features: Any, nodes: Any) -> list[np.ndarray]:
    """Each encoder's vector of one image or caption, node by node, as the formula says."""
    hidden, found = [], []
    for m, own in enumerate(nodes):
        of_encoder = []
        for vector in own:
            projected = a[f"{side}.project.{m}.weight"] @ vector
            centred = (projected - projected.mean()) / math.sqrt(projected.var() + 1e-5)
            of_encoder.append(centred * a[f"{side}.norm.{m}.weight"] + a[f"{side}.norm.{m}.bias"])
        hidden.append(of_encoder)
    for m, own in enumerate(nodes):
        logits = []
        for r in range(len(own)):
            phi = (features[m][r] - a[f"{side}.mean"][m]) / a[f"{side}.deviation"][m]
            total = a[f"{side}.source.weight"] @ hidden[m][r] + a[f"{side}.target.weight"] @ hidden[m][0]
            for j in range(len(nodes)):
                if j != m:
                    total = total + a[f"{side}.others.weight"] @ hidden[j][0]
            leaky = np.where(total > 0, total, 0.2 * total)
            logits.append(prior[m][r] + a[f"{side}.weights.{m}"] @ phi + a[f"{side}.vector"] @ leaky)
        alpha = np.exp(np.array(logits) - max(logits))
        x = sum(share * vector for share, vector in zip(alpha / alpha.sum(), own, strict=True))
        found.append(x / np.linalg.norm(x))
    return found


@pytest.mark.parametrize("fused_part", [False, True])
def test_likeness__is_that_of_a_loop_over_the_nodes(captioned, fused_part):
    weights = random_weights(FusionSettings(fused_part=fused_part))
    a = {name: value.astype(np.float64) for name, value in weights.arrays.items()}
    world, found = captioned.world, captioned.likeness(weights)
    features = node_features(world.nodes, world.classes, steps=2)
    texts = list(captioned.captions.values())
    for row, column in ((0, 0), (1, 5), (89, 3)):
        there = [own.there[row] for own in world.nodes]
        images = [own.vectors[row][of].astype(np.float64) for own, of in zip(world.nodes, there, strict=True)]
        prior = [-10 * own.entropy[row][of] for own, of in zip(features, there, strict=True)]
        phi = [own.values[row][of] for own, of in zip(features, there, strict=True)]
        x = slow_side(a, "attention", prior, phi, images)
        parts = [texts[column], *(f"{world.ids[column]} {name}." for name in ("one", "two", "three"))]
        captions = [encode(parts).astype(np.float64) for encode in captioned.encoders]
        lengths = [len(part) for part in parts[1:]]
        phi = []
        for own, other in zip(captions, captions[::-1], strict=True):
            shares = [1, *(length / sum(lengths) for length in lengths)]
            phi.append([[own[r] @ own[0], shares[r], other[r] @ other[0], float(r == 0)] for r in range(4)])
        y = slow_side(a, "of_captions", np.zeros((2, 4)), phi, captions)
        expected = 0.0
        for m in range(2):
            expected += math.log1p(math.exp(a["scales"][m])) * world.classes[m].logit_scale * (x[m] @ y[m])
        if fused_part:
            joint = a["of_images.weight"] @ np.concatenate([*x, *(own[0] for own in images)])
            text = a["of_texts.weight"] @ np.concatenate([*y, *(own[0] for own in captions)])
            cosine = joint @ text / np.linalg.norm(joint) / np.linalg.norm(text)
            expected += math.expm1(a["fused_scale"][0]) * cosine
        assert found[row, column] == pytest.approx(expected, abs=5e-4)


def test_untrained__is_the_sum_of_the_encoders_scores(captioned):
    world, texts = captioned.world, list(captioned.captions.values())
    expected = np.zeros((len(texts), len(texts)))
    features = node_features(world.nodes, world.classes, steps=2)
    for own, of_nodes, against, encode in zip(world.nodes, features, world.classes, captioned.encoders, strict=True):
        means = [np.mean(encode([text, *sentences(text)]).astype(np.float64), axis=0) for text in texts]
        images = decisive_vectors(own, of_nodes.entropy)
        expected += against.logit_scale * images @ normalize(np.stack(means)).T
    for settings in (FusionSettings(), QUICK):
        found = captioned.likeness(CaptionWeights.untrained(DIMS, settings))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_fit__learns_which_sentence_is_about_the_image(captioned, learnt):
    fresh = Captioned(90, seed=4)
    flat = captioned.fit(FusionSettings(steps=QUICK.steps, folds=2, graph=False))
    untrained = CaptionWeights.untrained(DIMS, QUICK)
    found = [fresh.top1(weights) for weights in (untrained, flat.final, learnt.final)]
    assert learnt.report["steps"] > 0 and learnt.report["captions"] == learnt.report["images"] == 90
    assert found[2] > found[1] + 0.05 and found[2] > found[0] + 0.05, found


def test_fit__answers_each_image_by_a_model_that_has_not_seen_it(captioned, learnt):
    assert set(learnt.fold_of) == set(captioned.captions) and len(learnt.by_fold) == 2
    changed = {id_: [text] for id_, text in captioned.captions.items()}
    own = [id_ for id_ in changed if learnt.fold_of[id_] == 0][:5]
    changed |= {id_: changed[other] for id_, other in zip(own, [*own[1:], own[0]], strict=True)}
    again = captioned.fit(captions=changed)
    assert again.fold_of == learnt.fold_of and again.report["steps"] == learnt.report["steps"]
    arrays, same = learnt.by_fold[0].arrays, again.by_fold[0].arrays
    assert all(np.allclose(arrays[name], same[name], atol=1e-5) for name in arrays), (
        "captions of a fold taught its model"
    )
    assert not np.allclose(learnt.final.arrays["scales"], again.final.arrays["scales"], atol=1e-5)


def test_fit__keeps_the_captions_of_an_image_and_of_its_group_in_one_fold(captioned):
    ids = captioned.world.ids[:60]
    captions = {id_: [captioned.captions[id_], *sentences(captioned.captions[id_])] for id_ in ids}
    groups = {id_: str(at // 2) for at, id_ in enumerate(ids)}
    found = captioned.fit(FusionSettings(steps=(0,), folds=2), captions=captions, groups=groups)
    assert (found.report["captions"], found.report["images"]) == (240, 60)
    for group in set(groups.values()):
        assert len({found.fold_of[id_] for id_ in ids if groups[id_] == group}) == 1


def test_fit__learns_nothing_from_too_few_images_or_from_one_text_alone(captioned):
    ids = captioned.world.ids
    few = {id_: [captioned.captions[id_]] for id_ in ids[:29]}
    copies = {id_: [captioned.captions[id_]] for id_ in ids[:58]}
    for captions, groups in (
        (few, {}),
        (copies, {id_: str(at // 2) for at, id_ in enumerate(copies)}),
        (copies, dict.fromkeys(copies, "one file")),
        ({id_: ["a bird"] for id_ in ids}, {}),
    ):
        found = captioned.fit(captions=captions, groups=groups)
        assert found.report["captions"] == 0 and found.report["steps"] is None and not found.by_fold
        assert np.allclose(found.final.factors, 1)


def test_loss__has_no_negatives_among_captions_that_are_true_of_an_image(captioned):
    world, text = captioned.world, captioned.captions[captioned.world.ids[0]]

    def losses(captions):
        task = read_captioned(world.read, captions, world.classes, captioned.encoders, QUICK, memory_bytes=10**9)
        graph = CaptionWeights.untrained(DIMS, QUICK).graph
        rows = torch.arange(len(task.image_of))
        assert torch.allclose(task.losses(graph, rows), task.check(graph, rows)[0])
        return task.losses(graph, rows).detach().numpy()

    shared = {id_: [text] for id_ in world.ids[:3]}
    assert losses(shared) == pytest.approx([0, 0, 0])
    assert losses({**shared, world.ids[3]: [captioned.captions[world.ids[3]]]}).min() > 0
    assert losses({world.ids[0]: [text, *sentences(text)]}) == pytest.approx([0] * 4)


def test_labels__weights_compare_images_with_texts_by_their_attention(captioned):
    start = FusionWeights.untrained(DIMS, CLASSES, FusionSettings(fused_part=True))
    rng = np.random.default_rng(0)
    arrays = {
        name: value + 0.2 * rng.normal(size=value.shape).astype(np.float32) for name, value in start.arrays.items()
    }
    weights = FusionWeights(dims=DIMS, classes=CLASSES, settings=start.settings, arrays=arrays)
    found = captioned.likeness(Fusion(final=weights).for_search.final)
    answers = answer(weights, captioned.world.nodes, captioned.world.classes)
    untrained = CaptionWeights.untrained(DIMS, FusionSettings())
    texts = np.split(text_vectors(untrained, list(captioned.captions.values()), captioned.encoders), [DIMS[0]], axis=1)
    scales = [own.logit_scale for own in captioned.world.classes]
    expected = sum(answers.factors[m] * scales[m] * answers.images[m] @ texts[m].T for m in range(2))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    with pytest.raises(ConfigError, match="with captions"):
        FusionWeights.untrained(DIMS, CLASSES, FusionSettings(anchored=False)).for_captions()


def test_saved__captions_weights_are_read_back(captioned, learnt):
    of_labels = FusionWeights.untrained(DIMS, CLASSES)
    read = Fusion.from_bytes(Fusion(final=of_labels, captions=learnt).to_bytes())
    assert read.captions is not None and read.for_search is read.captions
    assert (read.captions.fold_of, read.captions.report) == (learnt.fold_of, learnt.report)
    assert read.captions.final.settings == QUICK and read.final.settings == FusionSettings()
    for own, expected in ((read.captions.final, learnt.final), (read.captions.by_fold[1], learnt.by_fold[1])):
        assert np.array_equal(captioned.likeness(own), captioned.likeness(expected))
    assert Fusion.from_bytes(Fusion(final=of_labels).to_bytes()).captions is None


def test_published__form_learns(captioned):
    found = captioned.fit(FusionSettings(steps=(40,), folds=2, anchored=False))
    assert found.report["steps"] == 40 and captioned.top1(found.final) > 3 / 90


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a blue tit", []),
        ("a blue tit.", []),
        ("A bird. It has a crown! Red?", ["A bird.", "It has a crown!", "Red?"]),
        ("a bird 3.5 cm long\na beach", ["a bird 3.5 cm long", "a beach"]),
        ("青い鳥。赤い頭。", ["青い鳥。", "赤い頭。"]),
    ],
)
def test_sentences__are_parted_where_they_end(caption, expected):
    assert sentences(caption) == expected


def test_sentences__of_a_long_caption_are_joined():
    found = sentences(" ".join(f"part {at}." for at in range(40)))
    assert len(found) == MAX_SENTENCES and " ".join(found).count("part") == 40


def test_nodes__are_the_whole_caption_then_its_sentences():
    places = {text: at for at, text in enumerate(("a. b.", "a.", "b.", "c"))}
    (found,) = caption_nodes(
        ["a. b.", "c"], [lambda texts: np.eye(4, dtype=np.float32)[[places[text] for text in texts]]]
    )
    assert found.step.tolist() == [[-1, 0, 0], [-1, -2, -2]]
    assert found.vectors.argmax(axis=2).tolist()[0] == [0, 1, 2] and found.vectors[1, 0].argmax() == 3
    assert not found.vectors[1, 1:].any()
