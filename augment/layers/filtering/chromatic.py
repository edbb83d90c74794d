"""Coloured edges by a lens that does not bend all colours alike."""

import torch

from augment.core import checks
from augment.core.kinds import ImageOp
from augment.data.pixels import stacked
from augment.data.types import Images, Params, Size
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry.interpolation import INTERPOLATIONS, Window
from augment.geometry.lens import distorted
from augment.kernels.reference.sampling import sample

_MODES = ("green_purple", "red_blue", "random")


class ChromaticAberration(ImageOp):
    """Distorts the red and the blue channel radially, each in its own way, as albumentations 2.0.8 does.

    A red pixel at distance r from the centre shows the input at r * (1 + k1 * r**2 + k2 * r**4), where r = 1 is the
    image width horizontally and the height vertically, and a blue one does so with its own k1 and k2. The sign of
    k2 is that of k1. The pixels at the border are repeated outside. The centre is that of the pixel grid,
    (width - 1) / 2, where albumentations has width / 2. Images with fewer than three channels are not changed.

    Args:
        primary_distortion_limit: k1 of red and of blue, within [-1, 1]; a number d means (-d, d).
        secondary_distortion_limit: k2 of red and of blue, likewise.
        mode: "green_purple" gives blue the sign of red, "red_blue" the opposite one, "random" its own.
        resample: "nearest", "bilinear" or "bicubic".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.ChromaticAberration(0.1, 0.2, p=1.0)(images)[:, 1].equal(images[:, 1])  # green stays
        True
    """

    example = {"primary_distortion_limit": 0.5, "secondary_distortion_limit": 0.8}
    identity = {"primary_distortion_limit": 0.0, "secondary_distortion_limit": 0.0}
    differentiable = frozenset({"primary_distortion_limit", "secondary_distortion_limit"})
    alpha_stays = True

    def __init__(
        self,
        primary_distortion_limit: Quantity = (-0.02, 0.02),
        secondary_distortion_limit: Quantity = (-0.05, 0.05),
        mode: str = "green_purple",
        resample: str = "bilinear",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.mode = checks.one_of(self, "mode", mode, _MODES)
        self.resample = checks.one_of(self, "resample", resample, INTERPOLATIONS)
        for name, value in (
            ("primary_distortion_limit", primary_distortion_limit),
            ("secondary_distortion_limit", secondary_distortion_limit),
        ):
            self.quantity(name, value, legal=(-1.0, 1.0), around=0.0, count=2)

    def resolve(self, params: Params, size: Size) -> Params:
        """Gives the coefficients of red and blue, (B, 2) each, their signs."""
        primary, secondary = params["primary_distortion_limit"], params["secondary_distortion_limit"]
        sign = torch.where(primary < 0, -1.0, 1.0).to(primary.dtype)
        if self.mode != "random":
            red = sign[:, :1]
            sign = torch.cat([red, red if self.mode == "green_purple" else -red], 1)
        signed = {"primary_distortion_limit": primary.abs(), "secondary_distortion_limit": secondary.abs()}
        return params | {name: value * sign for name, value in signed.items()}

    def image(self, image: Images, params: Params) -> Images:
        if image.shape[1] < 3:
            return image
        height, width = image.shape[-2:]
        x = torch.arange(width, device=image.device, dtype=image.dtype)
        y = torch.arange(height, device=image.device, dtype=image.dtype)[:, None]
        first, second = (
            params[f"{name}_distortion_limit"].to(image.dtype)[:, :, None, None] for name in ("primary", "secondary")
        )

        def bent(channel: int, which: int) -> Images:
            size = (height, width)
            at = distorted(size, size, first[:, which], second[:, which], x, y)
            return stacked(sample(image[:, channel : channel + 1], *at, Window.whole(size), self.resample))

        return torch.cat([bent(0, 0), image[:, 1:2], bent(2, 1), image[:, 3:]], 1)
