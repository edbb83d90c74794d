"""The kinds of layer: what a layer declares, and how it is executed.

To write a layer, pick its kind (Warp, PixelOp, ImageOp, or Mix in `augment.core.mix`), declare each random quantity
with `self.quantity(...)` in the constructor and implement the one abstract method. Set `example` to constructor
arguments that make a typical layer; exporting it from `augment` is then all that the conformance suite needs to hold it
to every promise.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from augment.core.acting import on_acted, operated
from augment.core.fills import fill_of
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.operator import Operator
from augment.data.pixels import on_colours, size_of, stacked, to_float
from augment.data.subset import Parts, on_chosen
from augment.data.types import Float, Images, Matrices, Params, Planes, Size
from augment.engine.warp_run import interpolation_of, warped
from augment.geometry import matrix as mat
from augment.geometry.fill import Fill
from augment.geometry.motion import Box, Motion, Positions
from augment.kernels.reference.pixelwise import Tables, pointwise


class Warp(Layer):
    """Moves pixels: supplies a matrix and the output size. Neighbouring warps are sampled in one pass.

    Class attributes:
        lattice, separable, projective: see `Motion`.
    Attributes:
        padding: how pixels outside of the input are filled, see `Motion`; "none" if the warp never looks there.
        fill: the colour there for padding "zeros": a number, one per channel, or "mean", see `core.fills`.
        resample: "nearest", "bilinear" or "bicubic".

    Example:
        >>> issubclass(A.RandomAffine, A.Warp)
        True
    """

    lattice: ClassVar[bool] = False
    separable: ClassVar[bool] = False
    projective: ClassVar[bool] = False

    padding: str = "none"
    fill: Fill | str = 0.0
    resample: str = "bilinear"

    @abstractmethod
    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        """(B, 3, 3), output pixel -> input position in pixels, from resolved parameters; `like` has B and the dtype."""

    def rest_matrix(self, size: Size, like: Tensor) -> Matrices:
        """Returns the matrix of samples with a closed gate; the output size is the same."""
        return mat.identity(like)

    def shrink(self, size: Size) -> tuple[Any, Any]:
        """Returns the largest minification (vertical, horizontal) to antialias; numbers if the size is in numbers."""
        return 1.0, 1.0

    def window(self, size: Size, params: Params) -> Box | None:
        """Returns the box (top, left, height, width) in whole pixels that the warp cuts out first; None for no box."""
        return None

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        """Returns the motion, with the rest matrix where the gate is closed."""
        gate = self.acts_on(params)
        resolved = self.resolve(params, size)
        matrix, window = self.matrix(size, resolved, like), self.window(size, resolved)
        if gate is not None:
            window = None if window is None else _gated_box(gate, window, size)
            matrix = torch.where(gate[:, None, None], matrix, self.rest_matrix(size, matrix))
        return Motion(
            matrix=matrix,
            in_size=size,
            out_size=self.out_size(size),
            padding=self.padding,
            fill=fill_of(self),
            lattice=self.lattice,
            separable=self.separable,
            projective=self.projective,
            shrink=self.shrink(size),
            bound=self.shrink(max_size),
            window=window,
            gate=gate,
        )

    def joins(self, run: Sequence[Layer]) -> bool:
        return _joins(self, run)

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        return warped(batch, params, run, kept)


class DenseWarp(Layer):
    """Moves pixels by a map of positions instead of a matrix. Joins a run of warps like a `Warp`.

    Attributes:
        padding, fill, resample: see `Warp`.

    Example:
        >>> issubclass(A.RandomElasticTransform, A.DenseWarp)
        True
    """

    lattice: ClassVar[bool] = False

    padding: str = "zeros"
    fill: Fill | str = 0.0
    resample: str = "bilinear"

    @abstractmethod
    def displace(
        self, size: Size, params: Params, x: Positions, y: Positions
    ) -> tuple[Float[Tensor, "b h2 w2"], Float[Tensor, "b h2 w2"]]:
        """Output positions -> input positions (B, H, W) in pixels, from resolved parameters.

        Positions are finite; they need not be whole numbers or inside the image. The map returns a position that it
        does not move unchanged.
        """

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        resolved = self.resolve(params, size)
        return Motion(
            matrix=mat.identity(like),
            in_size=size,
            out_size=size,
            padding=self.padding,
            fill=fill_of(self),
            displace=partial(self.displace, size, resolved),
            gate=self.acts_on(params),
        )

    def joins(self, run: Sequence[Layer]) -> bool:
        return _joins(self, run)

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        return warped(batch, params, run, kept)


class PixelOp(Layer):
    """Changes each pixel by itself, as a function of its channels, its coordinates and per-sample parameters.

    Some layers need a statistic of the whole image first, such as the mean; they compute it from the planes. A layer
    implements either `pixel`, or `arguments` and declares its `operator`.

    Class attributes:
        alpha_stays: channels that are no colours, such as alpha, the last of 2 or 4, are not among the planes and do
            not change. False for layers that act on any channel.
        by_level: each value changes by itself, with parameters that do not depend on the image's size. The result for
            bytes may then be computed once for each of 256 levels.
        tables: for layers whose result for a level depends on the image: a method that maps bytes (B, C, H, W), their
            levels (B, C, 256) as floats and resolved parameters to the results (B, C, 256).
        operator: the operator that is called instead of `pixel`.
    Attributes:
        step: if `pixel` is a step of `kernels.reference.coloring`, its name and that of the parameter it takes.

    Example:
        >>> issubclass(A.RandomGamma, A.PixelOp)
        True
    """

    alpha_stays: ClassVar[bool] = True
    by_level: ClassVar[bool] = False
    tables: ClassVar[Callable[..., Tensor] | None] = None
    operator: ClassVar[Operator | None] = None
    step: tuple[str, str] | None = None

    def pixel(self, planes: Planes, params: Params) -> Planes:
        """Maps C planes (B, H, W), float, to as many, with resolved parameters."""
        raise NotImplementedError

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Any, ...]:
        """Returns the arguments of the operator after the image and the chosen samples.

        Args:
            params: resolved parameters.
            dtype: the type that values are computed in.
        """
        raise NotImplementedError

    def annotated(self, batch: Batch, params: Params) -> Batch:
        """Returns the batch with changed annotations, from raw draws; most layers leave all as they are."""
        return batch

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        batch = self.annotated(batch, params[0])
        return on_acted(self, batch, self.alpha_stays, lambda image: self._applied(image, params[0]))

    def _applied(self, image: Images | Planes, drawn: Params) -> Images | Planes:
        if self.operator is not None:
            return operated(self, self.operator, image, drawn, ())
        tables = self._tables_of(drawn) if self.by_level else None
        return pointwise(image, self.acts_on(drawn), drawn, self._changed, tables, self.alpha_stays)

    def _changed(self, image: Parts, params: list[Params]) -> Parts:
        return self.pixel(image, self.resolve(params[0], size_of(image)))

    def _tables_of(self, drawn: Params) -> Tables:
        def tables(image: Images, level: Float[Tensor, "b c 256"]) -> Float[Tensor, "b c2 256"]:
            params = self.resolve(drawn, size_of(image))
            if self.tables is not None:
                return self.tables(image, level, params)
            return self.pixel((level[:, :1],), params)[0]

        return tables


class ImageOp(Layer):
    """Changes the image as a whole, as filters and histogram operators do. It is always a stage by itself.

    A layer implements either `image`, or `arguments` and declares its `operator`.

    Class attributes:
        alpha_stays: as for a PixelOp; a blur, which moves light from pixel to pixel, acts on all channels.
        operator: the operator that is called instead of `image`.
        hands_on: the operator's last argument is the type in which it may return floats.

    Example:
        >>> issubclass(A.RandomGaussianBlur, A.ImageOp)
        True
    """

    alpha_stays: ClassVar[bool] = False
    operator: ClassVar[Operator | None] = None
    hands_on: ClassVar[bool] = False

    def image(self, image: Images, params: Params) -> Images:
        """Maps (B, C, H, W), float, to the same shape, with resolved parameters."""
        raise NotImplementedError

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Any, ...]:
        """Returns the arguments of the operator, as in PixelOp."""
        raise NotImplementedError

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        return on_acted(self, batch, self.alpha_stays, lambda image: self._applied(image, params[0], kept))

    def _applied(self, image: Images | Planes, drawn: Params, kept: torch.dtype) -> Images | Planes:
        if self.operator is not None:
            return operated(self, self.operator, image, drawn, (kept,) if self.hands_on else ())

        def changed(image: Images) -> Images:
            return on_chosen(self.acts_on(drawn), self._changed, (image,), [drawn])[0]

        before = to_float(stacked(image))
        return on_colours(before, changed) if self.alpha_stays else changed(before)

    def _changed(self, image: Parts, params: list[Params]) -> Parts:
        return (self.image(image[0], self.resolve(params[0], size_of(image[0]))),)


def _joins(layer: Warp | DenseWarp, run: Sequence[Layer]) -> bool:
    """Whether neighbouring warps are one pass: they interpolate alike, or are lattices, which do not interpolate."""
    if not all(isinstance(other, (Warp, DenseWarp)) for other in run):
        return False
    return layer.lattice or all(other.lattice for other in run) or interpolation_of(run) == layer.resample


def _gated_box(gate: Tensor, box: Box, size: Size) -> Box:
    """Returns the box for samples with an open gate, and the whole image for the others."""
    whole = (0, 0, *size)
    top, left, height, width = (torch.where(gate, chosen, rest) for chosen, rest in zip(box, whole, strict=True))
    return top, left, height, width
