"""Warps with a displacement field, which moves each pixel separately."""

from collections.abc import Sequence

import torch
from kornia.filters import get_gaussian_kernel1d
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import DenseWarp
from augment.data.constants import constant
from augment.data.pixels import materialized_image, planes
from augment.data.types import Float, Params, Size
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity
from augment.geometry.interpolation import Window
from augment.geometry.motion import Positions
from augment.kernels.reference.filtering import filtered, pad
from augment.kernels.reference.sampling import sample

Moved = tuple[Float[Tensor, "b h2 w2"], Float[Tensor, "b h2 w2"]]


class RandomElasticTransform(DenseWarp):
    """Displaces every pixel by smoothed uniform noise (Simard et al. 2003, section 2).

    Args:
        kernel_size: odd size (vertical, horizontal) of the Gaussian kernel that smooths the noise, or one number for
            both.
        sigma: standard deviations (vertical, horizontal) of the Gaussian in pixels; numbers or distributions.
        alpha: strengths (horizontal, vertical): the displacement by unsmoothed noise as a fraction of half the image.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomElasticTransform((9, 9), (3.0, 3.0))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"kernel_size": (9, 7), "sigma": (3.0, 2.0), "alpha": (1.0, 0.8)}
    identity = {"alpha": (0.0, 0.0)}
    differentiable = frozenset({"sigma_y", "sigma_x", "alpha_x", "alpha_y"})

    def __init__(
        self,
        kernel_size: int | Sequence[int] = (63, 63),
        sigma: Sequence[Quantity] | Tensor = (32.0, 32.0),
        alpha: Sequence[Quantity] | Tensor = (1.0, 1.0),
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.kernel_size = checks.odd_size(self, "kernel_size", kernel_size)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        for name, pair, axes, legal in (("sigma", sigma, "yx", (1e-3, 1e4)), ("alpha", alpha, "xy", (0.0, 1e4))):
            for axis, value in zip(axes, checks.pair_of(self, name, pair), strict=True):
                self.quantity(f"{name}_{axis}", value, legal=legal)
        self.quantity("key", (0.0, 1.0), count=2)

    def displace(self, size: Size, params: Params, x: Positions, y: Positions) -> Moved:
        height, width = size
        if isinstance(height, Tensor) or isinstance(width, Tensor):
            raise ValueError(
                "RandomElasticTransform cannot come first where images differ in size: fix the size before."
            )
        noise = uniform_field(params["key"], (2, height, width)).to(x.dtype) * 2 - 1
        rows, columns = self.kernel_size
        field = materialized_image(pad(noise, rows // 2, columns // 2, "constant"))
        field = filtered(field, get_gaussian_kernel1d(columns, params["sigma_x"].to(x.dtype)[:, None])[:, None, :])
        field = filtered(field, get_gaussian_kernel1d(rows, params["sigma_y"].to(x.dtype)[:, None])[:, :, None])
        dx, dy = planes(sample(field, x, y, Window.whole(size)))
        move_x, move_y = params["alpha_x"] * (width / 2), params["alpha_y"] * (height / 2)
        return x + dx * move_x[:, None, None], y + dy * move_y[:, None, None]


_CONTROL_POINTS = ((-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0), (0.0, 0.0))
"""Corners and centre of the image in coordinates from -1 to 1."""


class RandomThinPlateSpline(DenseWarp):
    """Bends the image with a thin-plate spline through its corners and centre (Bookstein 1989).

    The spline interpolates the random displacements of these five control points with the least bending. Kornia
    moves the spline's centres, so it solves a linear system per image. Here the centres are fixed on the output, so
    the system is inverted once.

    Args:
        scale: largest displacement of a control point as a fraction of half the image, in [0, 1].
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomThinPlateSpline(scale=0.1)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"scale": 0.2}
    identity = {"scale": 0.0}
    differentiable = frozenset({"scale"})

    def __init__(
        self,
        scale: Quantity = 0.2,
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("scale", scale, legal=(0.0, 1.0))
        self.quantity("points", (0.0, 1.0), count=2 * len(_CONTROL_POINTS))
        self.solution = _spline_solution()

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `points` (B, 5, 2), the offsets (x, y) of the control points in units of half the image."""
        offsets = params["scale"][:, None, None] * (2 * params["points"].unflatten(1, (-1, 2)) - 1)
        return params | {"points": offsets}

    def displace(self, size: Size, params: Params, x: Positions, y: Positions) -> Moved:
        height, width = (n[:, None, None] if isinstance(n, Tensor) else n for n in size)
        u, v = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
        solution = constant(self.solution, x)
        # (8, 5) times (B, 5, 2), written out because matmul may round to half precision under TF32
        weights = (solution[None, :, :, None] * params["points"].to(x.dtype)[:, None]).sum(2)[..., None, None]
        moved = weights[:, -3] + weights[:, -2] * u[:, None] + weights[:, -1] * v[:, None]
        for i, (cx, cy) in enumerate(_CONTROL_POINTS):
            moved = moved + weights[:, i] * _bending((u - cx) ** 2 + (v - cy) ** 2)[:, None]
        return x + moved[:, 0] * (width / 2), y + moved[:, 1] * (height / 2)


def _bending(squared: Tensor) -> Tensor:
    """r**2 log r**2, the fundamental solution of the biharmonic equation; value and gradient are 0 at r = 0."""
    positive = squared > 0
    return torch.where(positive, squared * torch.where(positive, squared, 1.0).log(), 0.0)


def _spline_solution() -> list[list[float]]:
    """Returns the (8, 5) matrix that maps values at the control points to kernel and affine weights."""
    centres = torch.tensor(_CONTROL_POINTS, dtype=torch.float64)
    kernel = _bending((centres[:, None] - centres[None]).square().sum(-1))
    affine = torch.cat([torch.ones(len(centres), 1, dtype=torch.float64), centres], dim=1)
    system = torch.cat([torch.cat([kernel, affine], 1), torch.cat([affine.T, torch.zeros(3, 3).double()], 1)])
    return torch.linalg.inv(system)[:, : len(centres)].tolist()


_FARTHEST = 20.0
"""Logarithm of the largest stretch: beyond any image, but finite, because infinity times 0 would be NaN."""


class RandomFisheye(DenseWarp):
    """Pinches the image towards a centre, more strongly the further a pixel is from it.

    Args:
        center_x, center_y: position of the centre, from -1 (left, top) to 1 (right, bottom).
        gamma: exponent of the distance, positive; larger values confine the effect to the border.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomFisheye((-0.3, 0.3), (-0.3, 0.3), (0.9, 1.5))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"center_x": (-0.3, 0.3), "center_y": (-0.3, 0.3), "gamma": (0.9, 1.5)}
    differentiable = frozenset({"center_x", "center_y", "gamma"})

    def __init__(
        self,
        center_x: Quantity,
        center_y: Quantity,
        gamma: Quantity,
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("center_x", center_x, legal=(-1.0, 1.0))
        self.quantity("center_y", center_y, legal=(-1.0, 1.0))
        self.quantity("gamma", gamma, legal=(1e-3, 1e3))

    def displace(self, size: Size, params: Params, x: Positions, y: Positions) -> Moved:
        half_x, half_y = (_half_extent(n) for n in reversed(size))
        u, v = x / half_x - 1, y / half_y - 1
        squared = (params["center_x"][:, None, None] - u) ** 2 + (params["center_y"][:, None, None] - v) ** 2
        positive = squared > 0  # the power has no gradient at 0
        exponent = params["gamma"][:, None, None] / 2 * torch.where(positive, squared, 1.0).log()
        power = torch.exp(exponent.clamp(max=_FARTHEST))
        stretch = 1 + torch.where(positive, power, 0.0)
        return (u * stretch + 1) * half_x, (v * stretch + 1) * half_y


def _half_extent(extent: int | Tensor) -> float | Tensor:
    """Returns half the distance between the first and the last pixel, at least half a pixel."""
    if isinstance(extent, Tensor):
        return (extent - 1).clamp(min=1)[:, None, None] / 2
    return max(extent - 1, 1) / 2


class RandomGridDistortion(DenseWarp):
    """Stretches and squeezes the rows and columns of a grid of cells; the image border stays in place.

    Args:
        num_steps: number of cells along each side, from 1 to 100.
        distort_limit: relative change of a cell's extent, before all cells are scaled to fit the image; a number d
            means (-d, d), within [-0.9, 0.9].
        resample: "nearest", "bilinear" or "bicubic".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomGridDistortion(num_steps=4, distort_limit=0.3)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    padding = "none"
    example = {"num_steps": 4, "distort_limit": 0.4}
    identity = {"distort_limit": 0.0}
    differentiable = frozenset({"distort_limit"})

    def __init__(
        self,
        num_steps: int = 5,
        distort_limit: Quantity = 0.3,
        resample: str = "bilinear",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.num_steps = whole(self, "num_steps", num_steps, 1, 100)
        self.resample = checks.resample_mode(self, resample)
        self.quantity("distort_limit", distort_limit, legal=(-0.9, 0.9), around=0.0, count=2 * num_steps)

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes `columns` and `rows` (B, num_steps), the extents of the cells as fractions of the image."""
        cells = 1 + params["distort_limit"].unflatten(1, (2, self.num_steps))
        shares = cells / cells.sum(-1, keepdim=True)
        rest = {"gate": params["gate"]} if "gate" in params else {}
        return {"columns": shares[:, 0], "rows": shares[:, 1]} | rest

    def displace(self, size: Size, params: Params, x: Positions, y: Positions) -> Moved:
        height, width = (n[:, None, None] if isinstance(n, Tensor) else n for n in size)
        moved = self._stretched(x, width, params["columns"]), self._stretched(y, height, params["rows"])
        return torch.broadcast_tensors(*moved)

    def _stretched(self, position: Tensor, extent: int | Tensor, shares: Float[Tensor, "b s"]) -> Tensor:
        """Applies a piecewise linear map as a sum of ramps: each cell adds the part of it before the position."""
        cell = (position + 0.5) / extent * self.num_steps
        out = (cell - cell.clamp(0, self.num_steps)) / self.num_steps  # extrapolates outside the image
        for i, share in enumerate(shares.unbind(1)):
            out = out + share[:, None, None] * (cell - i).clamp(0, 1)
        return out * extent - 0.5
