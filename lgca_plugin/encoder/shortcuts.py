"""Vision transformers whose last block computes only the class token, the one token of which an embedding is made.

The other tokens need no queries, no outputs and no perceptron there. With a single query, keys and values need not be
computed for each token either: ``q (W x) = (q W) x``, and the projection of the values comes after the weighted mean.
Embeddings differ by float32's rounding.
"""

from __future__ import annotations

import copy
import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..images.products import exact_products
from .private_names import class_token_blocks

logger = logging.getLogger(__name__)

ROUNDING = 1e-3
"""Largest difference between a block's outputs, relative to its largest value; far more than float32 rounds off."""


class ClassTokenBlock(nn.Module):
    """The last block of a vision transformer, an open_clip ``ResidualAttentionBlock``, for the class token alone."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: Tensor, attn_mask: Tensor | None = None) -> Tensor:  # noqa: ARG002 (open_clip passes it)
        """Computes ``[n, 1, width]`` from ``[n, tokens, width]``; image towers mask no token."""
        block, attention = self.block, self.block.attn
        queries, keys, values = attention.in_proj_weight.chunk(3)
        query_bias, _, value_bias = attention.in_proj_bias.chunk(3)
        attended = attend_once(
            block.ln_1(tokens), (queries, query_bias), keys, (values, value_bias), heads=attention.num_heads
        )
        first = tokens[:, :1] + block.ls_1(attention.out_proj(attended)[:, None])
        out: Tensor = first + block.ls_2(block.mlp(block.ln_2(first)))
        return out


def attend_once(
    tokens: Tensor, query: tuple[Tensor, Tensor], key: Tensor, value: tuple[Tensor, Tensor], *, heads: int
) -> Tensor:
    """Computes multi-head attention of the first token over all, before its output projection.

    The bias of the keys adds the same to all scores of a query, which the softmax ignores; that of the values is added
    once, since the weights sum to 1.

    Args:
        tokens: ``[n, tokens, width]``
        query: weight ``[width, width]`` and bias ``[width]`` of the projection to queries
        key: weight of the projection to keys
        value: weight and bias of the projection to values
        heads: number of heads; ``width`` is a multiple of it

    Returns:
        ``[n, width]``
    """
    count, _, width = tokens.shape
    each = width // heads
    queries = functional.linear(tokens[:, 0], *query).view(count, heads, each).transpose(0, 1) * each**-0.5
    projected = torch.bmm(queries, key.view(heads, each, width)).transpose(0, 1)  # [n, heads, width]
    weights = torch.softmax(torch.bmm(projected, tokens.transpose(1, 2)), dim=-1)
    means = torch.bmm(weights, tokens).transpose(0, 1)  # [heads, n, width]
    weight, bias = value
    values = torch.bmm(means, weight.view(heads, each, width).transpose(1, 2))
    return values.transpose(0, 1).reshape(count, width) + bias


def with_class_token_block(model: Any) -> tuple[Any, str | None]:
    """Replaces the last block of an open_clip model's image tower; the model is in float32 and evaluation mode.

    Returns:
        the model given, if its tower is of another kind or the block does not compute the same on random input; else a
        model that shares all but the last block with it. And a warning if the kind is known and the outputs differ
    """
    tower = model.visual
    blocks = class_token_blocks(tower)
    if blocks is None:
        logger.info("The image tower is computed in full: there is no shortcut for this kind, %s", type(tower).__name__)
        return model, None
    shorter = ClassTokenBlock(blocks[-1]).eval()
    if not _equal(blocks[-1], shorter, tower.transformer.width):
        return model, (
            "the installed open_clip computes vision transformers in another way than expected, so the image tower is "
            "computed in full, which takes 5 to 11% longer; embeddings are not affected"
        )
    transformer = with_modules(tower.transformer, resblocks=nn.ModuleList([*blocks[:-1], shorter]))
    return with_modules(model, visual=with_modules(tower, transformer=transformer)), None


def with_modules(module: Any, **modules: nn.Module) -> Any:
    """Returns a module with other modules inside; it shares the rest with the one given, which stays as it is."""
    shared = (*module.children(), *module.parameters(recurse=False), *module.buffers(recurse=False))
    other = copy.deepcopy(module, {id(one): one for one in shared})
    for name, replacement in modules.items():
        setattr(other, name, replacement)
    return other


def _equal(block: nn.Module, shorter: nn.Module, width: int) -> bool:
    """True if both compute the same class token from random tokens; a later open_clip may compute something else."""
    device = next(block.parameters()).device
    tokens = torch.randn((2, 3, width), generator=torch.Generator().manual_seed(0)).to(device)
    try:
        with torch.inference_mode(), exact_products(device.type):
            expected, found = block(tokens)[:, :1], shorter(tokens)
            return bool((expected - found).abs().max() <= ROUNDING * expected.abs().max())
    except (AttributeError, IndexError, RuntimeError, TypeError):  # the block lacks what is used of it here
        return False
