"""Known shares of the classes are one exact term of every margin, and leave what the image itself says as it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lgca_plugin.method.core.methods import METHODS
from lgca_plugin.method.explain.evidence import Evidence
from lgca_plugin.method.explain.learned import CLASS_SHARES
from lgca_plugin.method.explain.method_results import MethodResults
from tests.helpers.worlds.evidence import CLASSES, evidence_of
from tests.helpers.worlds.random_runs import World

PRESETS = {**METHODS, "lgca_global": replace(METHODS["lgca"], name="lgca_global", global_weight=0.7)}


def with_offsets(seen: Evidence, offsets: dict[str, np.ndarray]) -> Evidence:
    scoring = replace(seen.verdicts.scoring, offsets=offsets)
    return replace(seen, verdicts=MethodResults.of_all(scoring, seen.verdicts.image))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(sorted(PRESETS)), data=st.data())
def test_evidence__contributions_other_terms_and_the_share_term_sum_to_the_margin(
    seed: int, name: str, data: st.DataObject
) -> None:
    plain = evidence_of(World(seed), PRESETS, np.float64)
    offsets = np.array(data.draw(st.lists(st.floats(-0.2, 0.2), min_size=len(CLASSES), max_size=len(CLASSES))))
    seen = with_offsets(plain, {name: offsets})
    a, b = (data.draw(st.integers(0, len(CLASSES) - 1)) for _ in range(2))
    gone = data.draw(st.sets(st.integers(0, len(seen.step) - 1), max_size=8))
    for verdicts, before in ((seen, plain), (seen.without(gone), plain.without(gone))):
        if np.isnan(verdicts.scores[name]).any():
            continue
        terms = verdicts.terms(name, a, b)
        assert terms[CLASS_SHARES] == offsets[a] - offsets[b]
        assert {**before.terms(name, a, b), CLASS_SHARES: terms[CLASS_SHARES]} == terms
        margin = verdicts.contributions(name, a, b).sum() + sum(terms.values())
        assert margin == pytest.approx(verdicts.margin(name, a, b), abs=1e-9)
        np.testing.assert_allclose(verdicts.scores[name], before.scores[name] + offsets, atol=1e-12)
        assert verdicts.own_labels == before.labels
        assert verdicts.labels[name] == CLASSES[int((before.scores[name] + offsets).argmax())]
    assert seen.stability == plain.stability
    assert seen.misleading.tolist() == plain.misleading.tolist()
    for other in set(PRESETS) - {name}:
        assert CLASS_SHARES not in seen.terms(other, a, b)


def test_pair__has_no_class_twice_where_the_shares_bring_the_methods_together() -> None:
    for seed in range(20):
        plain = evidence_of(World(seed), PRESETS, np.float64)
        both = with_offsets(plain, {name: np.array([5.0, 0.0, 0.0, 0.0]) for name in ("wca", "lgca")})
        assert both.labels["wca"] == both.labels["lgca"] == CLASSES[0]
        assert both.own_labels == plain.labels
        for name in ("wca", "lgca"):
            label, rival = both.pair(name)
            assert label == CLASSES[0] != rival
