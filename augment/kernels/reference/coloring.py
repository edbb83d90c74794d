"""Adjustments of brightness, contrast, saturation and hue one after another, as two libraries define them."""

from collections.abc import Callable, Sequence

from torch import Tensor

from augment.data.color import blend, clamped, gray, mean_gray, scale_saturation, shift_hue, with_rgb
from augment.data.operator import operator
from augment.data.pixels import each, to_float
from augment.data.subset import Drawn, Parts, on_chosen
from augment.data.types import Bool, Images, PerSample, Planes, Shaped

Step = Callable[[Planes, Shaped[Tensor, "b 1 1"]], Planes]
"""Maps planes, and the amounts of one adjustment, to planes."""


def _blend_saturation(planes: Planes, factor: Tensor) -> Planes:
    return with_rgb(planes, lambda rgb: blend(rgb, gray(rgb), factor))


STEPS: dict[str, Step] = {
    "blend with black": lambda planes, factor: blend(planes, 0.0, factor),
    "blend with mean": lambda planes, factor: blend(planes, mean_gray(planes), factor),
    "blend with gray": _blend_saturation,
    "turn hue": lambda planes, turns: clamped(shift_hue(planes, turns)),
    "add": lambda planes, factor: clamped(tuple(plane + (factor - 1) for plane in planes)),
    "multiply": lambda planes, factor: clamped(tuple(plane * factor for plane in planes)),
    "scale saturation": lambda planes, factor: clamped(scale_saturation(planes, factor)),
}
"""Brightness, contrast and saturation of Pillow and torchvision, hue, and the first three of Kornia's ColorJiggle.

Kernels know them by their position.
"""


@operator
def adjust_color(
    image: Images | Planes, chosen: Bool[Tensor, " b"] | None, steps: Sequence[str], amounts: Sequence[PerSample]
) -> Planes:
    """Adjusts the colour of the chosen images. The others stay; the result is float planes (B, H, W).

    Args:
        image: (B, C, H, W) or C planes (B, H, W), uint8 or float.
        chosen: (B,) bool, which samples; None for all.
        steps: names from `STEPS`, one after another.
        amounts: (B,) for each step: a factor, or full circles of hue.
    """
    before = each(image, to_float)

    def adjusted(planes: Parts, params: Drawn) -> Parts:
        for step, amount in zip(steps, params[0].values(), strict=True):
            planes = STEPS[step](planes, amount[:, None, None].to(planes[0].dtype))
        return planes

    return on_chosen(chosen, adjusted, before, [dict(zip(steps, amounts, strict=True))])
