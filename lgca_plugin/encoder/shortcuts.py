"""Shorter ways to the same embeddings: open_clip's image towers without the work that nobody reads.

- A batch normalization in evaluation is a factor and a shift for each channel, which the convolution before it can
  hold.
- CLIP's towers end with attention of which one token is read. The others need neither queries nor outputs, and in a
  vision transformer's last block no perceptron. With a single query, keys and values need not be computed for each
  token: ``q (W x) = (q W) x``, and the values' projection comes after the weighted mean.

Embeddings differ by float32's rounding. Towers of other kinds stay as they are.
"""

from __future__ import annotations

import copy
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_NORMALIZED = (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("0", "1"))
"""Convolutions and what normalizes them, by their names in open_clip's convolutional towers."""

_ROUNDING = 1e-3
"""A module's output may change by so much of its largest value, far more than float32 rounds off."""


class OneQueryPool(nn.Module):
    """The attention with which CLIP's ResNets end, for the one token that is read.

    Args:
        pool: open_clip's ``AttentionPool2d``
    """

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.positional_embedding = pool.positional_embedding
        self.query, self.key, self.value, self.out = pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj
        self.heads: int = pool.num_heads

    def forward(self, features: Tensor) -> Tensor:
        """Pools ``[n, channels, side, side]`` features to ``[n, dim]``."""
        tokens = features.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + self.positional_embedding.to(tokens.dtype)
        query, value = self.query, self.value
        attended = attend_once(
            tokens, (query.weight, query.bias), self.key.weight, (value.weight, value.bias), heads=self.heads
        )
        pooled: Tensor = self.out(attended)
        return pooled


class FirstTokenBlock(nn.Module):
    """The last block of a vision transformer of which the first token alone is read.

    Args:
        block: open_clip's ``ResidualAttentionBlock``
    """

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = block

    def forward(self, tokens: Tensor, attn_mask: Tensor | None = None) -> Tensor:  # noqa: ARG002 (open_clip passes it)
        """Takes ``[n, tokens, width]`` to the first token, ``[n, 1, width]``; no image tower masks any."""
        block, attention = self.block, self.block.attn
        queries, keys, values = attention.in_proj_weight.chunk(3)
        of_queries, _, of_values = attention.in_proj_bias.chunk(3)
        attended = attend_once(
            block.ln_1(tokens), (queries, of_queries), keys, (values, of_values), heads=attention.num_heads
        )
        first = tokens[:, :1] + block.ls_1(attention.out_proj(attended)[:, None])
        out: Tensor = first + block.ls_2(block.mlp(block.ln_2(first)))
        return out


def attend_once(
    tokens: Tensor, query: tuple[Tensor, Tensor], key: Tensor, value: tuple[Tensor, Tensor], *, heads: int
) -> Tensor:
    """Multi-head attention of the first token over all, before its output projection.

    The bias of the keys adds the same to all of a query's scores, which the softmax does not feel; that of the values
    is added once, since the weights sum to 1.

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
    asked = torch.bmm(queries, key.view(heads, each, width)).transpose(0, 1)  # [n, heads, width]
    weights = torch.softmax(torch.bmm(asked, tokens.transpose(1, 2)), dim=-1)
    means = torch.bmm(weights, tokens).transpose(0, 1)  # [heads, n, width]
    weight, bias = value
    values = torch.bmm(means, weight.view(heads, each, width).transpose(1, 2))
    return values.transpose(0, 1).reshape(count, width) + bias


def with_shortcuts(model: Any) -> Any:
    """Gives an open_clip model with an image tower that takes the shorter ways; in float32, in evaluation mode.

    Returns:
        a model that shares all but the image tower with the one given; or the one given, where there is no shorter way
    """
    from open_clip.modified_resnet import ModifiedResNet
    from open_clip.transformer import VisionTransformer

    shorten = {ModifiedResNet: _shorten_resnet, VisionTransformer: _shorten_transformer}.get(type(model.visual))
    tower = shorten(model.visual) if shorten is not None else model.visual
    return model if tower is model.visual else with_modules(model, visual=tower)


def with_modules(module: Any, **modules: nn.Module) -> Any:
    """Gives a module with other modules inside; the rest it shares with the one given, which stays as it is."""
    other = copy.copy(module)
    other.__dict__["_modules"] = {**module.__dict__["_modules"], **modules}
    return other


def _shorten_resnet(tower: Any) -> Any:
    from open_clip.modified_resnet import AttentionPool2d

    tower = copy.deepcopy(tower)
    _merge_layers(tower)
    pool = tower.attnpool
    if type(pool) is AttentionPool2d:
        places, width = pool.positional_embedding.shape
        side = isqrt(places - 1)
        tower.attnpool = _if_equal(pool, OneQueryPool(pool), (2, width, side, side))
    return tower


def _merge_layers(tower: nn.Module) -> None:
    """Puts batch normalizations into the convolutions before them; and drops means of one value, which are copies."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for block in tower.modules():
        for before, after in _NORMALIZED:
            convolution, norm = getattr(block, before, None), getattr(block, after, None)
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(block, before, fuse_conv_bn_eval(convolution, norm).to(memory_format=torch.channels_last))
                setattr(block, after, nn.Identity())
        for name, pool in block.named_children():
            if isinstance(pool, nn.AvgPool2d) and pool.kernel_size == 1:
                setattr(block, name, nn.Identity())


def _shorten_transformer(tower: Any) -> Any:
    transformer = tower.transformer
    *others, last = transformer.resblocks
    if tower.pool_type != "tok" or tower.attn_pool is not None or tower.output_tokens or not transformer.batch_first:
        return tower
    block = _if_equal(last, FirstTokenBlock(last), (2, 3, transformer.width))
    if block is last:
        return tower
    return with_modules(tower, transformer=with_modules(transformer, resblocks=nn.ModuleList([*others, block])))


def _if_equal(module: nn.Module, shorter: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Gives the shorter way if it comes to the same as the module, on random input; else the module.

    Blocks are of several kinds, and a later open_clip may compute something else.
    """
    given = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(next(module.parameters()).device)
    try:
        with torch.inference_mode():
            found = shorter.eval()(given)
            wanted = module(given)[tuple(slice(length) for length in found.shape)]
            equal = bool((wanted - found).abs().max() <= _ROUNDING * wanted.abs().max())
    except (AttributeError, IndexError, RuntimeError, TypeError):  # it lacks what the shorter way asks for
        return module
    return shorter if equal else module
