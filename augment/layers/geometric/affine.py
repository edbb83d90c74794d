"""Rotations and affine maps about the image centre."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.types import Matrices, Params, PerSample, Size
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.geometry import matrix as mat

Pair = Sequence[Quantity] | Tensor


class RandomRotation(Warp):
    """Rotates the image about its centre.

    Args:
        degrees: angle within [-360, 360], positive is counter-clockwise; a number d means Uniform(-d, d).
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomRotation((90.0, 90.0), p=1.0)(images).allclose(images.rot90(1, (2, 3)), atol=1e-5)
        True
    """

    example = {"degrees": 30.0}
    identity = {"degrees": 0.0}
    differentiable = frozenset({"degrees"})

    def __init__(
        self,
        degrees: Quantity,
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = (checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode))
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("degrees", degrees, legal=(-360.0, 360.0), around=0.0)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.about(centre(size), rotation(params["degrees"], like), like)


class RandomAffine(Warp):
    """Rotates, translates, scales and shears the image about its centre, in the order of Kornia and torchvision.

    Args:
        degrees: angle within [-360, 360], positive is clockwise; a number d means Uniform(-d, d).
        translate: (x, y), the largest shifts as fractions of width and height, in [0, 1]; each may also be a
            distribution of the signed fraction. None does not translate.
        scale: factor by which the content grows: (low, high) for both axes, (low, high, low, high) for x and y
            separately, or a distribution. None means 1.
        shear: angles in degrees within (-90, 90): a number s for x within (-s, s), (low, high) for x,
            (low, high, low, high) for x and y, or a pair of distributions. None does not shear.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomAffine(15.0, translate=(0.1, 0.1), scale=(0.8, 1.2))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"degrees": 20.0, "translate": (0.1, 0.2), "scale": (0.8, 1.2), "shear": (-10.0, 10.0, -5.0, 5.0)}
    identity = {"degrees": 0.0, "translate": (0.0, 0.0), "scale": (1.0, 1.0), "shear": 0.0}
    differentiable = frozenset({"degrees", "translate_x", "translate_y", "scale", "scale_y", "shear_x", "shear_y"})

    def __init__(
        self,
        degrees: Quantity,
        translate: Pair | None = None,
        scale: Quantity | Sequence[Quantity] | None = None,
        shear: Quantity | Sequence[Quantity] | None = None,
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        fill_value: GivenFill = 0.0,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = (checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode))
        self.fill = checked_fill(self, "fill_value", fill_value)
        self.quantity("degrees", degrees, legal=(-360.0, 360.0), around=0.0)
        move_x, move_y = (0.0, 0.0) if translate is None else checks.pair_of(self, "translate", translate)
        self.quantity("translate_x", move_x, legal=(-1.0, 1.0), around=0.0)
        self.quantity("translate_y", move_y, legal=(-1.0, 1.0), around=0.0)
        scale_x, scale_y = _two(1.0 if scale is None else scale)
        self.quantity("scale", scale_x, legal=(1e-3, 1e3))
        if scale_y is not None:
            self.quantity("scale_y", scale_y, legal=(1e-3, 1e3))
        _shear_quantities(self, 0.0 if shear is None else shear)

    def resolve(self, params: Params, size: Size) -> Params:
        """Converts the shifts to pixels."""
        return params | {"translate_x": params["translate_x"] * size[1], "translate_y": params["translate_y"] * size[0]}

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        scale_x, shift_x, shift_y = (params[name].to(like.dtype) for name in ("scale", "translate_x", "translate_y"))
        scale_y = params["scale_y"].to(like.dtype) if "scale_y" in params else scale_x
        (a, b), (c, d) = unshear(params, like)
        unscaled = (a / scale_x, b / scale_y), (c / scale_x, d / scale_y)
        linear = mat.times(unscaled, rotation(-params["degrees"], like))
        return mat.about(centre(size), linear, like, (shift_x, shift_y))


class RandomTranslate(Warp):
    """Translates the image.

    Args:
        translate_x, translate_y: shift to the right and downwards, as a fraction of width and height within
            [-1, 1]; a number t means Uniform(-t, t). None does not translate.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomTranslate((-0.1, 0.1), (-0.1, 0.1))(images).shape
        torch.Size([2, 3, 16, 16])
    """

    separable = True
    example = {"translate_x": (-0.2, 0.3), "translate_y": 0.2}
    identity = {"translate_x": 0.0, "translate_y": None}
    differentiable = frozenset({"translate_x", "translate_y"})

    def __init__(
        self,
        translate_x: Quantity | None = None,
        translate_y: Quantity | None = None,
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        for name, value in (("translate_x", translate_x), ("translate_y", translate_y)):
            self.quantity(name, 0.0 if value is None else value, legal=(-1.0, 1.0), around=0.0)

    def resolve(self, params: Params, size: Size) -> Params:
        """Converts the shifts to pixels."""
        return params | {"translate_x": params["translate_x"] * size[1], "translate_y": params["translate_y"] * size[0]}

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.translation(-params["translate_x"], -params["translate_y"], like)


class RandomShear(Warp):
    """Shears the image about its centre.

    Args:
        shear: angles in degrees within (-90, 90): a number s for x within (-s, s), (low, high) for x,
            (low, high, low, high) for x and y, or a pair of distributions.
        resample: "nearest", "bilinear" or "bicubic".
        padding_mode: how pixels outside the image are filled: "zeros", "border", "reflection" or "reflect".
        p: probability of applying the layer to a sample.
        same_on_batch: use one draw for all samples of a batch.
        fill_value: colour outside the image with padding_mode "zeros", in [0, 1]: a number, one per channel or "mean",
            the mean of the pipeline's Normalize.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.RandomShear(15.0)(images).shape
        torch.Size([2, 3, 16, 16])
    """

    example = {"shear": (-20.0, 20.0, -10.0, 10.0)}
    identity = {"shear": 0.0}
    differentiable = frozenset({"shear_x", "shear_y"})

    def __init__(
        self,
        shear: Quantity | Sequence[Quantity],
        resample: str = "bilinear",
        padding_mode: str = "zeros",
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
        fill_value: GivenFill = 0.0,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.resample, self.padding = checks.resample_mode(self, resample), checks.padding_mode(self, padding_mode)
        self.fill = checked_fill(self, "fill_value", fill_value)
        _shear_quantities(self, shear)

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.about(centre(size), unshear(params, like), like)


def unshear(params: Params, like: Tensor) -> mat.Linear:
    """Returns the output -> input map of a shear about the origin by `shear_x`, then `shear_y`, in degrees."""
    tan_x, tan_y = (torch.tan(torch.deg2rad(params[name].to(like.dtype))) for name in ("shear_x", "shear_y"))
    return (1 + tan_x * tan_y, tan_x), (tan_y, 1.0)


def rotation(degrees: PerSample, like: Tensor) -> mat.Linear:
    """Returns the output -> input map of a counter-clockwise rotation about the origin (y points down)."""
    angle = torch.deg2rad(degrees.to(like.dtype))
    cos, sin = torch.cos(angle), torch.sin(angle)
    return (cos, -sin), (sin, cos)


def centre(size: Size) -> tuple[float | PerSample, float | PerSample]:
    """Returns the (x, y) centre of an image."""
    return (size[1] - 1) / 2, (size[0] - 1) / 2


def _shear_quantities(layer: Warp, shear: Quantity | Sequence[Quantity]) -> None:
    shear_x, shear_y = _two(shear)
    layer.quantity("shear_x", shear_x, legal=(-89.0, 89.0), around=0.0)
    layer.quantity("shear_y", 0.0 if shear_y is None else shear_y, legal=(-89.0, 89.0), around=0.0)


def _two(value: Quantity | Sequence[Quantity]) -> tuple[Quantity, Quantity | None]:
    """Splits (low, high, low, high), ((low, high), (low, high)) or a pair that holds a distribution into x and y.

    Any other value applies to x alone.
    """
    given: Any = value  # `quantity` checks the items
    if isinstance(given, (tuple, list)) and len(given) == 4:
        return tuple(given[:2]), tuple(given[2:])
    if isinstance(given, (tuple, list)) and len(given) == 2 and any(not isinstance(v, (int, float)) for v in given):
        return given[0], given[1]
    return given, None
