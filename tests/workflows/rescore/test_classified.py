"""A classification with known shares of the classes ends where classifying and then rescoring does."""

import pytest

import lgca_plugin as lgca
from lgca_plugin.config import ClassShares
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.prediction.share_entry import ShareEntry
from lgca_plugin.workflows.classify.request import ClassifyOptions, check_classify
from lgca_plugin.workflows.rescore.classified import iter_classify_with_shares
from tests.helpers.engine import Counting
from tests.helpers.runs import add_images, assert_same_results, classified, shares_of

COUNTS = {name: 40 - 3 * at for at, name in enumerate(CLASSES)}


def test_classify__with_shares_is_classifying_and_rescoring(run, demo_encoder, options):
    expected = run.rescore(shares=COUNTS, run_key="expected", progress=False)
    labels: list[lgca.Progress] = []
    found = classified(
        run.dataset, demo_encoder, run_key="found", shares=COUNTS, **{**options, "progress": labels.append}
    )
    assert_same_results(found, expected)
    assert found.config == expected.config
    assert found.results["shares"] == expected.results["shares"]
    shares = [step.share for step in labels if step.total]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_classify__goes_on_with_new_images_and_finds_the_shares_again(birds, demo_encoder, demo_images, options):
    counting = Counting(demo_encoder)
    first = classified(birds, counting, shares="truth", **options)
    add_images(birds, demo_images[8:10])
    with pytest.raises(lgca.ConfigError, match=r"exists with other settings \(shares\)"):
        classified(birds, counting, **options)
    with pytest.raises(lgca.ConfigError, match=r"exists with other settings \(shares\)"):
        classified(birds, counting, shares="balanced", **options)
    again = classified(birds, counting, shares="truth", **options)
    assert shares_of(first).images == 8
    assert shares_of(again).images == 10
    whole = classified(birds, demo_encoder, shares="truth", run_key="whole", **options)
    assert_same_results(again, whole)
    token = again.token
    assert classified(birds, counting, shares="truth", **options).token == token, "nothing was to be done"


def test_classify__a_run_gets_shares_that_was_stopped_before_it_had_them(run, demo_encoder, options):
    settings = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", **options}
    request = check_classify(ClassifyOptions(samples=run.dataset, shares="balanced", **settings))
    steps = iter_classify_with_shares(request, encoder=demo_encoder)
    for step in steps:
        if "Shares" in step.label:
            break
    steps.close()
    assert lgca.load_run(run.dataset, "zs").config == run.config
    counting = Counting(demo_encoder)
    found = classified(run.dataset, counting, shares="balanced", **options)
    assert counting.encoded == 0
    assert found.config.shares == ClassShares()
    assert_same_results(found, run_of := lgca.load_run(run.dataset, "zs"))
    assert run_of.results["shares"]["images"] == 8


def test_classify__a_run_that_was_stopped_while_its_labels_were_moved_is_completed(run, demo_encoder, options):
    expected = run.rescore(shares=COUNTS, run_key="expected", progress=False)
    settings = {"classes": CLASSES, "descriptions": DESCRIPTIONS, "run_key": "zs", **options}
    request = check_classify(ClassifyOptions(samples=run.dataset, shares=COUNTS, **settings))
    steps = iter_classify_with_shares(request, encoder=demo_encoder)
    for step in steps:
        if step.label.startswith("Predictions"):
            break
    steps.close()
    found = classified(run.dataset, demo_encoder, shares=COUNTS, **options)
    assert found.summary()["status"] == "done"
    assert_same_results(found, expected)


def test_classify__shares_that_make_no_sense_are_refused_before_anything_is_written(birds, demo_encoder, options):
    for shares, message in (
        ("ballanced", "neither 'balanced' nor a label field"),
        ({"unicorn": 1}, "'unicorn', which is none of the 12 classes"),
        ({}, "shares is empty"),
    ):
        with pytest.raises(lgca.ConfigError, match=message):
            classified(birds, demo_encoder, shares=shares, **options)
    one = {birds.first().truth.label: 1.0}  # the classes are those of the field, which is read later
    with pytest.raises(lgca.ConfigError, match="shares lack class"):
        classified(birds, demo_encoder, shares=one, **{**options, "classes": None, "ground_truth": "truth"})
    with pytest.raises(lgca.ConfigError, match="leave one of the two out"):
        classified(birds, demo_encoder, shares="balanced", store_regions=False, **options)
    assert not birds.list_runs()


def test_overwrite__starts_without_the_shares_of_the_run_before(run, demo_encoder, options):
    run.rescore(shares=COUNTS, progress=False)
    found = classified(run.dataset, demo_encoder, overwrite=True, **options)
    assert found.config == run.config
    assert ShareEntry.of(found.results) is None
