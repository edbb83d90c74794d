"""Crops, at the original scale or resized."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.fills import GivenFill, checked_fill
from augment.core.kinds import Warp
from augment.data.types import Matrices, Params, PerSample, Size
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.shorthand import Quantity, log_uniform
from augment.geometry import matrix as mat
from augment.geometry.motion import Box, Motion, copying
from augment.geometry.rectangle import SIDES
from augment.layers.geometric.resize import copy_mode

PADDING_MODES = {
    "constant": "zeros",
    "replicate": "border",
    "edge": "border",
    "reflect": "reflect",
    "symmetric": "reflection",
}


class CenterCrop(Warp):
    """Crops the image at the centre.

    Args:
        size: (height, width) or one number for both, in pixels; no larger than the image.

    Example:
        >>> images = torch.rand(2, 3, 16, 16)
        >>> A.CenterCrop(8)(images).equal(images[:, :, 4:12, 4:12])
        True
    """

    deterministic = lattice = separable = True
    example = {"size": (9, 10)}

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = checks.image_size(self, size)

    def out_size(self, size: Size) -> Size:
        return self.size

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        if any(isinstance(n, int) and n < c for n, c in zip(size, self.size, strict=True)):
            raise ValueError(f"CenterCrop: size={self.size} does not fit into images of {tuple(size)} pixels.")
        return centred(self.size, size, like)

    def window(self, size: Size, params: Params) -> Box:
        return *_central(self.size, size), *self.size


class RandomCrop(Warp):
    """Crops the image at a random whole-pixel position.

    Args:
        size: (height, width) or one number for both, in pixels.
        padding: pixels to add around the image before cropping: one number for all sides, (left and right, top and
            bottom) or (left, top, right, bottom). None adds no padding.
        pad_if_needed: pad an image that is smaller than `size` on both sides until it fits.
        fill: colour of the padding with padding_mode "constant", in [0, 1]: a number, one per channel or "mean", the
            mean of the pipeline's Normalize.
        padding_mode: "constant", "replicate" (or "edge"), "reflect" or "symmetric".
        p: probability of a random position; other samples are cropped at the centre.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomCrop(32, padding=4)(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    lattice = separable = True
    example = {"size": (9, 10), "padding": 2}

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: GivenFill = 0.0,
        padding_mode: str = "constant",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.size = checks.image_size(self, size)
        self.margins = checks.margins(self, padding)
        self.pad_if_needed, self.fill = pad_if_needed, checked_fill(self, "fill", fill)
        shown = PADDING_MODES[checks.one_of(self, "padding_mode", padding_mode, list(PADDING_MODES))]
        self.padding = shown if any(self.margins) or pad_if_needed else "none"
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def out_size(self, size: Size) -> Size:
        return self.size

    def resolve(self, params: Params, size: Size) -> Params:
        """Converts `top` and `left` to pixels of the unpadded image."""
        left, top, right, bottom = self.margins
        y = self._start(params["top"], size[0], self.size[0], top, bottom)
        x = self._start(params["left"], size[1], self.size[1], left, right)
        return params | {"top": y, "left": x}

    def _start(self, u: PerSample, extent: int | Tensor, crop: int, before: int, after: int) -> PerSample:
        ahead: int | Tensor = before
        padded = extent + before + after
        if self.pad_if_needed:
            missing = (crop - padded).clamp(min=0) if isinstance(padded, Tensor) else max(crop - padded, 0)
            ahead, padded = before + missing, padded + 2 * missing
        if isinstance(padded, int) and padded < crop:
            raise ValueError(
                f"RandomCrop: size={self.size} does not fit into an image with a side of {extent} pixels"
                f" ({padded} with padding); give a smaller size, more padding or pad_if_needed=True."
            )
        return _placed(u, padded - crop) - ahead

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        return mat.translation(params["left"], params["top"], like)

    def rest_matrix(self, size: Size, like: Tensor) -> Matrices:
        return centred(self.size, size, like)

    def window(self, size: Size, params: Params) -> Box:
        return params["top"], params["left"], *self.size


class CropTo(Warp):
    """Resizes a box of each image to one size, antialiased; the base of crops that draw or compute the box.

    Args:
        size: (height, width) or one number for both, in pixels.
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.
        p: probability that the box is cut out; other samples are resized as a whole.
        same_on_batch: use one draw for all samples of a batch.
    """

    separable = True

    def __init__(
        self,
        size: int | Sequence[int],
        resample: str = "bilinear",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch)
        self.size = checks.image_size(self, size)
        self.copies, self.resample = copy_mode(checks.resize_mode(self, resample))

    def out_size(self, size: Size) -> Size:
        return self.size

    def matrix(self, size: Size, params: Params, like: Tensor) -> Matrices:
        top, left, height, width = (params[name].to(like.dtype) for name in SIDES)
        return mat.crop_resize(top, left, (height, width), self.size, like)

    def rest_matrix(self, size: Size, like: Tensor) -> Matrices:
        return mat.crop_resize(0.0, 0.0, size, self.size, like)

    def window(self, size: Size, params: Params) -> Box:
        return params["top"], params["left"], params["height"], params["width"]

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        motion = super().motion(size, max_size, params, like)
        return motion if self.copies is None else copying(motion, self.copies)

    def shrink(self, size: Size) -> tuple[float | Tensor, float | Tensor]:
        return size[0] / self.size[0], size[1] / self.size[1]


class RandomResizedCrop(CropTo):
    """Crops a random area with a random aspect ratio and resizes it to a fixed size, antialiased ("Inception crop").

    As in torchvision, the layer tries up to ten pairs of area and ratio and takes the first that fits the image. If
    none fits, it takes the largest crop that respects the ratios, at least one pixel. Source: Szegedy et al. 2015,
    section 6.

    Args:
        size: (height, width) or one number for both, in pixels.
        scale: area of the crop as a fraction of the image area, in (0, 1].
        ratio: aspect ratio (width / height) of the crop; a pair is sampled uniformly in the logarithm.
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.
        p: probability of a random crop; other samples are resized as a whole.
        same_on_batch: use one draw for all samples of a batch.

    Example:
        >>> A.RandomResizedCrop(224, scale=(0.08, 1.0))(torch.rand(2, 3, 300, 400)).shape
        torch.Size([2, 3, 224, 224])
    """

    example = {"size": (9, 10)}

    ratio: Distribution

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Quantity = (0.08, 1.0),
        ratio: Quantity = (3 / 4, 4 / 3),
        resample: str = "bilinear",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(size, resample, p, same_on_batch)
        self.quantity("scale", scale, legal=(1e-6, 1.0), count=10)
        self.quantity("ratio", log_uniform(ratio), legal=(1e-3, 1e3), count=10)
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the box in whole pixels: `top`, `left`, `height`, `width`."""
        height, width = size
        tall, wide = (n[:, None] if isinstance(n, Tensor) else n for n in size)
        area = params["scale"] * (tall * wide)
        w, h = (torch.round(torch.sqrt(area * params["ratio"])), torch.round(torch.sqrt(area / params["ratio"])))
        fits = (w >= 1) & (w <= wide) & (h >= 1) & (h <= tall)
        first = fits & (fits.cumsum(1) == 1)
        low, high = self.ratio.support()
        whole_h, whole_w = _like(height, params["top"]), _like(width, params["top"])
        fallback_w = torch.round(whole_h * high).clamp(min=1).minimum(whole_w)
        fallback_h = torch.round(whole_w / low).clamp(min=1).minimum(whole_h)
        found = fits.any(1)
        w = torch.where(found, torch.where(first, w, 0).sum(1), fallback_w)
        h = torch.where(found, torch.where(first, h, 0).sum(1), fallback_h)
        top, left = _placed(params["top"], height - h), _placed(params["left"], width - w)
        rest = {"gate": params["gate"]} if "gate" in params else {}
        return {"top": top, "left": left, "height": h, "width": w} | rest


def centred(crop: tuple[int, int], size: Size, like: Tensor) -> Matrices:
    """Returns the matrix of a whole-pixel crop at the centre."""
    top, left = _central(crop, size)
    return mat.translation(left, top, like)


def _central(crop: tuple[int, int], size: Size) -> tuple[float | Tensor, float | Tensor]:
    """Returns top and left of a central crop; half pixels are rounded to even, as in torchvision."""
    offsets = ((n - c) / 2 for n, c in zip(size, crop, strict=True))
    top, left = (torch.round(o) if isinstance(o, Tensor) else float(round(o)) for o in offsets)
    return top, left


def _placed(u: PerSample, room: int | PerSample) -> PerSample:
    """Maps a uniform to a whole number of pixels from 0 to `room`; NaN becomes 0."""
    start = torch.floor(u * (room + 1))
    start = torch.where(start > 0, start, 0.0)
    return start.minimum(room.to(start.dtype)) if isinstance(room, Tensor) else start.clamp(max=room)


def _like(value: int | Tensor, like: PerSample) -> Tensor:
    """Returns a number as a 0-dimensional tensor, and (B,) numbers, in the type of `like`."""
    return value.to(like.dtype) if isinstance(value, Tensor) else like.new_full((), value)
