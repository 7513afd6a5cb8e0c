"""What there is to learn a fusion from."""

from lgca_plugin.fusion.training import MIN_LABELS
from lgca_plugin.workflows.fuse.label_supply import LabelSupply

CLASSES = ("tern", "swan", "gull", "wren")


def test_supply__counts_classes_and_names_what_they_lack():
    supply = LabelSupply.of(CLASSES, {"tern": 40, "swan": 3, "owl": 7})
    assert (supply.total, supply.outside, supply.learned) == (43, 7, ("tern", "swan"))
    assert supply.sentence() == "43 labels of 2 classes, 3 to 40 each"
    without, few = supply.warnings()
    assert without.startswith("2 classes have no label (gull, wren): ")
    assert few == "1 class has fewer than 5 labels (swan)"


def test_supply__of_all_classes_warns_of_nothing():
    supply = LabelSupply.of(CLASSES, dict.fromkeys(CLASSES, 10))
    assert supply.sentence() == "40 labels of 4 classes, 10 each"
    assert supply.warnings() == []


def test_supply__is_enough_from_some_labels_on_of_which_two_classes_have_several():
    assert not LabelSupply.of(CLASSES, {"tern": 1000, "swan": 4}).is_enough
    assert not LabelSupply.of(CLASSES, {"tern": MIN_LABELS - 6, "swan": 5}).is_enough
    assert LabelSupply.of(CLASSES, {"tern": MIN_LABELS - 5, "swan": 5}).is_enough
    assert LabelSupply.of(CLASSES, {}).sentence() == "no labels"
