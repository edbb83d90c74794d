"""The kinds of layer: what a layer says it does, and how the pipeline executes that.

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

from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.operator import Operator
from augment.data.packed import PackedImages
from augment.data.pixels import compute_dtype, dtype_of, on_colours, size_of, stacked, to_float
from augment.data.subset import Parts, on_chosen
from augment.data.types import Float, Images, Matrices, Params, Planes, Size
from augment.engine.warp_run import interpolation_of, warped
from augment.geometry import matrix as mat
from augment.geometry.motion import Box, Motion, Positions
from augment.kernels.reference.pixelwise import Tables, pointwise


class Warp(Layer):
    """Moves pixels: supplies a matrix and the output size. Neighbouring warps are sampled in one pass.

    Class attributes:
        lattice, separable, projective: see `Motion`.
    Attributes:
        padding: what shows where the warp looks outside of its input, see `Motion`; "none" if it never does.
        fill: the value there for padding "zeros".
        resample: "nearest", "bilinear" or "bicubic".
    """

    lattice: ClassVar[bool] = False
    separable: ClassVar[bool] = False
    projective: ClassVar[bool] = False

    padding: str = "none"
    fill: float = 0.0
    resample: str = "bilinear"

    @abstractmethod
    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        """(B, 3, 3), output pixel -> input position in pixels, from resolved parameters; `like` has B and the dtype."""

    def rest_matrix(self, size: Size, like: Tensor) -> Matrices:
        """The matrix of samples that the gate leaves out; must map onto the same output size."""
        return mat.identity(like)

    def shrink(self, size: Size) -> tuple[Any, Any]:
        """The largest minification (vertical, horizontal) to antialias for an input of a size, numbers if that is."""
        return 1.0, 1.0

    def window(self, size: Size, params: Params) -> Box | None:
        """The box (top, left, height, width) of the input that the warp cuts out first, if it does, in whole pixels."""
        return None

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        """What the run does for this layer, with the gate multiplied into the matrix."""
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
            fill=self.fill,
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
    """Moves every pixel its own way: supplies a map of positions. It stands in a run of warps like any of them.

    Attributes:
        padding, fill, resample: see `Warp`.
    """

    lattice: ClassVar[bool] = False

    padding: str = "zeros"
    fill: float = 0.0
    resample: str = "bilinear"

    @abstractmethod
    def displace(
        self, size: Size, params: Params, x: Positions, y: Positions
    ) -> tuple[Float[Tensor, "b h2 w2"], Float[Tensor, "b h2 w2"]]:
        """Output positions -> input positions (B, H, W) in pixels, from resolved parameters.

        Positions are finite; they need not be whole numbers, or inside the image. Where the map moves nothing it
        returns them.
        """

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        resolved = self.resolve(params, size)
        return Motion(
            matrix=mat.identity(like),
            in_size=size,
            out_size=size,
            padding=self.padding,
            fill=self.fill,
            displace=partial(self.displace, size, resolved),
            gate=self.acts_on(params),
        )

    def joins(self, run: Sequence[Layer]) -> bool:
        return _joins(self, run)

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        return warped(batch, params, run, kept)


class PixelOp(Layer):
    """Changes each pixel by itself: a function of its channels, its coordinates and per-sample parameters.

    A few need a statistic of the whole image first (contrast its mean); they compute it from the planes. A layer gives
    either `pixel`, or an `operator` and its `arguments`.

    Class attributes:
        alpha_stays: an alpha channel, the last of 2 or 4, is not among the planes; what changes light and colour has
            no business with it. False for what acts on any channel.
        by_level: each value changes by itself, with parameters that do not depend on the image's size: what becomes
            of bytes may then be computed once for each of 256 levels.
        tables: where what a level becomes depends on the image, a method that maps bytes (B, C, H, W), their levels
            (B, C, 256) as floats and resolved parameters to what each level becomes.
        operator: what carries it out, if `pixel` does not.
    """

    alpha_stays: ClassVar[bool] = True
    by_level: ClassVar[bool] = False
    tables: ClassVar[Callable[..., Tensor] | None] = None
    operator: ClassVar[Operator | None] = None

    def pixel(self, planes: Planes, params: Params) -> Planes:
        """Maps C planes (B, H, W), float, to as many, with resolved parameters."""
        raise NotImplementedError

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Any, ...]:
        """What the operator gets after the image and the chosen samples, from resolved parameters.

        Args:
            params: resolved parameters.
            dtype: the type that values are computed in.
        """
        raise NotImplementedError

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        image, (drawn,) = dense_image(self, batch), params
        if self.operator is not None:
            return batch.replace(image=_operated(self, self.operator, image, drawn, ()))
        tables = self._tables_of(drawn) if self.by_level else None
        changed = pointwise(image, self.acts_on(drawn), drawn, self._changed, tables, self.alpha_stays)
        return batch.replace(image=changed)

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
    """Changes the image as a whole, as filters and histogram operators do; a stage of its own.

    A layer gives either `image`, or an `operator` and its `arguments`.

    Class attributes:
        alpha_stays: as for a PixelOp; a blur, which moves light from pixel to pixel, acts on all channels.
        operator: what carries it out, if `image` does not.
        hands_on: the operator's last argument is the type of floats that it may hand on.
    """

    alpha_stays: ClassVar[bool] = False
    operator: ClassVar[Operator | None] = None
    hands_on: ClassVar[bool] = False

    def image(self, image: Images, params: Params) -> Images:
        """Maps (B, C, H, W), float, to the same shape, with resolved parameters."""
        raise NotImplementedError

    def arguments(self, params: Params, dtype: torch.dtype) -> tuple[Any, ...]:
        """As a PixelOp's."""
        raise NotImplementedError

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        image, (drawn,) = dense_image(self, batch), params
        if self.operator is not None:
            return batch.replace(image=_operated(self, self.operator, image, drawn, (kept,) if self.hands_on else ()))

        def changed(image: Images) -> Images:
            return on_chosen(self.acts_on(drawn), self._changed, (image,), params)[0]

        before = to_float(stacked(image))
        return batch.replace(image=on_colours(before, changed) if self.alpha_stays else changed(before))

    def _changed(self, image: Parts, params: list[Params]) -> Parts:
        return (self.image(image[0], self.resolve(params[0], size_of(image[0]))),)


def _operated(
    layer: PixelOp | ImageOp, operator: Operator, image: Images | Planes, drawn: Params, more: tuple[Any, ...]
) -> Images | Planes:
    """The image after a layer's operator, which gets it as it is and chooses among its kernels."""
    chosen, dtype = layer.acts_on(drawn), compute_dtype(dtype_of(image))
    arguments = (*layer.arguments(layer.resolve(drawn, size_of(image)), dtype), *more)
    if not layer.alpha_stays:
        return operator(image, chosen, *arguments)
    return on_colours(stacked(image), lambda coloured: operator(coloured, chosen, *arguments))


def _joins(layer: Warp | DenseWarp, run: Sequence[Layer]) -> bool:
    """Neighbouring warps are one pass if they interpolate alike; a lattice does not care."""
    if not all(isinstance(other, (Warp, DenseWarp)) for other in run):
        return False
    return layer.lattice or all(other.lattice for other in run) or interpolation_of(run) == layer.resample


def _gated_box(gate: Tensor, box: Box, size: Size) -> Box:
    """The box for the samples that the gate lets through, everything for the others."""
    whole = (0, 0, *size)
    top, left, height, width = (torch.where(gate, chosen, rest) for chosen, rest in zip(box, whole, strict=True))
    return top, left, height, width


def dense_image(layer: Layer, batch: Batch) -> Images | Planes:
    """The images of a batch, which have one size.

    Raises:
        ValueError: they differ in size; only warps can start with such.
    """
    if not isinstance(batch.image, PackedImages):
        return batch.image
    raise ValueError(
        f"{type(layer).__name__} cannot come first: the images of this batch differ in size. Put a layer before it "
        "that fixes the size, such as RandomResizedCrop or Resize with (height, width)."
    )
