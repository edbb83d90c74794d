"""The kinds of layer: what a layer says it does, and how the pipeline executes that.

To write a layer, pick its kind (Warp, PixelOp, ImageOp, or Mix in `augment.core.mix`), declare each random quantity
with `self.quantity(...)` in the constructor and implement the one abstract method. Set `example` to constructor
arguments that make a typical layer; exporting it from `augment` is then all that the conformance suite needs to hold it
to every promise.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from augment.core.layer import Layer, steps_of
from augment.data.batch import Batch, PackedImages
from augment.data.pixels import colours, dtype_of, each, on_colours, planes, stacked, to_float
from augment.data.subset import Parts, on_chosen, takes_rows
from augment.data.types import Bool, Float, Images, Matrices, Params, Planes, Size
from augment.engine.warp_run import warp
from augment.geometry import matrix as mat
from augment.geometry.motion import Box, Positions, Step


class Warp(Layer):
    """Moves pixels: supplies a matrix and the output size. Neighbouring warps are sampled in one pass.

    Class attributes:
        lattice, separable, projective: see `Step`.
    Attributes:
        padding: what shows where the warp looks outside of its input, see `Step`; "none" if it never does.
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

    def shrink(self, size: Size) -> tuple[float | Tensor, float | Tensor]:
        """The largest minification (vertical, horizontal) to antialias for an input of a size."""
        return 1.0, 1.0

    def window(self, size: Size, params: Params) -> Box | None:
        """The box (top, left, height, width) of the input that the warp cuts out first, if it does, in whole pixels."""
        return None

    def step(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Step:
        """What the run does for this layer, with the gate multiplied into the matrix."""
        gate = self.acts_on(params)
        resolved = self.resolve(params, size)
        matrix, window = self.matrix(size, resolved, like), self.window(size, resolved)
        if gate is not None:
            window = None if window is None else _gated_box(gate, window, size)
            matrix = torch.where(gate[:, None, None], matrix, self.rest_matrix(size, matrix))
        return Step(
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

    def joins(self, run: list[Layer]) -> bool:
        return _joins(self, run)

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        return _apply_warps(batch, params, run)


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

    def step(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Step:
        resolved = self.resolve(params, size)
        return Step(
            matrix=mat.identity(like),
            in_size=size,
            out_size=size,
            padding=self.padding,
            fill=self.fill,
            displace=partial(self.displace, size, resolved),
            gate=self.acts_on(params),
        )

    def joins(self, run: list[Layer]) -> bool:
        return _joins(self, run)

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        return _apply_warps(batch, params, run)


class PixelOp(Layer):
    """Changes each pixel by itself: a function of its channels, its coordinates and per-sample parameters.

    A few need a statistic of the whole image first (contrast its mean); they compute it from the planes.

    Class attribute:
        alpha_stays: an alpha channel, the last of 2 or 4, is not among the planes; what changes light and colour has
            no business with it. False for what acts on any channel.
    """

    alpha_stays: ClassVar[bool] = True

    @abstractmethod
    def pixel(self, planes: Planes, params: Params) -> Planes:
        """Maps C planes (B, H, W), float, to as many, with resolved parameters."""

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        check_dense(self, batch)
        before = tuple(to_float(plane) for plane in planes(batch.image))
        count = colours(len(before)) if self.alpha_stays else len(before)
        changed = on_chosen(self.acts_on(params[0]), self._changed, before[:count], params)
        return batch.replace(image=(*changed, *before[count:]))

    def _changed(self, image: Parts, params: list[Params]) -> Parts:
        return self.pixel(image, self.resolve(params[0], image[0].shape[-2:]))


class ImageOp(Layer):
    """Changes the image as a whole, as filters and histogram operators do; a stage of its own.

    Class attribute:
        alpha_stays: as for a PixelOp; a blur, which moves light from pixel to pixel, acts on all channels.
    """

    alpha_stays: ClassVar[bool] = False

    @abstractmethod
    def image(self, image: Images, params: Params) -> Images:
        """Maps (B, C, H, W), float, to the same shape, with resolved parameters."""

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        check_dense(self, batch)

        def changed(image: Images) -> Images:
            return on_chosen(self.acts_on(params[0]), self._changed, (image,), params)[0]

        before = to_float(stacked(batch.image))
        return batch.replace(image=on_colours(before, changed) if self.alpha_stays else changed(before))

    def _changed(self, image: Parts, params: list[Params]) -> Parts:
        return (self.image(image[0], self.resolve(params[0], image[0].shape[-2:])),)


def _joins(layer: Warp | DenseWarp, run: list[Layer]) -> bool:
    """Neighbouring warps are one pass if they interpolate alike; a lattice does not care."""
    if not all(isinstance(other, (Warp, DenseWarp)) for other in run):
        return False
    return layer.lattice or all(other.lattice for other in run) or _interpolation(run) == layer.resample


def _apply_warps(batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
    """Carries out a run of warps. What bicubic makes of bytes is cut to [0, 1]."""
    interpolation = _interpolation(run)
    _check_fixes_size(batch, run)
    out = _warped(batch, params, run, interpolation)
    bytes_came = isinstance(batch.image, PackedImages) or dtype_of(batch.image) == torch.uint8
    if not bytes_came or interpolation != "bicubic":
        return out
    dense = isinstance(out.image, Tensor)
    return out.replace(image=out.image.clamp(0, 1) if dense else each(out.image, lambda plane: plane.clamp(0, 1)))


def _warped(batch: Batch, params: list[Params], run: list[Layer], interpolation: str) -> Batch:
    """The batch after a run of warps; on a CPU only the samples that any of them moves are computed."""

    def moved(image: Parts, params: list[Params]) -> Parts:
        some = Batch(image[0])
        return (stacked(warp(some, steps_of(run, params, some, some.size), interpolation).image),)

    chosen = _moved_alone(batch, params, run)
    if chosen is None:
        return warp(batch, steps_of(run, params, batch, batch.size), interpolation)
    before = stacked(batch.image) if interpolation == "nearest" else to_float(stacked(batch.image))
    (image,) = on_chosen(chosen, moved, (before,), params)
    return batch.replace(image=image)


def _check_fixes_size(batch: Batch, run: list[Layer]) -> None:
    """Refuses packed images whose sizes differ after a run of warps, for what comes out is one tensor."""
    size = batch.size
    for layer in run:
        size = layer.out_size(size)
    if not any(isinstance(extent, Tensor) for extent in size):
        return
    alike = "" if all(layer.lattice for layer in run) else f" and resample with {_interpolation(run)!r} as they do"
    raise ValueError(
        f"{', '.join(type(layer).__name__ for layer in run)}: the images of this batch still differ in size after the "
        f"last warp of one interpolation. The layer that follows must fix the size{alike}: CenterCrop, "
        "RandomResizedCrop or Resize with (height, width)."
    )


def _moved_alone(batch: Batch, params: list[Params], run: list[Layer]) -> Bool[Tensor, " b"] | None:
    """Which samples a run moves, if it leaves others as they are and nothing but images is there; None otherwise."""
    gates = [layer.acts_on(drawn) for layer, drawn in zip(run, params, strict=True)]
    if any(gate is None or not takes_rows(gate) for gate in gates):
        return None
    if isinstance(batch.image, PackedImages) or not only_images(batch):
        return None
    if any(layer.out_size(batch.size) != batch.size for layer in run):
        return None
    return torch.stack(gates).any(0)


def _gated_box(gate: Tensor, box: Box, size: Size) -> Box:
    """The box for the samples that the gate lets through, everything for the others."""
    whole = (0, 0, *size)
    return tuple(torch.where(gate, chosen, rest) for chosen, rest in zip(box, whole, strict=True))


def only_images(batch: Batch) -> bool:
    """Whether nothing in a batch moves with its images."""
    return batch.parts().keys() <= {"image", "label", "index"}


def _interpolation(layers: list[Layer]) -> str:
    """What a run resamples with; layers that need no interpolation have no say."""
    return next((layer.resample for layer in layers if not layer.lattice), "nearest")


def check_dense(layer: Layer, batch: Batch) -> None:
    """Refuses images of different sizes, which only warps can start with."""
    if isinstance(batch.image, PackedImages):
        raise ValueError(
            f"{type(layer).__name__} cannot come first: the images of this batch differ in size. Put a layer before it "
            "that fixes the size, such as RandomResizedCrop or Resize with (height, width)."
        )
