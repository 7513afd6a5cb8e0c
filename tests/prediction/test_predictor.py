"""Labels, confidences and margins from class scores."""

import numpy as np
import pytest

from lgca_plugin.prediction.predictor import decisions


def test_decisions__leave_the_scores_alone_that_come_with_them():
    found = np.array([[0.1, 0.5, 0.2], [0.9, 0.1, 0.3]])
    before = found.copy()
    made = decisions(found, 10.0)
    np.testing.assert_array_equal(found, before)
    assert [one.label for one in made] == [1, 0]
    assert [one.margin for one in made] == pytest.approx([0.3, 0.6])
    assert made[0].confidence == pytest.approx(np.exp(5) / np.exp([1, 5, 2]).sum())
    quick = decisions(found, 10.0, with_scores=False)
    assert [(a.label, a.confidence, a.margin) for a in quick] == [(b.label, b.confidence, b.margin) for b in made]
    assert quick[0].scores is None
