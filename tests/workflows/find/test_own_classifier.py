"""A small classifier, trained on the demo's labels, judges them without any encoder, alone and beside LGCA."""

from __future__ import annotations

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import cross_val_predict

import lgca_plugin as lgca
from lgca_plugin.demo.dataset import load_demo_dataset
from tests.helpers.runs import classified

pytestmark = pytest.mark.thorough


def colours(path):
    """Histogram of a picture's colours."""
    with Image.open(path) as image:
        values = np.asarray(image.convert("HSV").resize((64, 64))).reshape(-1, 3)
    return np.sqrt(np.histogramdd(values, bins=(10, 5, 5), range=((0, 256),) * 3)[0].ravel() / len(values))


@pytest.fixture
def birds(tmp_path):
    """The demo, with ``forest``: predictions of forests each of which has seen four fifths of the other pictures."""
    dataset = load_demo_dataset("own-classifier", tmp_path / "birds", overwrite=True)
    features = np.stack([colours(path) for path in dataset.values("filepath")])
    given = np.array(dataset.values("ground_truth.label"))
    forest = ExtraTreesClassifier(100, random_state=0)
    p = cross_val_predict(forest, features, given, cv=5, method="predict_proba")
    classes = np.unique(given)
    labels = [fo.Classification(label=classes[row.argmax()], confidence=row.max(), logits=row) for row in p]
    dataset.set_values("forest", labels)
    yield dataset
    fo.delete_dataset(dataset.name)


def wrong_found(dataset, *predictions):
    """Number of wrong labels among as many of the lowest quality, in a triage by predictions."""
    triage = lgca.triage(dataset, "ground_truth", predictions=list(predictions), run_key="voters", progress=False)
    wrong = dataset.values("label_is_wrong")
    quality = np.array(dataset.values("voters_label_quality"))
    worst = np.argsort(quality, kind="stable")[: sum(wrong)]
    return sum(np.array(wrong)[worst]), triage


def test_both_together_find_at_least_as_many_wrong_labels_as_either_alone(birds, demo_encoder):
    alone, triage = wrong_found(birds, "forest")
    assert 2 <= alone < 12
    decided = triage.decide(triage.suspects().limit(3), "accepted")
    assert triage.left()["accepted"] == 3
    assert triage.run.evaluate(progress=False).samples == 240
    triage.undo(decided.action)

    classified(birds, demo_encoder, methods=("clip", "wca", "lgca"), logits=True)
    by_lgca, _ = wrong_found(birds, "zs_lgca")
    both, triage = wrong_found(birds, "forest", "zs_lgca")
    assert both >= max(alone, by_lgca)
    assert by_lgca >= 10
    weights = {name: found["weight"] for name, found in triage.report["predictions"].items()}
    assert weights["zs_lgca"] > 3 * weights["forest"]
    evaluation = triage.run.evaluate(progress=False)
    assert evaluation.is_real(evaluation.pairs[0])
    assert evaluation.methods["zs_lgca"].accuracy > evaluation.methods["forest"].accuracy + 0.2
