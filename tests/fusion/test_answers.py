"""The answers of a fusion against a loop written from the formula."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from lgca_plugin.errors import ConfigError
from lgca_plugin.fusion.answers import answer
from lgca_plugin.fusion.graph import gatv2_logits, make_graph
from lgca_plugin.fusion.settings import FusionSettings
from lgca_plugin.fusion.weights import Fusion, FusionWeights
from lgca_plugin.method.core.methods import Method
from lgca_plugin.method.core.regions import CropCounts, RegionEmbeddings
from lgca_plugin.method.core.run_scoring import RunScoring
from lgca_plugin.method.core.scores import normalize
from lgca_plugin.method.fusion.features import node_features
from lgca_plugin.method.fusion.nodes import EncoderNodes
from tests.fusion.conftest import CLASSES, DIMS, drawn


def random_weights(settings: FusionSettings) -> FusionWeights:
    """Weights as after some training: none is 0."""
    start = FusionWeights.untrained(DIMS, CLASSES, settings)
    rng = np.random.default_rng(3)
    arrays: dict[str, Any] = {
        name: (value + 0.3 * rng.normal(size=value.shape)).astype(np.float32) for name, value in start.arrays.items()
    }
    arrays["attention.deviation"] = np.abs(arrays["attention.deviation"]) + 0.5
    return FusionWeights(dims=DIMS, classes=CLASSES, settings=settings, arrays=arrays)


def slow_logits(weights: FusionWeights, nodes, classes, row: int) -> np.ndarray:
    """The logits of one image, as the formula says, node by node."""
    a = {name: value.astype(np.float64) for name, value in weights.arrays.items()}
    features = node_features(nodes, classes, steps=2)
    hidden = []
    for m, own in enumerate(nodes):
        of_encoder = []
        for vector in own.vectors[row].astype(np.float64):
            projected = a[f"attention.project.{m}.weight"] @ vector
            centred = (projected - projected.mean()) / math.sqrt(projected.var() + 1e-5)
            of_encoder.append(centred * a[f"attention.norm.{m}.weight"] + a[f"attention.norm.{m}.bias"])
        hidden.append(of_encoder)
    logits = a["bias"].copy()
    images = []
    for m, own in enumerate(nodes):
        e = {}
        for r in range(own.step.shape[1]):
            if own.step[row, r] == -2:
                continue
            phi = (features[m].values[row, r] - a["attention.mean"][m]) / a["attention.deviation"][m]
            total = a["attention.source.weight"] @ hidden[m][r] + a["attention.target.weight"] @ hidden[m][0]
            for j in range(len(nodes)):
                if j != m:
                    total = total + a["attention.others.weight"] @ hidden[j][0]
            leaky = np.where(total > 0, total, 0.2 * total)
            e[r] = -10 * features[m].entropy[row, r] + a[f"attention.weights.{m}"] @ phi + a["attention.vector"] @ leaky
        largest = max(e.values())
        alpha = {r: math.exp(value - largest) for r, value in e.items()}
        x = sum(alpha[r] / sum(alpha.values()) * own.vectors[row, r].astype(np.float64) for r in e)
        x = x / np.linalg.norm(x)
        images.append(x)
        logits += math.log1p(math.exp(a["scales"][m])) * classes[m].logit_scale * classes[m].vectors @ x
    if weights.settings.fused_part:
        joint = a["of_images.weight"] @ np.concatenate([*images, *(own.vectors[row, 0] for own in nodes)])
        for k in range(CLASSES):
            of_class = np.concatenate([*(own.vectors[k] for own in classes), *(own.labels[k] for own in classes)])
            text = a["of_texts.weight"] @ of_class
            cosine = joint @ text / np.linalg.norm(joint) / np.linalg.norm(text)
            logits[k] += 20 * (math.exp(a["fused_scale"][0]) - 1) * cosine
    return logits


@pytest.mark.parametrize("fused_part", [False, True])
def test_logits__are_those_of_a_loop_over_the_nodes(world, fused_part):
    weights = random_weights(FusionSettings(fused_part=fused_part))
    found = answer(weights, world.nodes, world.classes)
    for row in range(len(world.ids)):
        expected = slow_logits(weights, world.nodes, world.classes, row)
        np.testing.assert_allclose(found.logits[row], expected, atol=2e-4)


def test_untrained__is_the_sum_of_the_decisive_logits(world):
    found = answer(FusionWeights.untrained(DIMS, CLASSES), world.nodes, world.classes)
    method = Method(name="chains_d", regions="chains", weighting="decisive")
    for row in range(len(world.ids)):
        expected = np.zeros(CLASSES)
        for own, against in zip(world.nodes, world.classes, strict=True):
            there = own.there[row]
            vectors = own.vectors[row][there].astype(np.float64)  # the whole image is one of the nodes
            image = RegionEmbeddings(vectors, vectors[0], np.maximum(own.step[row][there], 0), np.arange(there.sum()))
            scoring = RunScoring(
                methods={method.name: method},
                classes=tuple("abcd"),
                class_vectors={method.name: against.vectors},
                logit_scale=against.logit_scale,
                counts=CropCounts(99, 99),
            )
            vector = normalize(scoring.weights(method, image).regions @ vectors)
            expected += against.logit_scale * against.vectors @ vector
        np.testing.assert_allclose(found.logits[row], expected, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("settings", [FusionSettings(fused_part=True), FusionSettings(anchored=False)])
def test_shares__of_nodes_fused_part_and_bias_sum_to_the_logits(world, settings):
    found = answer(random_weights(settings), world.nodes, world.classes)
    total = found.fused + found.bias + sum(found.node_logits(m).sum(axis=1) for m in range(2))
    np.testing.assert_allclose(total, found.logits, atol=1e-9)
    assert all(np.allclose(own.sum(axis=1), 1) for own in found.attention)


def test_gone__nodes_leave_their_attention_to_the_others(world):
    weights = random_weights(FusionSettings())
    all_nodes = answer(weights, world.nodes, world.classes)
    gone = [np.zeros(own.step.shape, bool) for own in world.nodes]
    gone[0][:, 1:3] = True
    gone[1][:, :] = True
    found = answer(weights, world.nodes, world.classes, gone=gone)
    left = np.where(gone[0], 0, all_nodes.attention[0])
    np.testing.assert_allclose(found.attention[0], left / left.sum(axis=1, keepdims=True), atol=1e-6)
    assert not found.attention[1].any() and np.isfinite(found.logits).all()
    np.testing.assert_allclose(found.logits, found.bias + found.node_logits(0).sum(axis=1), atol=1e-9)


def test_padding__does_not_change_an_answer():
    small, weights = drawn(6, seed=1, regions=(3, 3)), random_weights(FusionSettings())
    wide = [
        EncoderNodes(
            np.pad(own.vectors, ((0, 0), (0, 4), (0, 0))),
            np.pad(own.step, ((0, 0), (0, 4)), constant_values=-2),
            np.pad(own.chain, ((0, 0), (0, 4)), constant_values=-1),
        )
        for own in small.nodes
    ]
    expected = answer(weights, small.nodes, small.classes).logits
    np.testing.assert_allclose(answer(weights, wide, small.classes).logits, expected, atol=1e-4)


def test_gradients__of_the_attention_are_those_of_differences():
    torch.manual_seed(0)
    source, target, vector = (
        torch.randn(*shape, dtype=torch.double, requires_grad=True) for shape in ((3, 5, 4), (3, 1, 4), (4,))
    )
    assert torch.autograd.gradcheck(gatv2_logits, (source, target, vector))


def test_graph__is_the_same_for_a_seed_and_leaves_torchs_own_state():
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, second = (make_graph(DIMS, CLASSES, FusionSettings(seed=2)) for _ in range(2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


def test_gatv2__attention_is_that_of_torch_geometric():
    from torch_geometric.nn import GATv2Conv

    torch.manual_seed(1)
    conv = GATv2Conv(6, 8, heads=1, bias=False, add_self_loops=False, share_weights=False)
    nodes, n = torch.randn(9, 6), 9
    edges = torch.stack([torch.arange(1, n), torch.zeros(n - 1, dtype=torch.long)])  # all others to the first
    out, (_, alpha) = conv(nodes, edges, return_attention_weights=True)
    own = gatv2_logits(conv.lin_l(nodes[1:]), conv.lin_r(nodes[:1]), conv.att[0, 0])
    weights = torch.softmax(own, dim=0)
    assert torch.allclose(weights, alpha[:, 0], atol=1e-5)
    assert torch.allclose(weights @ conv.lin_l(nodes[1:]), out[0], atol=1e-5)


def test_saved__weights_are_read_back_and_a_changed_file_is_refused(world, tmp_path):
    weights = random_weights(FusionSettings(fused_part=True))
    fusion = Fusion(final=weights, by_fold=(weights, weights), fold_of={world.ids[0]: 1}, report={"labels": 3})
    path = tmp_path / "fusion.safetensors"
    fusion.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    read = Fusion.from_bytes(path.read_bytes())
    assert read.digest == fusion.digest and read.fold_of == fusion.fold_of and read.report == fusion.report
    expected = answer(weights, world.nodes, world.classes).logits
    assert np.array_equal(answer(read.weights_of(world.ids[0]), world.nodes, world.classes).logits, expected)
    for content in (b"", path.read_bytes()[:-9], b"\x00" * 400, path.read_bytes().replace(b"dims", b"dinn")):
        with pytest.raises(ConfigError, match="fuse the runs again"):
            Fusion.from_bytes(content)


def test_other_classes__are_answered_by_the_anchored_part_alone(world):
    weights = random_weights(FusionSettings(fused_part=True))
    found = answer(
        weights.for_classes(2),
        world.nodes,
        [own.__class__(own.vectors[:2], own.labels[:2], own.logit_scale) for own in world.classes],
    )
    assert found.logits.shape == (len(world.ids), 2) and not found.bias.any() and not found.fused.any()
    with pytest.raises(ConfigError, match="fuse again"):
        FusionWeights.untrained(DIMS, CLASSES, FusionSettings(anchored=False)).for_classes(2)
