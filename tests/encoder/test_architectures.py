"""What is known of a model without torch: the length of its embeddings."""

from lgca_plugin.encoder.architectures import embedding_dim


def test_embedding_dim__comes_from_the_models_config(tmp_path):
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"embed_dim": 640}, "preprocess_cfg": {}}')
    names = ("demo", "ViT-B-32", "ViT-H-14", f"local-dir:{tmp_path}", "local-dir:/no/such", "hf-hub:a/b", "../x")
    assert [embedding_dim(name) for name in names] == [128, 512, 1024, 640, None, None, None]
    for text in ("[]", "{", '{"model_cfg": 3}', '{"embed_dim": "wide"}'):
        (tmp_path / "open_clip_config.json").write_text(text)
        assert embedding_dim(f"local-dir:{tmp_path}") is None
