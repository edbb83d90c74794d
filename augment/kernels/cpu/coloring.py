"""Adjustments of colour on a CPU: the kernel of coloring.cpp."""

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.data.pixels import planes_of
from augment.data.types import Bool, Float, Images, PerSample, Planes
from augment.kernels.cpu.boundary import require
from augment.kernels.cpu.library import CPU, address, all_chosen, compiled_call, in_order, kernels
from augment.kernels.cpu.planes import TYPES, are_regular, in_memory, source
from augment.kernels.reference.coloring import STEPS, adjust_color

_NUMBERS = {name: number for number, name in enumerate(STEPS)}
_MEAN = _NUMBERS["blend with mean"]


def _serves(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, steps: Sequence[str], amounts: Sequence[PerSample]
) -> bool:
    """Whether an image has three channels, and its mean is needed at most once."""
    once = steps.count("blend with mean") < 2
    return bool(steps) and once and len(planes_of(image)) == 3 and are_regular(image, TYPES)


@adjust_color.kernel(
    CPU,
    serves=_serves,
    tolerance=1e-5,
    reason="Takes each pixel through all steps while it is in the cache; torch writes some fifty planes.",
)
def _(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, steps: Sequence[str], amounts: Sequence[PerSample]
) -> Float[Tensor, "b 3 h w"]:
    planes = planes_of(image)
    table = torch.stack(tuple(amounts), 1).to(torch.float32)
    numbers = [_NUMBERS[step] for step in steps]
    return _adjusted(list(planes), all_chosen(planes[0], chosen), table, numbers, planes[0].stride(2) != 1)


def _output(planes: list[Tensor], channels_last: bool) -> Tensor:
    batch, height, width = planes[0].shape
    return torch.empty(batch, 3, height, width, dtype=torch.float32, memory_format=in_order(channels_last))


@compiled_call("adjust_color", lambda planes, chosen, amounts, steps, channels_last: _output(planes, channels_last))
def _adjusted(planes: list[Tensor], chosen: Tensor, amounts: Tensor, steps: list[int], channels_last: bool) -> Tensor:
    out = _output(planes, channels_last)
    batch, _, height, width = out.shape
    if len(planes) != 3 or not set(steps) <= set(_NUMBERS.values()) or steps.count(_MEAN) > 1:
        raise ValueError(f"kernel adjust_color: cannot take steps={steps} on {len(planes)} planes.")
    require("adjust_color", chosen=(chosen, torch.bool, (batch,)))
    require("adjust_color", amounts=(amounts, torch.float32, (batch, len(steps))))
    # names keep the tensors alive until the kernel returns
    regular, chosen, amounts = in_memory(planes), chosen.contiguous(), amounts.contiguous()
    kernels().augment_adjust_color(
        *(*source("adjust_color", regular), address(chosen)),
        *((ctypes.c_int * len(steps))(*steps), address(amounts), len(steps), channels_last),
        *(batch, height * width, address(out), torch.get_num_threads()),
    )
    return out
