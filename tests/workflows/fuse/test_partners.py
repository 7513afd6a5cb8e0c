"""Which runs can be fused, known without reading a sample."""

from dataclasses import replace

import fiftyone as fo
import pytest

import lgca_plugin as lgca
from lgca_plugin.workflows.fuse.partners import Partner, fused_from, has_partners, mismatch, partners
from tests.helpers.fusion.two_encoders import REGIONS, noisy_encoder, two_runs
from tests.helpers.worlds.birds import bird_dataset, classify_birds

pytestmark = pytest.mark.usefixtures("module_store")
FEW = 4


@pytest.fixture(scope="module")
def other():
    return noisy_encoder()


@pytest.fixture(scope="module")
def birds(demo_images, demo_encoder, other, module_store):  # noqa: ARG001 (what is made here goes to the module's store)
    """Two runs of two encoders, one of these on half the samples, and one that looks at no crops."""
    images = demo_images[:FEW]
    dataset = bird_dataset(images, ground_truth=[image.label for image in images])
    two_runs(dataset, demo_encoder, other)
    classify_birds(dataset.limit(2), other, run_key="half", regions=REGIONS)
    classify_birds(dataset, other, run_key="whole", regions=REGIONS, methods=("clip",))
    yield dataset
    fo.delete_dataset(dataset.name)


def test_partners__each_with_its_common_samples_or_why_not(birds, demo_encoder, other):
    same = {"encoder": other.name, "fingerprint": other.fingerprint}
    assert partners(birds, "two") == [
        Partner(key="whole", problem="has the same model", **same),
        Partner(key="half", problem="has the same model", **same),
        Partner(key="one", samples=FEW, encoder="demo", fingerprint=demo_encoder.fingerprint),
    ]
    assert partners(birds, "one") == [
        Partner(key="whole", problem="looks at no crops", **same),
        Partner(key="half", samples=2, **same),
        Partner(key="two", samples=FEW, **same),
    ]
    assert has_partners(birds)
    assert fused_from(birds, "one") == []


def test_partners__without_stored_embeddings_do_not_fit(birds, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "elsewhere"))
    found = {partner.key: partner.problem for partner in partners(birds, "one")}
    assert found["two"] == "has no stored embeddings of the same pictures"
    assert not (tmp_path / "elsewhere").exists()


def test_mismatch__of_classes_and_crops(birds):
    first, second = (lgca.load_run(birds, key).config for key in ("one", "two"))

    def problem(other):
        found = mismatch(first, other)
        assert found is not None
        return found.problem

    classes = second.classes
    assert mismatch(first, replace(second, classes=classes[::-1])) is None
    assert problem(replace(second, classes=classes[1:])) == "has other classes (1 missing)"
    assert problem(replace(second, classes=(*classes[2:], "owl"))) == "has other classes (1 more, 2 missing)"
    spread = replace(second, budget="economical")
    assert problem(spread) == "has crops in another order, of which an economical budget takes a third"
    assert mismatch(replace(first, budget="economical"), spread) is None
    seeded = replace(second, regions=replace(REGIONS, seed=1))
    assert problem(seeded) == "has crops of other sizes, or another seed"
