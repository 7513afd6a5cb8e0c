"""Labels that follow known shares of the classes: rescored runs equal plain sums over all images."""

from collections import Counter

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.config import RunConfig
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.method.explain.learned import CLASS_SHARES
from lgca_plugin.method.explain.sentences import evidence_sentences
from lgca_plugin.prediction.share_entry import ShareEntry
from lgca_plugin.workflows.evidence.sample_record import read_sample_record
from tests.helpers.engine import Counting
from tests.helpers.runs import assert_same_results, shares_of
from tests.method.labels.test_class_shares import plain_offsets

FEWER = CLASSES[3:9]
COUNTS = {name: 40 - 3 * at for at, name in enumerate(CLASSES)}


def logits_of(run, method):
    return np.array([sample[f"{run.key}_{method}"].logits for sample in run.dataset], np.float64)


def test_rescore__labels_are_those_of_logits_and_offsets_by_plain_loops(run, demo_encoder, options):
    plain = run.rescore(run_key="plain", logits=True, progress=False)
    counting = Counting(demo_encoder)
    shared = run.rescore(run_key="shared", shares=COUNTS, logits=True, encoder=counting, progress=False)
    assert counting.encoded == 0
    entry = shares_of(shared)
    assert entry.counts == tuple(COUNTS[name] for name in CLASSES)
    assert entry.images == 8
    for name in options["methods"]:
        before = logits_of(plain, name)
        expected, _ = plain_offsets(before, list(entry.counts))
        np.testing.assert_allclose(entry.offsets[name], expected, atol=2e-2)
        after = before + np.array(entry.offsets[name])
        np.testing.assert_allclose(logits_of(shared, name), after, atol=1e-3)
        labels, moved = (shared.dataset.values(f"shared_{name}.{part}") for part in ("label", "before_shares"))
        assert labels == [CLASSES[k] for k in after.argmax(axis=1)]
        own = [CLASSES[k] for k in before.argmax(axis=1)]
        assert moved == [None if label == former else former for label, former in zip(labels, own, strict=True)]
        assert entry.changed[name] == sum(former is not None for former in moved)
        powers = np.exp(after - after.max(axis=1, keepdims=True))
        confidences = (powers / powers.sum(axis=1, keepdims=True)).max(axis=1)
        np.testing.assert_allclose(shared.dataset.values(f"shared_{name}.confidence"), confidences, atol=1e-4)
    assert sum(entry.changed.values()) > 0
    assert lgca.load_run(run.dataset, "shared").config == shared.config


def test_evidence__of_a_run_with_shares_has_them_as_a_term(run):
    shared = run.rescore(shares=COUNTS, progress=False)
    offsets = shares_of(shared).offsets
    for sample in list(shared.dataset)[:3]:
        seen = shared.evidence(sample.id)
        for name in seen.methods:
            assert seen.labels[name] == sample[f"zs_{name}"].label
            assert seen.margin(name) == pytest.approx(sample[f"zs_{name}"].margin, abs=1e-4)
            a, b = seen.pair(name)
            moved = offsets[name][CLASSES.index(a)] - offsets[name][CLASSES.index(b)]
            assert seen.terms(name, a, b)[CLASS_SHARES] * seen.verdicts.scoring.logit_scale == pytest.approx(moved)


def test_rescore__shares_of_a_field_are_its_labels_and_stay_until_they_are_dropped(run):
    before = run.dataset.values("zs_lgca.label")
    shared = run.rescore(shares="truth", progress=False)
    counts = Counter(run.dataset.values("truth.label"))
    assert shares_of(shared).counts == tuple(counts.get(name, 0) for name in CLASSES)
    assert any("8 labels in 'truth' are few to count 12 classes by" in one for one in shared.results["warnings"])
    fewer = shared.rescore(classes=FEWER, progress=False)
    assert fewer.config.shares == shared.config.shares
    assert shares_of(fewer).counts == tuple(counts.get(name, 0) for name in FEWER)
    assert any("no class of the run" in warning and "'truth'" in warning for warning in fewer.results["warnings"])
    dropped = fewer.rescore(classes=CLASSES, shares="none", progress=False)
    assert dropped.config.shares is None
    assert "shares" not in dropped.config.to_json()
    assert ShareEntry.of(dropped.results) is None
    assert dropped.dataset.values("zs_lgca.label") == before
    assert "zs_lgca.before_shares" not in dropped.dataset.get_field_schema(flat=True)


def test_rescore__shares_for_other_classes_are_refused_or_put_in_their_order(run):
    shared = run.rescore(shares=COUNTS, progress=False)
    with pytest.raises(lgca.ConfigError, match="pass shares for the new ones, a label field, or 'none'"):
        shared.rescore(classes=FEWER, progress=False)
    turned = shared.rescore(classes=CLASSES[::-1], progress=False)
    assert turned.config.shares.given == shared.config.shares.given[::-1]
    balanced = turned.rescore(classes=FEWER, shares="balanced", progress=False)
    assert shares_of(balanced).counts == pytest.approx([8 / 6] * 6)


def test_rescore__shares_and_counts_in_the_same_proportion_to_the_images_are_the_same(run):
    as_counts = run.rescore(shares={name: 2 * (name in CLASSES[:4]) for name in CLASSES}, run_key="a", progress=False)
    as_shares = run.rescore(
        shares={name: 0.25 * (name in CLASSES[:4]) for name in CLASSES}, run_key="b", progress=False
    )
    assert_same_results(as_shares, as_counts)


def test_clone__of_a_run_with_shares_has_them(run):
    shared = run.rescore(shares=COUNTS, progress=False)
    copy = shared.dataset.clone()
    try:
        cloned = lgca.load_run(copy, "zs")
        sample = copy.first()
        assert cloned.evidence(sample.id).labels == {
            name: sample[f"zs_{name}"].label for name in shared.summary()["methods"]
        }
        again = cloned.rescore(run_key="again", progress=False)
        assert_same_results(again, cloned)
    finally:
        copy.delete()


def test_triage__judges_the_labels_with_shares_and_names_those_that_they_have_changed(run):
    run.dataset.set_values("skewed", [fo.Classification(label=CLASSES[5])] * 8)
    shared = run.rescore(shares="skewed", methods=("clip", "wca", "lgca"), progress=False)
    triage = shared.triage("skewed", progress=False)
    report, entry = triage.report, shares_of(shared)
    assert report["embeddings"]["edited since the run"] == 0
    assert report["judged"] == 8
    assert report["shares"] == {"field": "skewed", "changed": entry.changed}
    changed = {name: shared.dataset.values(f"zs_{name}.before_shares") for name in entry.changed}
    images = sum(any(own) for own in zip(*changed.values(), strict=True))
    assert images > 0
    assert any(f"would give other labels on {images} of 8 images" in warning for warning in report["warnings"])
    assert not any("other labels" in warning for warning in shared.triage("truth", progress=False).report["warnings"])

    found = ((name, row) for name, own in changed.items() for row in range(8) if own[row] is not None)
    name, row = next(found)
    before, id_ = changed[name][row], shared.dataset.values("id")[row]
    assert read_sample_record(shared, id_).predictions[name].before == before
    sentences = evidence_sentences(shared.evidence(id_))
    assert any("How often each class occurs has decided" in own and f"“{before}”" in own for own in sentences)


REFUSED = [
    ("ballanced", "neither 'balanced' nor a label field of this dataset; its label fields: ground_truth, truth, other"),
    ("zs_wca", "a field of this very run; name a field with given labels"),
    ({}, "shares is empty: give each class its share or count"),
    ({**COUNTS, "unicorn": 3}, "'unicorn', which is none of the 12 classes"),
    (dict.fromkeys(CLASSES[1:], 3), f"shares lack class {CLASSES[0]!r}: give it a number"),
    (dict.fromkeys(CLASSES[2:], 3), f"shares lack class {CLASSES[0]!r} and 1 more"),
    ({**COUNTS, CLASSES[0]: float("nan")}, "must be a number of at least 0, got nan"),
    ({**COUNTS, CLASSES[0]: float("inf")}, "must be a number of at least 0, got inf"),
    ({**COUNTS, CLASSES[0]: -1}, "must be a number of at least 0, got -1"),
    ({**COUNTS, CLASSES[0]: "4"}, "must be a number of at least 0, got '4'"),
    ({**COUNTS, CLASSES[0]: True}, "must be a number of at least 0, got True"),
    (dict.fromkeys(CLASSES, 0), "the shares of all classes are 0"),
    (dict.fromkeys(CLASSES, 0.05), "sum to 0.6: shares have to sum to 1, counts to be whole numbers"),
    (7, "shares must be a label field, a dict of each class and its share or count, or 'balanced'; got 7"),
    ("other", "none of the 8 images has a label in 'other' that is one of the 12 classes"),
]


def test_rescore__shares_that_make_no_sense_are_refused_before_anything_is_written(run):
    run.dataset.set_values("other", [fo.Classification(label="unicorn")] * 8)
    before = run.dataset.values("zs_lgca.id")
    for shares, message in REFUSED:
        with pytest.raises(lgca.ConfigError) as refused:
            run.rescore(shares=shares, progress=False)
        assert message in str(refused.value)
    assert run.dataset.values("zs_lgca.id") == before
    assert lgca.load_run(run.dataset, "zs").config == run.config


def test_config__with_shares_is_read_as_it_was_written(run):
    shared = run.rescore(shares=COUNTS, progress=False)
    for config in (run.config, shared.config):
        assert RunConfig.from_json(config.to_json()) == config
