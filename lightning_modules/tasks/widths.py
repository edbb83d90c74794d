"""Tasks whose true limits are known: simple shapes, of which one property is the label, in steps of known size.

If the values of the label lie d apart, a change by less than d / 2 leaves the right class nearest, and a larger change
makes another class nearer: d / 2 is the true width. If the label divides a continuous property without gaps, every
change breaks some labels, and the true width is 0. If the label does not depend on the property, every change is
harmless, and the true width is the largest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from lightning_modules.data.image_sets import TensorImages
from lightning_modules.tasks.making import SIZE, Chance, image_set, placed
from lightning_modules.tasks.shaded import pure

NUMBER = 1800
"""Number of images of a task."""

LABELLED = 400
"""Number of labelled ones; a fifth of them is held out, which makes the trials more exact than on the ten tasks."""

NOISE = 0.08
"""Standard deviation of the noise on the images, which are in [0, 1]."""

SHAPE_SIZE = 32
"""Side of the drawing of a shape, in pixels; images show it smaller."""

SHIFT, DISC, PLACE = 6.0, 4.0, 1.0
"""Largest distance of a shifted disc from the middle, its diameter, and the scatter of other shapes, in pixels."""

SMALL, LARGE = 3.5, 14.0
"""Diameters of the smallest and of the largest disc, in pixels."""


class Known(NamedTuple):
    """A task with a known width.

    Attributes:
        operator: the operator that the truth is about.
        truth: its largest harmless width, in the unit of the operator's width; the logarithm of the factor for scale.
        make: the function from a seed to all images.
    """

    operator: str
    truth: float
    make: Callable[[int], TensorImages]


def _shapes() -> Tensor:
    """Return a disc, a hand that points up, a cross and a bar (4, 1, SHAPE_SIZE, SHAPE_SIZE)."""
    down, right = torch.meshgrid(*2 * [torch.linspace(-1, 1, SHAPE_SIZE)], indexing="ij")
    disc = down.square() + right.square() < 1
    thin = right.abs() < 0.2
    across = down.abs() < 0.2
    hand = (right.abs() < 0.3 * (down + 1)) & (down < 0.6)  # a triangle shows its direction wherever it is
    return torch.stack([disc, hand, thin | across, thin])[:, None].float()


DISC_SHAPE, HAND = 0, 1
"""Places of two of the shapes."""


def _stepped(chance: Chance, values: Tensor, bins: int, low: float, high: float) -> tuple[Tensor, Tensor]:
    """Return a property (NUMBER,) and its label: one of a few values, or a part of an interval if there are none."""
    if len(values):
        label = chance.choice(len(values), NUMBER)
        return values[label], label
    share = chance.uniform(0, 1, NUMBER)
    return low + (high - low) * share, (share * bins).long()


def _finished(chance: Chance, images: Tensor, label: Tensor) -> TensorImages:
    noisy = images + NOISE * chance.normal(*images.shape)
    return image_set(noisy, label, [str(k) for k in range(int(label.max()) + 1)])


def _scattered(chance: Chance, kind: Tensor | int, degrees: Tensor | float, pixels: Tensor | float) -> Tensor:
    """Draw shapes near the middle (NUMBER, 1, SIZE, SIZE)."""
    images = _shapes()[torch.as_tensor(kind).expand(NUMBER)]
    return 0.8 * placed(images, degrees, pixels, *chance.uniform(-PLACE, PLACE, 2, NUMBER))


def turned(directions: int, seed: int) -> TensorImages:
    """A hand that points in one of some directions, which is the label; 0 for twelve parts of all directions."""
    chance = Chance(seed)
    values = torch.arange(directions) * (360 / max(directions, 1))
    degrees, label = _stepped(chance, values, 12, 0, 360)
    return _finished(chance, _scattered(chance, HAND, degrees, 14.0), label)


def any_angle(seed: int) -> TensorImages:
    """A hand, a cross or a bar at any angle; the label is the shape."""
    chance = Chance(seed)
    label = chance.choice(3, NUMBER)
    return _finished(chance, _scattered(chance, label + HAND, chance.uniform(-180, 180, NUMBER), 14.0), label)


def sized(ratio: float, seed: int) -> TensorImages:
    """A disc whose diameter is the label, in steps by a ratio; 1 for eight parts of all diameters."""
    chance, reach = Chance(seed), math.log(LARGE / SMALL)
    steps = round(reach / math.log(ratio)) if ratio > 1 else 0
    values = torch.linspace(0, reach, steps + 1) if steps else torch.empty(0)
    grown, label = _stepped(chance, values, 8, 0, reach)
    return _finished(chance, _scattered(chance, DISC_SHAPE, 0.0, SMALL * grown.exp()), label)


def shifted(columns: int, seed: int) -> TensorImages:
    """A disc in one of some columns, which is the label, at any height; 0 for six parts of all columns."""
    chance = Chance(seed)
    reach = SIZE / 2 - SIZE / 2 / columns if columns else SHIFT  # the middles of equal parts of the width
    values = torch.linspace(-reach, reach, columns) if columns else torch.empty(0)
    right, label = _stepped(chance, values, 6, -SHIFT, SHIFT)
    discs = _shapes()[:1].expand(NUMBER, -1, -1, -1)
    return _finished(chance, 0.8 * placed(discs, 0.0, DISC, right, chance.uniform(-4, 4, NUMBER)), label)


def striped(seed: int) -> TensorImages:
    """Stripes of any phase in one of three directions, which is the label; they stay the same wherever they are."""
    chance = Chance(seed)
    label = chance.choice(3, NUMBER)
    down, right = torch.meshgrid(*2 * [torch.arange(SIZE).float()], indexing="ij")
    angle = label[:, None, None] * (math.pi / 3)
    along = right * angle.cos() + down * angle.sin()
    waves = (2 * math.pi * along / 4 + chance.uniform(-math.pi, math.pi, NUMBER, 1, 1)).sin()
    return _finished(chance, 0.5 + 0.3 * waves[:, None], label)


def tinted(hues: int, seed: int) -> TensorImages:
    """A shape in one of some hues, which is the label; 0 for twelve parts of all hues, 1 for the shape as the label."""
    chance = Chance(seed)
    values = torch.arange(hues) * (360 / hues) if hues > 1 else torch.empty(0)
    degrees, label = _stepped(chance, values, 12, 0, 360)
    kind = chance.choice(3, NUMBER) + HAND
    strokes = _scattered(chance, kind, 0.0, 14.0)
    colours = pure(degrees)[:, :, None, None] - 0.5
    return _finished(chance, 0.5 + 0.7 * strokes * colours, kind - HAND if hues == 1 else label)


def grey(shades: tuple[float, ...], seed: int) -> TensorImages:
    """A ground of one of some shades of grey, which is the label; none for eight parts of all shades."""
    chance = Chance(seed)
    shade, label = _stepped(chance, torch.tensor(shades), 8, 0.1, 0.9)
    return _finished(chance, shade[:, None, None, None].expand(-1, 1, SIZE, SIZE), label)


WIDTHS = {
    "rotate_0": Known("rotate", 0.0, partial(turned, 0)),
    "rotate_15": Known("rotate", 15.0, partial(turned, 12)),
    "rotate_45": Known("rotate", 45.0, partial(turned, 4)),
    "rotate_90": Known("rotate", 90.0, partial(turned, 2)),
    "rotate_180": Known("rotate", 180.0, any_angle),
    "scale_1": Known("scale", 0.0, partial(sized, 1.0)),
    "scale_1.41": Known("scale", math.log(2) / 2, partial(sized, 2.0)),
    "scale_2": Known("scale", math.log(2), partial(sized, 4.0)),
    "translate_x_0": Known("translate_x", 0.0, partial(shifted, 0)),
    "translate_x_0.125": Known("translate_x", 0.125, partial(shifted, 4)),
    "translate_x_0.25": Known("translate_x", 0.25, partial(shifted, 2)),
    "translate_x_0.5": Known("translate_x", 0.5, striped),
    "hue_0": Known("hue", 0.0, partial(tinted, 0)),
    "hue_0.125": Known("hue", 0.125, partial(tinted, 4)),
    "hue_0.25": Known("hue", 0.25, partial(tinted, 2)),
    "hue_0.5": Known("hue", 0.5, partial(tinted, 1)),
    "brightness_0": Known("brightness", 0.0, partial(grey, ())),
    "brightness_0.1": Known("brightness", 0.1, partial(grey, (0.2, 0.4, 0.6, 0.8))),
    "brightness_0.2": Known("brightness", 0.2, partial(grey, (0.1, 0.5, 0.9))),
    "brightness_0.45": Known("brightness", 0.45, partial(grey, (0.05, 0.95))),
}
"""The tasks by name: the operator and its true width, which is a factor for scale. Brightness has none at the largest
width, because a change by nine tenths of the range leaves white or black of most images."""
