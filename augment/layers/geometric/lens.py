"""Distortion by a lens."""

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import DenseWarp
from augment.data.types import Params, Size
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry.lens import distorted, extents
from augment.geometry.motion import Positions
from augment.layers.geometric.dense import Moved

_MODES = ("camera", "fisheye")


class OpticalDistortion(DenseWarp):
    """Distorts the image radially as a lens does, with the two models of albumentations 2.0.8.

    An output pixel at distance r from the centre shows the input at r * (1 + k * r**2 + k * r**4) in mode "camera",
    where r = 1 is the image width horizontally and the height vertically, as OpenCV computes it with k1 = k2 = k. In
    mode "fisheye" it is r * (1 + k * r**2), and r = 1 is half the diagonal. The centre is that of the pixel grid,
    (width - 1) / 2, where albumentations has width / 2.

    Args:
        distort_limit: k, within [-1, 1]; a number d means (-d, d). Positive values shrink the image towards its
            centre (barrel), negative ones enlarge it (pincushion); 0 changes nothing.
        mode: "camera" or "fisheye".
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.OpticalDistortion(distort_limit=0.3, p=1.0)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"distort_limit": 0.8}
    identity = {"distort_limit": 0.0}
    differentiable = frozenset({"distort_limit"})

    def __init__(
        self,
        distort_limit: Quantity = (-0.05, 0.05),
        mode: str = "camera",
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.mode = checks.one_of(self, "mode", mode, _MODES)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("distort_limit", distort_limit, legal=(-1.0, 1.0), around=0.0)

    def displace(self, size: Size, params: Params, x: Positions, y: Positions) -> Moved:
        k = params["distort_limit"].to(x.dtype)[:, None, None]
        height, width = extents(size)
        if self.mode == "camera":
            return distorted((height, width), (height, width), k, k, x, y)
        corner = ((height**2 + width**2) ** 0.5) / 2
        return distorted((height, width), (corner, corner), k, 0.0, x, y)
