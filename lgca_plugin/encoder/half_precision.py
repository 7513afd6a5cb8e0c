"""Image towers in half precision: their weights are rounded once, and what overflows is found before a run begins."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

DTYPES = {"bf16": "bfloat16", "fp16": "float16"}
"""Precision to the name of torch's type."""


def with_rounded_products(model: Any, dtype: torch.dtype) -> Any:
    """Returns a model whose image tower has rounded weights in its products; it shares the rest with the one given.

    For use under autocast, which has nothing left to round but activations: it would round the weights anew for every
    batch. Normalizations are computed in float32 on CUDA, as autocast has them. Weights that parts of the tower share
    are still shared, and those that the text tower shares are not touched.
    """
    from torch import nn
    from torch.nn.modules.conv import _ConvNd

    from .shortcuts import with_modules

    rounded: dict[int, Any] = {}
    for layer in model.visual.modules():
        if isinstance(layer, nn.Linear | _ConvNd | nn.MultiheadAttention):
            for weights in layer.parameters(recurse=False):
                rounded[id(weights)] = nn.Parameter(weights.detach().to(dtype), requires_grad=False)
    return with_modules(model, visual=copy.deepcopy(model.visual, rounded))


def with_rounded_tower(model: Any, dtype: torch.dtype) -> Any:
    """Returns a model whose image tower has rounded weights; it shares the rest with the one given.

    For use without autocast, on the CPU. The statistics of batch normalizations stay as they are.
    """
    from torch import nn

    from .shortcuts import with_modules

    tower = copy.deepcopy(model.visual)
    for layer in tower.modules():
        if not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            for owned in (*layer.parameters(recurse=False), *layer.buffers(recurse=False)):
                if owned.is_floating_point():
                    owned.data = owned.data.to(dtype)
    return with_modules(model, visual=tower)


def overflow_pixels(image_size: int) -> torch.Tensor:
    """Returns ``[8, 3, image_size, image_size]`` float32 pixels among which the largest activations are likely.

    Flat ones, for towers collect large values in patches without content; noise; and noise with the spectrum of
    photographs, whose amplitudes fall with the frequency.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((4, 3, image_size, image_size), generator=generator)
    rows, columns = torch.fft.fftfreq(image_size), torch.fft.rfftfreq(image_size)
    frequency = (rows[:, None] ** 2 + columns**2).sqrt().clamp(min=1 / image_size)
    natural = torch.fft.irfft2(torch.fft.rfft2(noise[:3]) / frequency, s=(image_size, image_size))
    natural /= natural.std(dim=(1, 2, 3), keepdim=True)
    flat = torch.tensor([-2.0, 0.0, 2.0, 1.0]).view(-1, 1, 1, 1).expand(-1, 3, image_size, image_size)
    return torch.cat([flat, natural, noise[3:]])
