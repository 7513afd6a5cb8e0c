"""The demo model and others like it: open_clip CLIPs small enough to train on a laptop's processor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .captions import vocabulary

if TYPE_CHECKING:
    import torch

IMAGE_SIZE: Final = 64
VOCABULARY_ROWS: Final = 49408
"""Rows of open_clip's own token table."""

MODEL_CONFIG: Final[dict[str, Any]] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": IMAGE_SIZE, "layers": [1, 1, 2, 1], "width": 16, "patch_size": None},
    "text_cfg": {"context_length": 32, "vocab_size": VOCABULARY_ROWS, "width": 128, "heads": 4, "layers": 2},
}
"""Arguments of ``open_clip.CLIP``, of the model that ships."""

DEFAULT_ARCHITECTURE: Final = "resnet"
ARCHITECTURES: Final[dict[str, dict[str, Any]]] = {
    DEFAULT_ARCHITECTURE: MODEL_CONFIG,
    "resnet-wide": {
        **MODEL_CONFIG,
        "embed_dim": 96,
        "vision_cfg": {**MODEL_CONFIG["vision_cfg"], "layers": [1, 1, 1, 1], "width": 20},
    },
    "vit": {
        **MODEL_CONFIG,
        "embed_dim": 112,
        "vision_cfg": {"image_size": IMAGE_SIZE, "layers": 3, "width": 96, "head_width": 24, "patch_size": 8},
    },
}
"""Name -> arguments of ``open_clip.CLIP``. The text sides are alike; each embeds in a space of its own width."""

MEAN: Final = (0.5, 0.5, 0.5)
STD: Final = (0.25, 0.25, 0.25)


class Tokenizer:
    """open_clip's tokenizer, with the ids in use renumbered in order, so that the end of a text stays the largest."""

    def __init__(self) -> None:
        import open_clip
        import torch

        self._tokenize = open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])
        # Padding, start, end, all words and the marks between them.
        self.ids = torch.unique(self._tokenize([*vocabulary(), "a, a."]))

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """Turns texts into ``[n, context]`` row numbers of the small table; refuses words that it has no row for."""
        import torch

        tokens = self._tokenize(texts)
        if not torch.isin(tokens, self.ids).all():
            raise ValueError(f"texts has a word that is not in the vocabulary: {texts}")
        return torch.searchsorted(self.ids, tokens)


def make_model(architecture: str = DEFAULT_ARCHITECTURE) -> tuple[Any, Tokenizer]:
    """Returns a new model whose token table has a row for each token in use, and its tokenizer.

    Args:
        architecture: one of :data:`ARCHITECTURES`
    """
    import open_clip
    import torch

    tokenizer = Tokenizer()
    config = ARCHITECTURES[architecture]
    text_config = {**config["text_cfg"], "vocab_size": len(tokenizer.ids)}
    model = open_clip.CLIP(**{**config, "text_cfg": text_config})
    # Twice as fast for few channels.
    model.visual.to(memory_format=torch.channels_last)
    return model, tokenizer


def encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """``model.encode_text(tokens, normalize=True)`` without the padding that all texts share.

    A text's end attends to nothing behind it, so the result is the same at half the cost.
    """
    import torch
    from torch.nn import functional

    last = tokens.argmax(dim=1)
    length = int(last.max()) + 1
    hidden = model.token_embedding(tokens[:, :length]) + model.positional_embedding[:length]
    hidden = model.ln_final(model.transformer(hidden, attn_mask=model.attn_mask[:length, :length]))
    ends = hidden[torch.arange(len(tokens)), last]
    return functional.normalize(ends @ model.text_projection, dim=-1)
