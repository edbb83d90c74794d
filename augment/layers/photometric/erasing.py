"""Rectangles cut out of the image."""

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.known import whole_size
from augment.data.types import Params, Size
from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity, log_uniform
from augment.geometry.rectangle import SIDES
from augment.kernels.reference.pixelwise import erase


class RandomErasing(PixelOp):
    """Fills a random rectangle (Zhong et al. 2017, algorithm 1). Standing after Normalize, 0 is the mean colour.

    Args:
        scale: area of the rectangle as a fraction of the image's, within [0, 1].
        ratio: height / width of the rectangle; a pair is uniform in the logarithm, as in torchvision and timm.
        value: what to fill with; "random" for standard normal noise in every pixel, as timm's "pixel" mode.
        p: probability that an image is changed.
        same_on_batch: one draw for all samples of a batch.
    """

    alpha_stays = False
    operator = erase

    def __init__(
        self,
        scale: Quantity = (0.02, 0.33),
        ratio: Quantity = (0.3, 3.3),
        value: float | str = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        if value != "random":
            if isinstance(value, str):
                raise ValueError(f"RandomErasing: value={value!r} must be a number or 'random'.")
            value = number(self, "value", value, kind="one number, for all channels, or 'random'")
        self.value = value
        self.quantity("scale", scale, legal=(0.0, 1.0))
        self.quantity("ratio", log_uniform(ratio), legal=(1e-3, 1e3))
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))
        if value == "random":
            self.quantity("key", (0.0, 1.0), count=2)

    def resolve(self, params: Params, size: Size) -> Params:
        """The rectangle in whole pixels: `top`, `left`, `height`, `width`."""
        rows, columns = whole_size(size)
        area = params["scale"] * (rows * columns)
        height = torch.round(torch.sqrt(area * params["ratio"])).clamp(1, rows)
        width = torch.round(torch.sqrt(area / params["ratio"])).clamp(1, columns)
        top = torch.floor(params["top"] * (rows - height + 1))
        left = torch.floor(params["left"] * (columns - width + 1))
        kept = {name: params[name] for name in ("gate", "key") if name in params}
        return {"top": top, "left": left, "height": height, "width": width} | kept

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Params, float | None, Tensor | None]:
        """The rectangle, and what to fill it with."""
        box = {name: params[name] for name in SIDES}
        return box, None if self.value == "random" else float(self.value), params.get("key")
