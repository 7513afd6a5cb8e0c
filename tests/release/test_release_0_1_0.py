"""What release 0.1.0 has written stays readable and gives the same answers, and no image is encoded for it.

``tests/data/release_0_1_0`` holds twelve drawn birds and a broken file, and what that release left of four runs on
them, of a triage, decisions and evaluations: all documents in MongoDB, and its store of embeddings. ``expected.json``
holds what the functions of :mod:`tests.helpers.release_facts` returned under that release.
"""

import fiftyone as fo
import numpy as np
import pytest

import lgca_plugin as lgca
from tests.helpers.release import (
    NEAR,
    NEAR_EMBEDDED,
    Mute,
    assert_same,
    expected,
    plain,
    restored,
)
from tests.helpers.release_facts import (
    COMPUTED,
    KEYS,
    SETTINGS,
    boxes_of,
    last_triage,
    names_of,
    predictions_of,
    store_of,
    values_of,
)

TRIAGED_AGAIN = {"triage again", "triage of another run", "triage of few"}


@pytest.fixture
def released(tmp_path):
    """The release's dataset, in a store that is this test's own, as every test's is."""
    with restored(tmp_path) as dataset:
        yield dataset


@pytest.mark.parametrize("what", sorted(COMPUTED.keys() - TRIAGED_AGAIN))
def test_release__reads_and_computes_the_same(released, what, tmp_path):
    assert_same(plain(COMPUTED[what](released, tmp_path)), expected()[what])


@pytest.mark.parametrize("what", sorted(TRIAGED_AGAIN))
def test_release__triages_the_same_but_for_labels_outside_the_classes(released, what, tmp_path):
    found, wanted = plain(COMPUTED[what](released, tmp_path)), expected()[what]
    labels = dict(zip(names_of(released).values(), released.values("ground_truth.label"), strict=True))
    outside = {name for name, label in labels.items() if [label, 1] in wanted["report"]["outside"]}
    assert outside == set(found["cases"]["label outside the classes"])
    assert set(found["suspects"]["all"][: len(outside)]) == outside
    assert found["report"]["outside_suspects"] == len(outside) >= 1
    assert_same(of_others(found, outside), of_others(wanted, outside))


def of_others(facts, outside):
    """What a triage says of all samples but those whose label is no class, which that release did not suspect."""
    report = {name: value for name, value in facts["report"].items() if name not in ("near", "outside_suspects")}
    report["suspects"] -= facts["report"].get("outside_suspects", 0)
    report["warnings"] = [warning for warning in report["warnings"] if "leave out" not in warning]
    lists = {
        part: {key: [one for one in names if one not in outside] for key, names in facts[part].items()}
        for part in ("cases", "suspects")
    }
    lists["cases"] = {case: names for case, names in lists["cases"].items() if names}
    report["cases"] = {case: len(names) for case, names in lists["cases"].items()}
    samples = {
        part: {name: value for name, value in facts[part].items() if name not in outside}
        for part in ("samples", "suggestions", "judged")
    }
    return {"report": report, **lists, **samples}


def test_runs__their_scores_are_read_from_the_labels(released):
    for method in SETTINGS["adaptive"]["methods"]:
        rows = values_of(released, f"adaptive_{method}.logits", f"adaptive_{method}.margin")
        assert len(rows) == 12
        for scores, margin in rows.values():
            second, first = np.sort(scores)[-2:]
            assert first - second == pytest.approx(margin, abs=NEAR)


def test_evidence__says_why_there_is_none(released):
    ids = {name: id_ for id_, name in names_of(released).items()}
    for key, name, why in (("full", "broken", "has no result in run 'full'"), ("light", "bird-008", "has no region")):
        with pytest.raises(lgca.ConfigError, match=why):
            lgca.load_run(released, key).evidence(ids[name])


def test_rescore__back_to_the_first_question_gives_the_first_answers(released):
    full = lgca.load_run(released, "full")
    back = lgca.load_run(released, "rescored").rescore(
        full.config.classes, full.descriptions, run_key="back", encoder=Mute(), progress=False
    )
    assert_same(plain(predictions_of(back)), plain(predictions_of(full)))
    assert back.config.descriptions_hash == full.config.descriptions_hash


def test_rescore__in_place_keeps_the_decisions(released):
    run = lgca.load_run(released, "full").rescore(image_scale=2.0, encoder=Mute(), progress=False)
    assert run.token == lgca.load_run(released, "full").token
    names, triage = names_of(released), run.last_triage()
    found = [(names[row.sample_id], row.action) for row in triage.decisions(history=True)]
    assert found == [(row["sample"], row["action"]) for row in expected()["decisions"]["history"]]
    assert triage.left()["other samples decided"] == 5  # nobody has looked for suspects in the new predictions yet


def test_decisions__are_replaced_and_come_back(released):
    triage = last_triage(released)
    before = values_of(released, "full_decision.label", "ground_truth_corrected.label", "tags")
    (first, *_) = triage.suspects(decided=True).values("id")
    decided = triage.decide(first, "bad image", by="max")
    assert (decided.samples, decided.replaced) == (1, 1)
    assert triage.left()["bad image"] == 1
    assert triage.undo(decided.action, by="max").samples == 1
    assert values_of(released, "full_decision.label", "ground_truth_corrected.label", "tags") == before


@pytest.mark.parametrize("key", SETTINGS)
def test_classify__again_has_nothing_to_do_and_under_a_new_key_encodes_no_image(released, key):
    stored = lgca.load_run(released, key)
    before, summary = plain([predictions_of(stored), boxes_of(stored)]), stored.summary()
    same = classify(released, stored, key)
    counts = ("total", "predicted", "failed", "encodes", "images_encoded", "images_recalled")
    assert [same.summary()[name] for name in counts] == [summary[name] for name in counts]
    assert plain([predictions_of(same), boxes_of(same)]) == before
    assert (same.token, same.failures) == (stored.token, stored.failures)

    new = classify(released, stored, "again", methods=stored.config.methods)  # the release's own lgca_d among them
    assert [new.summary()[name] for name in counts] == [13, 12, 1, 0, 0, 12]
    assert new.summary().get("stopped_after") == summary.get("stopped_after")
    assert_same(plain([predictions_of(new), boxes_of(new)]), before, NEAR_EMBEDDED)


def classify(dataset, stored, run_key, **changes):
    """Makes the call that has made a stored run, with a model that refuses images."""
    return lgca.classify(
        dataset,
        list(stored.config.classes),
        stored.descriptions,
        run_key=run_key,
        regions=stored.config.regions,
        ground_truth="ground_truth",
        encoder=Mute(texts=True),
        progress=False,
        **{**SETTINGS[stored.key], **changes},
    )


def test_store__is_cleaned_of_runs_that_are_gone_only(released):
    assert store_of(released) == [[key, True, 4 if key == "light" else 12] for key in KEYS]
    assert lgca.clean_store() == 0
    assert len(store_of(released)) == len(KEYS)
    fo.delete_dataset(released.name)
    assert lgca.clean_store() > 0
    assert lgca.store_info().runs == []
