"""A fused run with known shares of the classes: they move its own answer, too, and are a term of its evidence."""

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.method.explain.learned import CLASS_SHARES
from tests.helpers.runs import shares_of
from tests.method.labels.test_class_shares import plain_offsets

COUNTS = {name: 40 - 3 * at for at, name in enumerate(CLASSES)}


def test_fused_run__follows_shares_with_its_learnt_answer(birds):
    plain = lgca.load_run(birds, "fused").rescore(run_key="plain", logits=True, progress=False)
    run = plain.rescore(run_key="shared", shares=COUNTS, progress=False)
    before, after = (np.array([sample[f"{key}_hada"].logits for sample in birds]) for key in ("plain", "shared"))
    entry = shares_of(run)
    expected, _ = plain_offsets(before, list(entry.counts))
    np.testing.assert_allclose(entry.offsets["hada"], expected, atol=2e-2)
    np.testing.assert_allclose(after, before + np.array(entry.offsets["hada"]), atol=1e-4)
    assert birds.values("shared_hada.label") == [CLASSES[k] for k in after.argmax(axis=1)]

    sample = birds.first()
    seen = run.evidence(sample.id)
    a, b = seen.pair("hada")
    assert seen.labels["hada"] == sample["shared_hada"].label
    assert CLASS_SHARES in seen.terms("hada", a, b)
    share = seen.contributions("hada", a, b).sum() + sum(seen.terms("hada", a, b).values())
    assert share == pytest.approx(seen.margin("hada", a, b), abs=1e-6)
    assert run.triage("given", progress=False).report["embeddings"]["edited since the run"] == 0


def test_fuse__of_a_run_with_shares_has_them_for_all_methods(runs):
    shared = [run.rescore(run_key=f"{run.key}_shared", shares=COUNTS, shown_chains=0, progress=False) for run in runs]
    fused = lgca.fuse(shared, run_key="of_shared", progress=False)
    assert fused.config.shares == shared[0].config.shares
    assert set(shares_of(fused).offsets) == {method.name for method in fused.config.methods}
