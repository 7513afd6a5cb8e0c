"""Rescorings that are refused, and leave the run as it is."""

import copy

import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.demo.classes import CLASSES
from lgca_plugin.encoder.checkpoints import load_demo
from lgca_plugin.encoder.open_clip_encoder import OpenClipEncoder
from tests.helpers.checks import untouched
from tests.helpers.runs import classified, classified_images

FEWER = CLASSES[3:9]


@pytest.fixture(scope="module")
def module_run(demo_images, demo_encoder, options, shared_stores):
    """A run for tests that write nothing."""
    with classified_images(demo_images[:8], demo_encoder, store=shared_stores[0], **options) as made:
        yield made


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 3}, "steps must be a whole number from 0 to 2, which were encoded; got 3"),
        ({"steps": True}, "steps must be a whole number"),
        ({"classes": ["one"]}, "classification needs at least two classes"),
        ({"image_scale": 99}, r"image_scale is an exponent and must be in \[-20, 20\], got 99"),
        ({"step_weights": (1, 1)}, "step_weights of 'lgca' has 2 entries for 3 steps"),
        ({"methods": ("clip",), "image_scale": 1.0}, "image_scale is a setting of none of these methods: clip"),
        ({"methods": ("nonsense",)}, "unknown method 'nonsense'"),
        ({"run_key": "no key"}, "run_key names fields"),
        ({"shown_chains": -1}, "shown_chains must be a whole number"),
        ({"descriptions": {"none of them": ["x"]}}, "match none of the classes"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_rescore__wrong_changes_are_refused_before_anything_is_written(module_run, changes, message):
    with untouched(module_run.dataset), pytest.raises(lgca.ConfigError, match=message):
        module_run.rescore(**changes, progress=False)


def test_rescore__methods_that_need_more_regions_are_refused(birds, demo_encoder, options):
    run = classified(birds, demo_encoder, **{**options, "methods": ("clip", "wca")})
    with pytest.raises(lgca.ConfigError, match=r"too few chains for clip, lgca; lgca\.classify with these methods"):
        run.rescore(methods=("clip", "lgca"), progress=False)


def test_rescore__another_runs_key_is_not_taken_by_accident(run):
    run.rescore(classes=FEWER, run_key="re", progress=False)
    with pytest.raises(lgca.ConfigError, match="run 're' exists"):
        run.rescore(classes=FEWER, run_key="re", progress=False)
    run.rescore(classes=CLASSES, run_key="re", overwrite=True, progress=False)
    assert run.dataset.values("re_wca.label") == run.dataset.values("zs_wca.label")


def test_rescore__an_emptied_store_is_said_in_one_sentence(run, monkeypatch, tmp_path):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "empty"))
    with pytest.raises(lgca.ConfigError, match="the embeddings of run 'zs' are not stored on this machine"):
        run.rescore(classes=FEWER, progress=False)
    assert run.dataset.values("zs_lgca.label")[0]


def test_rescore__another_encoder_is_refused(run):
    """Even one of the same name, whose weights are slightly different."""
    model, tokenizer, vocabulary = load_demo()
    model = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in model.visual.parameters():
            parameter.mul_(1.001)
    other_encoder = OpenClipEncoder(model, tokenizer, name="demo", device="cpu", vocabulary=vocabulary)
    with pytest.raises(lgca.ConfigError, match="the encoder is not the one that run 'zs' was made with"):
        run.rescore(classes=FEWER, encoder=other_encoder, progress=False)


def test_rescore__regions_that_another_run_has_kept_do_not_pass_for_its_own(
    birds, demo_encoder, options, monkeypatch, tmp_path
):
    monkeypatch.setenv("LGCA_STORE_DIR", str(tmp_path / "own"))
    classified(birds, demo_encoder, **{**options, "methods": ("wca",), "run_key": "crops"})
    changes = {"methods": ("lgca",), "run_key": "bare", "store_regions": False}
    bare = classified(birds, demo_encoder, **{**options, **changes})
    labels = birds.values("bare_lgca.label")
    with pytest.raises(lgca.ConfigError, match="lgca needs region embeddings, which 8 of 8 samples"):
        bare.rescore(image_scale=3.0, progress=False)
    assert birds.values("bare_lgca.label") == labels
