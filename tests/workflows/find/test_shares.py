"""A search with known shares of the classes goes on where it was, and finds them again where images have come."""

import pytest

import lgca_plugin as lgca
from tests.helpers.runs import shares_of


def counted(run, birds):
    """The counts in a run's record, and those of its classes in the field of labels."""
    counts = birds.count_values("ground_truth.label")
    return shares_of(run).counts, tuple(counts.get(name, 0) for name in run.config.classes)


def test_find__keeps_the_shares_and_finds_them_again_for_new_images_and_new_classes(birds, find, counting):
    with pytest.raises(lgca.ConfigError, match="neither 'balanced' nor a label field"):
        find(birds, shares="ballanced")
    assert not birds.list_runs()
    few = birds[:24]
    triage = find(few, shares="ground_truth")
    found, given = counted(triage.run, few)
    assert found == given
    assert triage.report["judged"] == 24
    assert triage.report["embeddings"]["edited since the run"] == 0
    encoded = counting.encoded

    again = find(few)
    assert again.run.token == triage.run.token, "nothing has changed"

    decided = again.suspects().values("id")[0]
    again.decide(decided, "accepted", by="ann")
    more = birds[:28]
    found, given = counted(find(more).run, more)
    assert found == given
    assert counting.encoded > encoded

    sample, encoded = birds.first(), counting.encoded
    sample["ground_truth"].label = "osprey"
    sample.save()
    renewed = find(more).run
    found, given = counted(renewed, more)
    assert found == given
    assert "osprey" in renewed.config.classes
    assert {len(own) for own in shares_of(renewed).offsets.values()} == {len(renewed.config.classes)}
    assert [row.sample_id for row in renewed.last_triage().decisions()] == [decided]

    assert find(more, shares="none").run.config.shares is None
    assert counting.encoded == encoded
