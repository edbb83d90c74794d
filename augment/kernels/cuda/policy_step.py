"""Steps of a policy on a GPU: kernels for `reference.policy_step`, which compute only what each sample drew.

Compiled torch computes all operators for every sample and keeps one; the histograms of 256 images alone take 333 µs on
an H200.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augment.data.pixels import materialized_image, on_colours
from augment.data.types import Bool, Integer, PerSample, UInt8
from augment.kernels.cuda import library
from augment.kernels.cuda.library import TRITON
from augment.kernels.reference.policy_step import (
    COLOURED,
    CURVED,
    SHARPENED,
    drawn_names,
    drew,
    level_tables,
    policy_step,
    wanted,
)

Bytes = UInt8[Tensor, "b c h w"]

_COUNTED, _CHANGED = 4096, 512
"""Pixels per program of `count` and `carry_out`. Most programs of `count` have nothing to do, so few are better."""


@policy_step.kernel(
    TRITON,
    serves=lambda image, chosen, names, op, value: image.dtype == torch.uint8,
    tolerance=0.0,
    reason="Compiled torch computes all operators for every sample; the histograms of 256 images alone take 333 µs.",
)
def _(image: Bytes, chosen: Bool[Tensor, " b"] | None, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    op = wanted(chosen, names, op)
    return on_colours(materialized_image(image), lambda coloured: stepped(coloured, names, op, value))


def stepped(image: Bytes, names: Sequence[str], op: PerSample, value: PerSample) -> Bytes:
    """Applies to each sample the operator at position `op` in `names`, none if op is len(names)."""
    names = drawn_names(names, op)
    curved, coloured, sharpened = (drew(names, op, group) for group in (CURVED, COLOURED, SHARPENED))

    def tables(image: Bytes) -> UInt8[Tensor, "b c2 256"]:
        return level_tables(image, names, op, value, counted)

    return carried_out(image, curved, coloured, sharpened, value, tables)


def counted(image: Bytes, wanted: Bool[Tensor, " b"]) -> Integer[Tensor, "b c 256"]:
    """Counts how many pixels of a channel have each level, for the wanted samples; 0 for the others."""
    from augment.kernels.cuda.policy_step_triton import count  # imports Triton

    image = image.contiguous()
    batch, channels, height, width = image.shape
    library.require_rows("count", batch, wanted=wanted)
    counts = torch.zeros(batch, channels, 256, dtype=torch.int32, device=image.device)
    blocks = -(-height * width // _COUNTED)
    count[(batch * channels * blocks,)](image, wanted, counts, channels, height * width, BLOCK=_COUNTED)
    return counts


def carried_out(
    image: Bytes,
    curved: Bool[Tensor, " b"],
    coloured: Bool[Tensor, " b"],
    sharpened: Bool[Tensor, " b"],
    value: PerSample,
    tables: Callable[[Bytes], UInt8[Tensor, "b c2 256"]],
) -> Bytes:
    """Maps each image through its table, blends it with its gray or with a smoothed copy, or leaves it as it is.

    Args:
        image: (B, C, H, W) uint8.
        curved, coloured, sharpened: (B,) bool, which samples get a table, the gray or the smoothed copy.
        value: (B,) factors of the blends.
        tables: returns the new value of each level of the images.
    """
    from augment.kernels.cuda.policy_step_triton import carry_out  # imports Triton

    image = image.contiguous()
    batch, channels, height, width = image.shape
    library.require_rows("carry_out", batch, curved=curved, value=value)
    kind = torch.where(curved, 1, torch.where(coloured, 2, torch.where(sharpened, 3, 0))).to(torch.int32)
    out = torch.empty_like(image)
    levels = tables(image).expand(batch, channels, 256).contiguous()
    blocks = -(-height * width // _CHANGED)
    carry_out[(batch * blocks,)](
        image, kind, value.float(), levels, out, height, width, CHANNELS=channels, BLOCK=_CHANGED
    )
    return out
