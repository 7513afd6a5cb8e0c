"""Names of torch, open_clip and huggingface_hub that are not public; each has a fallback for when it is gone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def multiplies_bf16() -> bool:
    """True if this CPU multiplies matrices in bfloat16 natively: Intel's AMX, or AVX-512 with bf16.

    With AVX-512's, ViT-B-32 took half the time of float32 (AMD EPYC, one and two threads). False where torch does not
    report it.
    """
    import torch

    checks = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return any(supported() for supported in checks if supported is not None)


def hub_address() -> str | None:
    """Returns the address of the model hub; None if its client is offline already, or does not report one."""
    try:
        from huggingface_hub import constants
    except ImportError:
        return None
    return None if getattr(constants, "HF_HUB_OFFLINE", True) else getattr(constants, "ENDPOINT", None)


@contextmanager
def offline_hub() -> Iterator[None]:
    """Makes the hub's client use its cache alone; for clients of which :func:`hub_address` knows an address."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = False


def class_token_blocks(tower: Any) -> list[Any] | None:
    """Returns the blocks of a vision transformer whose class token alone is used; None for other image towers."""
    try:
        from open_clip.transformer import ResidualAttentionBlock, VisionTransformer

        if type(tower) is not VisionTransformer or not tower.transformer.batch_first:
            return None
        if tower.pool_type != "tok" or tower.attn_pool is not None or tower.output_tokens:
            return None
        blocks = list(tower.transformer.resblocks)
    except (AttributeError, ImportError):
        return None
    return blocks if blocks and type(blocks[-1]) is ResidualAttentionBlock else None
