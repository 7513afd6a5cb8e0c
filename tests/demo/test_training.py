"""The training of the demo's model, and the model that ships."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch

import lgca_plugin as lgca
from lgca_plugin.demo.captions import Caption, Facts, vocabulary, words
from lgca_plugin.demo.checkpoint import CONFIG_FILE, MODEL_DIR, VOCABULARY_FILE, WEIGHTS_FILE, full_state
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.demo.drawings import draw_scene, generator
from lgca_plugin.demo.tiny_clip import ARCHITECTURES, MODEL_CONFIG, Tokenizer, encode_texts, make_model
from lgca_plugin.demo.train import TrainingConfig, main, train, true_captions
from lgca_plugin.encoder.architectures import DEMO_MODELS

TINY = TrainingConfig(steps=2, batch=8, scenes=8, validation=0, processes=1, threads=1)


def test_train__two_runs_write_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        train(TrainingConfig(**{**vars(TINY), "seed": seed}), tmp_path / name)
    first, second, third = ((tmp_path / name / WEIGHTS_FILE).read_bytes() for name in "abc")
    assert first == second
    assert first != third


@pytest.mark.parametrize("architecture", [name for name, config in ARCHITECTURES.items() if config is not MODEL_CONFIG])
def test_train__another_architecture_loads_by_its_folder_and_embeds_in_its_own_space(tmp_path, architecture):
    train(replace(TINY, architecture=architecture), tmp_path)
    encoder = lgca.load_encoder(f"local-dir:{tmp_path}")
    assert encoder.dim == ARCHITECTURES[architecture]["embed_dim"] != MODEL_CONFIG["embed_dim"]
    pixels = torch.rand(2, 3, 64, 64)
    for vectors in (encoder.encode_images(pixels), encoder.encode_texts(["a bird.", "a photo of a blue tit."])):
        assert vectors.shape == (2, encoder.dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_main__refuses_to_replace_the_model_that_ships_by_another_architecture(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train", "--architecture", "vit"])
    with pytest.raises(SystemExit):
        main()
    assert "--out" in capsys.readouterr().err


def test_train__leaves_torch_as_it_was(tmp_path):
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), torch.get_rng_state()
    train(TINY, tmp_path)
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_encode_texts__agrees_with_open_clip():
    model, tokenizer = make_model()
    model.eval()
    tokens = tokenizer(["a bird.", "an arctic tern has grey wings, a forked tail and red legs."])
    with torch.inference_mode():
        torch.testing.assert_close(encode_texts(model, tokens), model.encode_text(tokens, normalize=True))


def test_tokenizer__refuses_a_word_that_is_not_trained():
    with pytest.raises(ValueError, match="dodo"):
        Tokenizer()(["a photo of a dodo."])


def test_true_captions__tells_which_captions_fit_which_crops():
    def crop(*claims):
        return Facts(label=None, parts={}, things=(), background="lake", claims=frozenset(claims))

    tit, beak, lake = ("class", "blue tit"), ("beak", "red"), ("background", "lake")
    crops = [crop(lake, tit, beak), crop(lake, beak), crop(lake)]
    captions = [Caption(text="", claims=frozenset(claims)) for claims in ({tit, beak}, {beak}, {lake})]
    assert true_captions(crops, captions).tolist() == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
    ]


def test_full_state__puts_token_rows_in_place_and_leaves_the_others_zero():
    rows = torch.arange(6.0).reshape(2, 3)
    state = full_state({"token_embedding.weight": rows, "steps": torch.tensor(7)}, torch.tensor([5, 49407]))
    table = state["token_embedding.weight"]
    assert (table.shape, table.dtype) == ((49408, 3), torch.float16)
    assert table[5].tolist() == [0, 1, 2]
    assert table[49407].tolist() == [3, 4, 5]
    assert table.abs().sum() == rows.sum()
    assert state["steps"].dtype == torch.int64


def test_vocabulary__covers_descriptions_and_templates():
    from open_clip import SIMPLE_IMAGENET_TEMPLATES

    known = set(json.loads((MODEL_DIR / VOCABULARY_FILE).read_text(encoding="utf-8")))
    prompts = [template(name) for template in SIMPLE_IMAGENET_TEMPLATES for name in CLASSES]
    prompts += [f"a photo of a {name}." for name in CLASSES]
    prompts += [sentence for sentences in DESCRIPTIONS.values() for sentence in sentences]
    assert words(prompts) <= known
    assert known == set(vocabulary())


@pytest.mark.parametrize(("name", "megabytes"), [("demo", 4), ("demo-vit", 2)])
def test_models__are_small_and_deflated(name, megabytes):
    folder = DEMO_MODELS[name]
    files = [folder / name for name in (CONFIG_FILE, WEIGHTS_FILE, VOCABULARY_FILE)]
    assert sum(path.stat().st_size for path in files) < megabytes * 2**20
    with zipfile.ZipFile(folder / WEIGHTS_FILE) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
    assert torch.load(folder / WEIGHTS_FILE, weights_only=True)["logit_scale"].dtype == torch.float16


def test_models__are_the_architectures_of_the_training_and_load_by_their_names():
    assert DEMO_MODELS["demo"] == MODEL_DIR
    for name, architecture in (("demo", "resnet"), ("demo-vit", "vit")):
        config = json.loads((DEMO_MODELS[name] / CONFIG_FILE).read_text(encoding="utf-8"))["model_cfg"]
        assert config == ARCHITECTURES[architecture]
        encoder = lgca.load_encoder(name)
        assert (encoder.name, encoder.dim) == (name, config["embed_dim"])


@pytest.mark.parametrize(("name", "least"), [("demo", 0.4), ("demo-vit", 0.3)])
def test_models__load_through_open_clip_and_beat_chance_on_fresh_drawings(name, least):
    import open_clip

    source = f"local-dir:{DEMO_MODELS[name]}"
    model, _, preprocess = open_clip.create_model_and_transforms(source, weights_only=True)
    tokenizer = open_clip.get_tokenizer(source)
    model.eval()
    pixels = torch.stack(
        [preprocess(draw_scene(CLASSES[index % 12], generator("validation", 8, index)).image) for index in range(60)]
    )
    tokens = tokenizer([f"a photo of a {name}." for name in CLASSES])
    assert tokens.shape == (12, 32)
    with torch.inference_mode():
        images, texts = model.encode_image(pixels, normalize=True), model.encode_text(tokens, normalize=True)
        best = (images @ texts.T).argmax(1).numpy()
    assert (best == np.arange(60) % 12).mean() > least, "chance is 1 in 12"
