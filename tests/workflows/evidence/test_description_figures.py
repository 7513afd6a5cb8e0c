"""The figures of a run, drawn from the store: what they show is what the run decided by."""

import numpy as np
import pytest

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from tests.helpers.runs import classified_images

pytestmark = pytest.mark.usefixtures("module_store")


@pytest.fixture(scope="module")
def run(demo_encoder, demo_images):
    options = {"methods": ("clip", "wca", "lgca", "lgca_d"), "regions": lgca.RegionConfig(crops=12), "logits": True}
    with classified_images(demo_images[:6], demo_encoder, **options) as made:
        yield made


def margin(figure, method, a, b):
    """The margin of a over b that the figure's rows sum to."""
    pulls = {trace.name: sum(row[3] for row in trace.customdata) for trace in figure.data}
    return pulls[f"{method}: {a}"] + pulls[f"{method}: {b}"]


def test_votes__are_those_the_run_decided_by(run, demo_encoder):
    for sample in run.dataset:
        a, b = CLASSES[2], CLASSES[7]
        figure = run.plot_description_votes(sample.id, a, b, methods=("wca", "lgca"))
        for method in ("wca", "lgca"):
            scores = sample[f"zs_{method}"].logits / demo_encoder.logit_scale
            assert margin(figure, method, a, b) == pytest.approx(scores[2] - scores[7], abs=1e-6)


def test_votes__by_default_compare_clip_and_lgca_on_their_answers(run, demo_encoder):
    for sample in run.dataset:
        figure = run.plot_description_votes(sample.id)
        names = [trace.name.split(": ") for trace in figure.data]
        assert {method for method, _ in names} == {"clip", "lgca"}
        first, second = dict.fromkeys(name for _, name in names)
        assert first == sample.zs_lgca.label
        ranked = [CLASSES[k] for k in np.argsort(-sample.zs_lgca.logits)]
        assert second == (sample.zs_clip.label if sample.zs_clip.label != first else ranked[1])
        scores = sample.zs_clip.logits / demo_encoder.logit_scale
        own = scores[CLASSES.index(first)] - scores[CLASSES.index(second)]
        assert f"{abs(own):.4f}" in figure.to_json()  # CLIP's own margin stands above its column


def test_weights__are_the_runs(run, demo_encoder):
    figure = run.plot_description_weights(CLASSES[0])
    assert DESCRIPTIONS[CLASSES[0]][0].split()[0] in figure.to_json()
    rescored = run.rescore(text_scale=-10.0, run_key="flat", progress=False)
    flat = rescored.plot_description_weights(CLASSES[0], encoder=demo_encoder)
    assert flat.to_json() != figure.to_json()
    equal = 100 / len(DESCRIPTIONS[CLASSES[0]])
    assert flat.to_json().count(f"{equal:.1f}%") >= len(DESCRIPTIONS[CLASSES[0]])  # all weigh the same
    rescored.delete()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"a": "penguin"}, "'penguin' is no class of run 'zs'"),
        ({"a": CLASSES[0], "b": CLASSES[0]}, "a and b must be two classes"),
        (
            {"methods": ("wca_d",)},
            "method 'wca_d' has no image vector in run 'zs'; choose from clip, wca, lgca, lgca_d",
        ),
    ],
    ids=["class", "twice", "method"],
)
def test_votes__wrong_arguments_are_refused(run, arguments, message):
    with pytest.raises(lgca.ConfigError, match=message):
        run.plot_description_votes(run.dataset.first().id, **arguments)


def test_votes__of_an_unknown_sample_are_refused(run):
    with pytest.raises(lgca.ConfigError, match="has no image vectors of run 'zs' in the store"):
        run.plot_description_votes("0" * 24)
