"""Uneven illumination, equal in all colour channels."""

import torch
from torch import Tensor

from augment.core.kinds import PixelOp
from augment.data.color import clamped
from augment.data.pixels import amount
from augment.data.types import Float, Params, Plane, Planes, Size
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity


class RandomLinearIllumination(PixelOp):
    """Adds a linear ramp that rises from 0 to the gain at a random edge of the image; clips to [0, 1].

    Args:
        gain: value added at that edge, in the image's [0, 1] scale, within [0, 1]; 0 changes nothing.
        sign: within [-1, 1], without a gradient; a value of at least 0 adds light, a negative value removes it.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomLinearIllumination()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"gain": 0.0}
    differentiable = frozenset({"gain"})

    def __init__(
        self,
        gain: Quantity = (0.01, 0.2),
        sign: Quantity = (-1.0, 1.0),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("gain", gain, legal=(0.0, 1.0))
        self.quantity("sign", sign, legal=(-1.0, 1.0))
        self.quantity("edge", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Applies the sign to `gain` and draws `edge`: 0 bottom, 1 top, 2 right, 3 left."""
        return _signed(params) | {"edge": torch.floor(4 * params["edge"])}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        gain, edge = amount(params, "gain", planes), params["edge"][:, None, None]
        y, x = _ramps(planes[0], backward_y=edge == 1, backward_x=edge == 3)
        return _lit(planes, gain * torch.where(edge < 2, y, x))


class RandomLinearCornerIllumination(PixelOp):
    """Adds a linear ramp that rises from 0 to the gain at a random corner of the image; clips to [0, 1].

    Args:
        gain: value added at that corner, in the image's [0, 1] scale, within [0, 1]; 0 changes nothing.
        sign: within [-1, 1], without a gradient; a value of at least 0 adds light, a negative value removes it.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomLinearCornerIllumination()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"gain": 0.0}
    differentiable = frozenset({"gain"})

    def __init__(
        self,
        gain: Quantity = (0.01, 0.2),
        sign: Quantity = (-1.0, 1.0),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("gain", gain, legal=(0.0, 1.0))
        self.quantity("sign", sign, legal=(-1.0, 1.0))
        self.quantity("corner", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Applies the sign to `gain` and draws `corner`: 0 bottom right, 1 bottom left, 2 top right, 3 top left."""
        return _signed(params) | {"corner": torch.floor(4 * params["corner"])}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        gain, corner = amount(params, "gain", planes), params["corner"][:, None, None]
        y, x = _ramps(planes[0], backward_y=corner >= 2, backward_x=(corner == 1) | (corner == 3))
        return _lit(planes, (gain / 2) * y + (gain / 2) * x)


class RandomGaussianIllumination(PixelOp):
    """Adds a Gaussian spot, scaled to range from 0 to the gain within the image; clips to [0, 1].

    Kornia's spot is weaker than its gain suggests, increasingly so for larger images: by 6 % at 224 pixels and by
    55 % at 1024 (sigma 0.5). The cause is a constant in the divisor of Kornia's normalisation, which is not small
    compared with a sum over pixels.

    Args:
        gain: largest value added, in the image's [0, 1] scale, within [0, 1]; 0 changes nothing.
        center: position of the spot as a fraction of the height and of the width, drawn separately; within [0, 1].
        sigma: standard deviation of the spot as a fraction of the height and of the width, drawn separately; within
            [0, 1], and raised to at least 1e-3.
        sign: within [-1, 1], without a gradient; a value of at least 0 adds light, a negative value removes it.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomGaussianIllumination()(images).shape
        torch.Size([2, 3, 16, 16])
    """

    identity = {"gain": 0.0}
    differentiable = frozenset({"gain", "center", "sigma"})

    def __init__(
        self,
        gain: Quantity = (0.01, 0.15),
        center: Quantity = (0.1, 0.9),
        sigma: Quantity = (0.2, 1.0),
        sign: Quantity = (-1.0, 1.0),
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.quantity("gain", gain, legal=(0.0, 1.0))
        self.quantity("center", center, legal=(0.0, 1.0), count=2)
        self.quantity("sigma", sigma, legal=(0.0, 1.0), count=2)
        self.quantity("sign", sign, legal=(-1.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Multiplies the sign into `gain` and bounds `sigma`; `center` and `sigma` are (vertical, horizontal)."""
        return _signed(params) | {"sigma": params["sigma"].clamp(min=1e-3)}

    def pixel(self, planes: Planes, params: Params) -> Planes:
        dtype = planes[0].dtype
        gain = amount(params, "gain", planes)
        center, sigma = params["center"].to(dtype).unbind(1), params["sigma"].to(dtype).unbind(1)
        vertical, horizontal = (_profile(n, c, s) for n, c, s in zip(planes[0].shape[1:], center, sigma, strict=True))
        spot = vertical[:, :, None] * horizontal[:, None, :]
        # both profiles and the spot reach 1; the spot's minimum is the product of theirs, 1 only for a single pixel
        least = (vertical.amin(1) * horizontal.amin(1))[:, None, None]
        return _lit(planes, gain * (spot - least) / torch.where(least < 1, 1 - least, 1.0))


def _signed(params: Params) -> Params:
    """Multiplies `sign` into `gain`."""
    signed = torch.where(params["sign"] >= 0, params["gain"], -params["gain"])
    return {name: value for name, value in params.items() if name != "sign"} | {"gain": signed}


def _lit(planes: Planes, light: Plane) -> Planes:
    return clamped(tuple(plane + light for plane in planes))


def _ramps(
    like: Plane, backward_y: Tensor, backward_x: Tensor
) -> tuple[Float[Tensor, "b h 1"], Float[Tensor, "b 1 w"]]:
    """Returns vertical and horizontal ramps from 0 to 1, or from 1 to 0 if backward."""
    height, width = like.shape[1:]
    y = torch.linspace(0, 1, height, dtype=like.dtype, device=like.device)[:, None]
    x = torch.linspace(0, 1, width, dtype=like.dtype, device=like.device)
    return torch.where(backward_y, 1 - y, y), torch.where(backward_x, 1 - x, x)


def _profile(n: int, center: Float[Tensor, " b"], sigma: Float[Tensor, " b"]) -> Float[Tensor, "b n"]:
    """Samples a Gaussian at the centres of n pixels that cover [0, 1], scaled to a maximum of 1."""
    x = (torch.arange(n, dtype=center.dtype, device=center.device) + 0.5) / n
    square = ((x - center[:, None]) / sigma[:, None]).square()
    return torch.exp((square.amin(1, keepdim=True) - square) / 2)
