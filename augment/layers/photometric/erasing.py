"""Rectangles cut out of the image."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.batch import Batch
from augment.data.known import whole_size
from augment.data.types import Bool, Params, Size
from augment.draws.arguments import is_whole, number, numbers, shown, whole
from augment.draws.distributions import Bernoulli, Choice
from augment.draws.shorthand import Quantity, log_uniform
from augment.geometry.rectangle import SIDES, rectangle, rectangles
from augment.kernels.reference.pixelwise import erase
from augment.layers.photometric.mask_holes import mask_value, mask_with_holes

_MOST = 100  # rectangles, and splits of a batch
_MODES: dict[str, float | str] = {"const": 0.0, "rand": "rand", "pixel": "pixel", "random": "pixel"}
"""timm's modes; "random" is torchvision's name for its "pixel"."""


class RandomErasing(PixelOp):
    """Fills random rectangles (Zhong et al. 2017, algorithm 1). Standing after Normalize, 0 is the mean colour.

    Args:
        scale: area of the rectangles together as a fraction of the image's, within [0, 1].
        ratio: height / width of a rectangle; a pair is uniform in the logarithm, as in torchvision and timm.
        value: what to fill with: one number, one per channel, or a mode of timm: "const" for 0, "rand" for one standard
            normal colour per rectangle, "pixel" for standard normal noise in every pixel (also "random").
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
        count: number of rectangles, at most 100, or (fewest, most) with each number equally likely. As in timm, the
            area drawn for each is divided by their number.
        num_splits: above 1, the first of this many equal parts of a batch stays as it is, as timm's clean split.
        fill_mask: value to fill masks with at the same places, such as 255 for a loss to ignore; None leaves
            masks alone.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomErasing(p=0.25)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    alpha_stays = False
    operator = erase

    def __init__(
        self,
        scale: Quantity = (0.02, 0.33),
        ratio: Quantity = (0.3, 3.3),
        value: float | Sequence[float] | str = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        count: int | Sequence[int] = 1,
        num_splits: int = 0,
        fill_mask: float | None = None,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.fill_mask = mask_value(self, fill_mask)
        self.value = _value(self, value)
        fewest, self.most = _counts(self, count)
        self.num_splits = whole(self, "num_splits", num_splits, 0, _MOST)
        self.by_sample = self.num_splits < 2  # type: ignore[misc]
        columns = self.most if self.most > 1 else None
        self.quantity("scale", scale, legal=(0.0, 1.0), count=columns)
        self.quantity("ratio", log_uniform(ratio), legal=(1e-3, 1e3), count=columns)
        self.quantity("top", (0.0, 1.0), count=columns)
        self.quantity("left", (0.0, 1.0), count=columns)
        if isinstance(self.value, str):
            self.quantity("key", (0.0, 1.0), count=2 * (self.most if self.value == "rand" else 1))
        if self.most > 1:
            self.quantity("count", Choice(range(fewest, self.most + 1)))

    def acts_on(self, params: Params) -> Bool[Tensor, " b"] | None:
        """Returns the samples with an open gate, without those of the first split."""
        gate, samples = super().acts_on(params), params["top"].shape[0]
        if self.num_splits < 2:
            return gate
        later = torch.arange(samples, device=params["top"].device) >= samples // self.num_splits
        return later if gate is None else gate & later

    def resolve(self, params: Params, size: Size) -> Params:
        """The rectangles in whole pixels: `top`, `left`, `height`, `width`; those that are not drawn have no size."""
        rows, columns = whole_size(size)
        area = params["scale"] * (rows * columns)
        count = params["count"][:, None] if "count" in params else None
        area = area if count is None else area / count.clamp(min=1)
        height = torch.round(torch.sqrt(area * params["ratio"])).clamp(1, rows)
        width = torch.round(torch.sqrt(area / params["ratio"])).clamp(1, columns)
        top = torch.floor(params["top"] * (rows - height + 1))
        left = torch.floor(params["left"] * (columns - width + 1))
        kept = {name: params[name] for name in ("gate", "key") if name in params}
        if count is not None:
            drawn = torch.arange(self.most, device=top.device) < count
            height, width = torch.where(drawn, height, 0.0), torch.where(drawn, width, 0.0)
        return {"top": top, "left": left, "height": height, "width": width} | kept

    def annotated(self, batch: Batch, params: Params) -> Batch:
        return mask_with_holes(self, batch, params, rectangles if self.most > 1 else rectangle)

    def arguments(
        self, params: Params, dtype: torch.dtype
    ) -> tuple[Params, float | tuple[float, ...] | None, Tensor | None]:
        """The rectangles, and what to fill them with."""
        box, key = {name: params[name] for name in SIDES}, params.get("key")
        if key is None or isinstance(self.value, (float, tuple)):
            return box, self.value if isinstance(self.value, (float, tuple)) else None, key
        return box, None, key.unflatten(1, (self.most, 2)) if self.value == "rand" else key


def _value(layer: RandomErasing, value: float | Sequence[float] | str) -> float | tuple[float, ...] | str:
    if isinstance(value, str):
        if value not in _MODES:
            allowed = "a number, one per channel, or one of 'const', 'rand', 'pixel' and 'random'"
            raise ValueError(f"RandomErasing: value={shown(value)} must be {allowed}.")
        return _MODES[value]
    if not isinstance(value, (list, tuple)):
        return number(layer, "value", value, kind="one number, one per channel, or the name of a mode")
    colour = numbers(layer, "value", value)
    return colour[0] if len(set(colour)) == 1 else colour


def _counts(layer: RandomErasing, count: int | Sequence[int]) -> tuple[int, int]:
    fewest, most = count if isinstance(count, (list, tuple)) and len(count) == 2 else (count, count)
    if not (is_whole(fewest) and is_whole(most) and 0 <= fewest <= most <= _MOST and most):
        raise ValueError(
            f"RandomErasing: count={shown(count)} must be a whole number or a pair (fewest, most), from 0 to {_MOST}, "
            "the most at least 1."
        )
    return fewest, most
