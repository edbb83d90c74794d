"""Brightness, contrast and shadow that vary over the image as plasma fractals (Nicolaou et al. 2022)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import amount
from augment.data.types import Float, Params, Planes
from augment.draws.distributions import Bernoulli
from augment.draws.noise import uniform_field
from augment.draws.shorthand import Quantity


class RandomPlasmaBrightness(PixelOp):
    """Adds a plasma fractal in [-intensity, intensity], a separate one per channel; clips to [0, 1].

    Args:
        roughness: amount of fine detail, within [0, 1]; 0 is a smooth slope and 1 is white noise.
        intensity: largest change, in the image's [0, 1] scale, not negative; 0 changes nothing.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomPlasmaBrightness()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"intensity": 0.0}
    differentiable = frozenset({"roughness", "intensity"})

    def __init__(
        self,
        roughness: Quantity = (0.1, 0.7),
        intensity: Quantity = (0.0, 1.0),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("roughness", roughness, legal=(0.0, 1.0))
        self.quantity("intensity", intensity, legal=(0.0, 100.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        intensity = amount(params, "intensity", planes)
        return clamped(
            tuple(
                plane + intensity * (2 * cloud - 1)
                for plane, cloud in zip(planes, clouds(params, planes, len(planes)), strict=True)
            )
        )


class RandomPlasmaContrast(PixelOp):
    """Multiplies the distance from 0.5 by a plasma fractal in [0, 4], a separate one per channel; clips to [0, 1].

    The factor is 2 on average, as in Kornia.

    Args:
        roughness: amount of fine detail, within [0, 1]; 0 is a smooth slope and 1 is white noise.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomPlasmaContrast()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    differentiable = frozenset({"roughness"})

    def __init__(
        self, roughness: Quantity = (0.1, 0.7), p: float | Bernoulli = 0.5, same_on_batch: bool = False
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("roughness", roughness, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        factors = clouds(params, planes, len(planes))
        return clamped(tuple((plane - 0.5) * (4 * factor) + 0.5 for plane, factor in zip(planes, factors, strict=True)))


class RandomPlasmaShadow(PixelOp):
    """Adds a shade, equal in all channels, where a plasma fractal is below a threshold; clips to [0, 1].

    Args:
        roughness: raggedness of the edges, within [0, 1], without a gradient; 0 is smooth and 1 is white noise.
        shade_intensity: value added in the shade, in the image's [0, 1] scale, within [-1, 1]; negative values darken
            and 0 changes nothing.
        shade_quantity: threshold within [0, 1], without a gradient; 0 gives no shade and 1 shades the whole image.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomPlasmaShadow()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"shade_intensity": 0.0}
    differentiable = frozenset({"shade_intensity"})

    def __init__(
        self,
        roughness: Quantity = (0.1, 0.7),
        shade_intensity: Quantity = (-1.0, 0.0),
        shade_quantity: Quantity = (0.0, 1.0),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("roughness", roughness, legal=(0.0, 1.0))
        self.quantity("shade_intensity", shade_intensity, legal=(-1.0, 1.0))
        self.quantity("shade_quantity", shade_quantity, legal=(0.0, 1.0))
        self.quantity("key", (0.0, 1.0), count=2)

    def pixel(self, planes: Planes, params: Params) -> Planes:
        intensity, quantity = (amount(params, n, planes) for n in ("shade_intensity", "shade_quantity"))
        (cloud,) = clouds(params, planes, 1)
        shade = torch.where(cloud < quantity, intensity, 0.0)
        return clamped(tuple(plane + shade for plane in planes))


def clouds(params: Params, planes: Planes, count: int) -> Planes:
    """Generates `count` fractals of the planes' size and dtype from the drawn `key` and `roughness`."""
    roughness = params["roughness"].to(planes[0].dtype)
    return plasma(params["key"], roughness, (count, *planes[0].shape[1:])).unbind(1)


def plasma(
    key: Float[Tensor, "b 2"], roughness: Float[Tensor, " b"], shape: tuple[int, int, int]
) -> Float[Tensor, "b c h w"]:
    """Generates fractals in [0, 1] by the diamond-square algorithm (Fournier, Fussell and Carpenter 1982).

    The mean is 0.5. The algorithm starts from a coarse grid of uniforms, with cells as large as the shorter side. Each
    level halves the spacing: a new node is the mean of its neighbours, blended with a uniform. The weight of the
    uniform is 0 in the first level, roughness in the second, roughness ** 2 in the third and so on.

    Args:
        key: two uniforms per sample, the only source of randomness.
        roughness: within [0, 1]; the fractal is a polynomial in it.
        shape: channels (each with its own fractal), height and width.
    """
    levels = max(1, (min(shape[1:]) - 2).bit_length())
    sizes = list(zip(*(_nodes(n, levels) for n in shape[1:]), strict=True))
    draws = _draws(key, shape[0], sizes)
    grid, weight = draws[0].to(roughness.dtype), torch.zeros_like(roughness)
    for level, (height, width) in enumerate(sizes[1:], start=1):
        uniforms = draws[level].to(roughness.dtype)
        grid = _halve_spacing(grid, uniforms, weight[:, None, None, None])[..., :height, :width]
        weight = roughness**level
    return grid


def _nodes(n: int, levels: int) -> list[int]:
    """Counts the nodes needed along an axis of n pixels, from the coarsest level to the finest.

    The whole grid has 2 ** k + 1 nodes. A needed node has neighbours up to one spacing of its level away.
    """
    end = 2 ** max(levels, (n - 2).bit_length())
    last = [n - 1]
    for _ in range(levels):
        end //= 2
        last.append(min(last[-1] // 2 + 1, end))
    return [i + 1 for i in reversed(last)]


def _draws(key: Float[Tensor, "b 2"], channels: int, sizes: list[tuple[int, int]]) -> list[Float[Tensor, "b c _ _"]]:
    """Draws the uniforms of each level: the coarsest grid, then the untrimmed refinement of each level."""
    drawn = [sizes[0], *((2 * height - 1, 2 * width - 1) for height, width in sizes[:-1])]
    counts = [channels * height * width for height, width in drawn]
    fields = uniform_field(key, (sum(counts),)).split(counts, 1)
    return [field.unflatten(1, (channels, *size)) for field, size in zip(fields, drawn, strict=True)]


def _halve_spacing(
    grid: Float[Tensor, "b c h w"], draws: Float[Tensor, "b c h2 w2"], weight: Float[Tensor, "b 1 1 1"]
) -> Float[Tensor, "b c h2 w2"]:
    """Adds a node in the middle of every cell (the diamonds) and of every edge (the squares)."""
    corners = grid[..., :-1, :-1] + grid[..., :-1, 1:] + grid[..., 1:, :-1] + grid[..., 1:, 1:]
    centers = torch.lerp(corners / 4, draws[..., 1::2, 1::2], weight)
    across = torch.lerp(_edge_means(grid, centers), draws[..., ::2, 1::2], weight)
    down = torch.lerp(_edge_means(grid.mT, centers.mT).mT, draws[..., 1::2, ::2], weight)
    even, odd = _alternate(grid, across), _alternate(down, centers)
    return _alternate(even.mT, odd.mT).mT


def _edge_means(grid: Float[Tensor, "b c h w"], centers: Float[Tensor, "b c h1 w1"]) -> Float[Tensor, "b c h w1"]:
    """Averages, for each edge along a row, its two ends and the centres above and below that exist."""
    ends = grid[..., :-1] + grid[..., 1:]
    beside = F.pad(centers, (0, 0, 1, 0)) + F.pad(centers, (0, 0, 0, 1))
    row = torch.arange(grid.shape[-2], device=grid.device)[:, None]
    border = (row == 0) | (row == grid.shape[-2] - 1)
    return (ends + beside) / torch.where(border, 3.0, 4.0).to(grid.dtype)


def _alternate(even: Float[Tensor, "b c h n"], odd: Float[Tensor, "b c h m"]) -> Float[Tensor, "b c h nm"]:
    """Interleaves the columns of two grids; `odd` has one column fewer."""
    return torch.stack((even, F.pad(odd, (0, 1))), -1).flatten(-2)[..., :-1]
