"""The layers after a run of warps, on three channels in registers. Importing this imports Triton.

They are what `reference.coloring.STEPS`, `normalize` and `erase` of `reference.pixelwise` define.
"""

import triton
import triton.language as tl

from augment.data.color import LUMA as _LUMA
from augment.data.pixels import NOTHING as _NOTHING
from augment.kernels.cuda.taps_triton import clamp
from augment.kernels.reference.coloring import STEPS as _STEPS

_NAMES = list(_STEPS)
BLACK, MEAN, GRAY, HUE, ADD, MULTIPLY, SATURATE = (
    tl.constexpr(1 + _NAMES.index(name))
    for name in (
        *("blend with black", "blend with mean", "blend with gray", "turn hue"),
        *("add", "multiply", "scale saturation"),
    )
)
"""Numbers of the steps: their position in `STEPS`, from 1 on."""

NORMALIZE, ERASE = tl.constexpr(len(_NAMES) + 1), tl.constexpr(len(_NAMES) + 2)

NOTHING = tl.constexpr(_NOTHING)
RED, GREEN, BLUE = (tl.constexpr(weight) for weight in _LUMA)


@triton.jit
def luma(red, green, blue, CHANNELS: tl.constexpr):
    """Returns the luma of colours, or the only channel."""
    return red * RED + green * GREEN + blue * BLUE if CHANNELS == 3 else red


@triton.jit
def _blended(red, green, blue, other, factor):
    rest = other * (1 - factor)
    return red * factor + rest, green * factor + rest, blue * factor + rest


@triton.jit
def _saturated_more(red, green, blue, factor):
    """Scales the saturation, as `data.color.scale_saturation`."""
    value = tl.maximum(tl.maximum(red, green), blue)
    chroma = value - tl.minimum(tl.minimum(red, green), blue)
    full = (chroma * factor > value) & (chroma > NOTHING)
    ratio = tl.where(full, value / tl.where(full, chroma, 1.0), factor)
    return value - (value - red) * ratio, value - (value - green) * ratio, value - (value - blue) * ratio


@triton.jit
def _turned(red, green, blue, turns):
    """Turns the hue, as `data.color.shift_hue`."""
    value = tl.maximum(tl.maximum(red, green), blue)
    chroma = value - tl.minimum(tl.minimum(red, green), blue)
    red_most, green_more = (red >= green) & (red >= blue), green >= blue
    rise = tl.where(red_most, green - blue, tl.where(green_more, blue - red, red - green))
    start = tl.where(red_most, 0.0, tl.where(green_more, 2.0, 4.0))
    hue = rise / tl.where(chroma > NOTHING, chroma, 1.0) + start + 6 * turns
    hue = hue - 6 * tl.floor(hue * (1 / 6))
    red = value - chroma * (1 - clamp(tl.abs(hue - 3) - 1, 0.0, 1.0))
    green = value - chroma * (1 - clamp(2 - tl.abs(hue - 2), 0.0, 1.0))
    blue = value - chroma * (1 - clamp(2 - tl.abs(hue - 4), 0.0, 1.0))
    return red, green, blue


@triton.jit
def _adjusted(red, green, blue, amount, sums, STEP: tl.constexpr, AREA: tl.constexpr, PARTS: tl.constexpr):
    """Takes colours through a step of `adjust_color`, and clamps them to [0, 1]."""
    if STEP == BLACK or STEP == MULTIPLY:  # noqa: SIM109, Triton has no "in"
        red, green, blue = red * amount, green * amount, blue * amount
    elif STEP == ADD:
        red, green, blue = red + (amount - 1), green + (amount - 1), blue + (amount - 1)
    elif STEP == MEAN:
        part = tl.arange(0, triton.next_power_of_2(PARTS))
        mean = tl.sum(tl.load(sums + part, part < PARTS, other=0.0), 0) / AREA
        red, green, blue = _blended(red, green, blue, mean, amount)
    elif STEP == GRAY:
        red, green, blue = _blended(red, green, blue, luma(red, green, blue, 3), amount)
    elif STEP == HUE:
        red, green, blue = _turned(red, green, blue, amount)
    else:
        red, green, blue = _saturated_more(red, green, blue, amount)
    return clamp(red, 0.0, 1.0), clamp(green, 0.0, 1.0), clamp(blue, 0.0, 1.0)


@triton.jit
def chained(
    colours,
    row,
    place,
    sums,
    CHAIN: tl.constexpr,
    LINKS: tl.constexpr,
    CHANNELS: tl.constexpr,
    AREA: tl.constexpr,
    PARTS: tl.constexpr,
):
    """Takes colours through the first LINKS links of a chain.

    Arguments:
        colours: three channels; the last two do not matter if there is one.
        row: the numbers of the sample, link after link. Of a step: whether the sample is chosen, and the amount. Of a
            normalisation: whether it is chosen, the means, and the reciprocals of the deviations. Of a rectangle: top,
            left, height, width, and the colour.
        place: row and column of each pixel.
        sums: PARTS numbers whose sum is that of the luma before contrast, of AREA pixels.
        CHAIN: four bits for each link, the first in the lowest.
    """
    one, two, three = colours
    i, j = place
    for k in tl.static_range(LINKS):
        if ((CHAIN >> (4 * k)) & 15) == NORMALIZE:
            if tl.load(row) > 0:
                one = (one - tl.load(row + 1)) * tl.load(row + 1 + CHANNELS)
                if CHANNELS == 3:
                    two = (two - tl.load(row + 2)) * tl.load(row + 2 + CHANNELS)
                    three = (three - tl.load(row + 3)) * tl.load(row + 3 + CHANNELS)
            row += 1 + 2 * CHANNELS
        elif ((CHAIN >> (4 * k)) & 15) == ERASE:
            top, left = tl.load(row), tl.load(row + 1)
            inside = (i >= top) & (i < top + tl.load(row + 2)) & (j >= left) & (j < left + tl.load(row + 3))
            one = tl.where(inside, tl.load(row + 4), one)
            if CHANNELS == 3:
                two = tl.where(inside, tl.load(row + 5), two)
                three = tl.where(inside, tl.load(row + 6), three)
            row += 4 + CHANNELS
        else:
            if tl.load(row) > 0:
                step: tl.constexpr = (CHAIN >> (4 * k)) & 15
                one, two, three = _adjusted(one, two, three, tl.load(row + 1), sums, step, AREA, PARTS)
            row += 2
    return one, two, three
