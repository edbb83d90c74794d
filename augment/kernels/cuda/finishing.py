"""The end of a pipeline on a GPU: one kernel from the source to the result, and one before it for contrast's mean.

The image is read once for the result, and once more if its mean is wanted; nothing is written between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from augment.data.types import Bool, Float, Images
from augment.geometry.fill import by_channel
from augment.geometry.motion import Motion
from augment.geometry.reach import window_of
from augment.geometry.rectangle import SIDES
from augment.kernels.cuda.library import TRITON
from augment.kernels.cuda.looking import Looking, looking, looks
from augment.kernels.reference.coloring import STEPS, adjust_color
from augment.kernels.reference.finishing import LINKED, Link, finish
from augment.kernels.reference.pixelwise import erase, normalize, only, statistics_by_channel
from augment.kernels.source import Source, channels_of

_PIXELS = 512
"""Pixels per program, as for a warp alone."""

_BLOCKS = 8
"""Blocks of pixels that a program adds up: few enough to fill a GPU, many enough that the sums are few."""

_BITS = 4
_MOST = 15
"""Links of a chain, which is a number of 64 bits of which each link takes four."""

_MEAN = "blend with mean"
_STEP_NUMBERS = {name: number for number, name in enumerate(STEPS, 1)}
_NORMALIZE, _ERASE = len(STEPS) + 1, len(STEPS) + 2


@dataclass
class _Chain:
    """What the kernels are told of the layers after the warps: see `chain_triton.chained`.

    Attributes:
        numbers: of its links.
        columns: their numbers, one after another, (B,) or the same for all samples.
        mean: the number of links, and of columns, before the link that wants the mean; None if none does.
    """

    numbers: list[int] = field(default_factory=list)
    columns: list[float | Tensor] = field(default_factory=list)
    mean: tuple[int, int] | None = None

    @property
    def code(self) -> int:
        return sum(number << (_BITS * place) for place, number in enumerate(self.numbers))


def _chain_of(chain: Sequence[Link], channels: int) -> _Chain:
    told = _Chain()
    for link in chain:
        if link.operator is adjust_color:
            _tell_steps(told, _as_number(link.chosen), *link.arguments)
        elif link.operator is normalize:
            mean, std = link.arguments
            means, stds = statistics_by_channel(mean, std, channels)
            told.numbers.append(_NORMALIZE)
            told.columns += [_as_number(link.chosen), *means, *(1 / std for std in stds)]
        else:
            _tell_rectangles(told, link, channels)
    return told


def _as_number(chosen: Bool[Tensor, " b"] | None) -> float | Float[Tensor, " b"]:
    return 1.0 if chosen is None else chosen.to(torch.float32)


def _tell_steps(told: _Chain, on: float | Tensor, steps: Sequence[str], amounts: Sequence[Tensor]) -> None:
    for step, amount in zip(steps, amounts, strict=True):
        if step == _MEAN:
            told.mean = len(told.numbers), len(told.columns)
        told.numbers.append(_STEP_NUMBERS[step])
        told.columns += [on, amount]


def _tell_rectangles(told: _Chain, link: Link, channels: int) -> None:
    box, value, _ = link.arguments
    box = only(link.chosen, box)
    sides = [box[side] if box[side].ndim == 2 else box[side][:, None] for side in SIDES]
    for rectangle in range(sides[0].shape[1]):
        told.numbers.append(_ERASE)
        told.columns += [*(side[:, rectangle] for side in sides), *by_channel(value, channels)]


def _links(link: Link) -> int:
    """How many links of the kernels' chain a layer takes."""
    if link.operator is adjust_color:
        return len(link.arguments[0])
    top = link.arguments[0]["top"] if link.operator is erase else None
    return top.shape[1] if top is not None and top.ndim == 2 else 1


def _serves(
    image: Source, motions: Sequence[Motion], interpolation: str, chain: Sequence[Link], dtype: torch.dtype
) -> bool:
    """Whether a kernel knows all links, on one or three channels, of which only three have a colour to adjust."""
    channels = channels_of(image)
    colours = [step for link in chain if link.operator is adjust_color for step in link.arguments[0]]
    if channels not in (1, 3) or (channels == 1 and colours) or colours.count(_MEAN) > 1:
        return False
    if any(link.operator is erase and not _can_be_filled(link, channels) for link in chain):
        return False
    if any(link.operator not in LINKED for link in chain) or sum(map(_links, chain)) > _MOST:
        return False
    types = (torch.uint8, torch.float16, torch.bfloat16, torch.float32)
    return dtype in types and looks(image, motions, interpolation)


def _can_be_filled(link: Link, channels: int) -> bool:
    value = link.arguments[1]
    return value is not None and (not isinstance(value, tuple) or len(value) == channels)


@finish.kernel(
    TRITON,
    serves=_serves,
    tolerance=1e-4,
    reason="Compiled torch writes the warped image to memory and reads it again, twice if contrast needs its mean.",
)
def _(
    image: Source, motions: Sequence[Motion], interpolation: str, chain: Sequence[Link], dtype: torch.dtype
) -> Images:
    from augment.kernels.cuda.finishing_triton import finish  # imports Triton

    told = _chain_of(chain, channels_of(image))
    look = looking(image, motions, window_of(motions), interpolation, told.columns)
    like, (height, width) = motions[0].matrix, look.size
    batch = like.shape[0]
    sums = None if told.mean is None else _summed(look, told, like)
    out = like.new_empty(batch, height, width, look.channels, dtype=dtype)
    finish[(batch * -(-height * width // _PIXELS),)](
        *look.tensors,
        sums,
        out,
        *look.strides,
        CHANNELS=look.channels,
        PIXELS=_PIXELS,
        CHAIN=told.code,
        LINKS=len(told.numbers),
        MORE=len(told.columns),
        PARTS=0 if sums is None else sums.shape[1],
        **look.constants,
    )
    return out.permute(0, 3, 1, 2)


def _summed(look: Looking, told: _Chain, like: Tensor) -> Float[Tensor, "b parts"]:
    """Returns the sums of the luma of parts of each image, before the link that wants the mean."""
    from augment.kernels.cuda.finishing_triton import add_up  # imports Triton

    assert told.mean is not None
    parts = -(-look.size[0] * look.size[1] // (_PIXELS * _BLOCKS))
    sums = like.new_empty(like.shape[0], parts)
    add_up[(like.shape[0] * parts,)](
        *look.tensors,
        sums,
        *look.strides,
        CHANNELS=look.channels,
        PIXELS=_PIXELS,
        CHAIN=told.code,
        BEFORE=told.mean[0],
        ASKED=told.mean[1],
        MORE=len(told.columns),
        PARTS=parts,
        **look.constants,
    )
    return sums
