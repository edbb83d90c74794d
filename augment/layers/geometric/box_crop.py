"""Crops that depend on the boxes of the batch, for detection."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core import checks
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.known import known
from augment.data.types import Bool, Float, Params, PerSample, Size
from augment.draws.arguments import number, numbers, shown, whole
from augment.draws.distributions import Bernoulli, Choice
from augment.engine.warp_run import warped
from augment.geometry.boxes import area_of, around, cut, frame_of
from augment.geometry.motion import Motion
from augment.layers.geometric.crop import CropTo

_MOST_TRIALS = 100
_ROUNDS = 10
"""Number of least overlaps that are drawn for an image; torchvision draws until a part has one."""

Upright = Float[Tensor, "b n 4"]
There = Bool[Tensor, "b n"]


class BoxCrop(Layer):
    """Cuts out a part of each image that depends on its boxes, and resizes it; samples the image in its own pass.

    The draws alone do not tell the part, so `inverse` is refused, and `explain` tells what an image without boxes gets.
    """

    example = {"size": (9, 10)}

    def __init__(self, size: int | Sequence[int], resample: str, p: float | Bernoulli, same_on_batch: bool) -> None:
        super().__init__(p, same_on_batch)
        self.crop = CropTo(checks.image_size(self, size), checks.resize_mode(self, resample))

    @abstractmethod
    def part(self, params: Params, frame: Float[Tensor, "b 4"], boxes: Upright, there: There) -> Float[Tensor, "b 4"]:
        """Returns x1 y1 x2 y2 of the part in whole pixels, from raw draws.

        Args:
            params: raw draws.
            frame: x1 y1 x2 y2 of the images.
            boxes: upright boxes, clipped to the frame.
            there: which of them count.
        """

    def kept(self, part: Float[Tensor, "b 4"], boxes: Upright) -> There | None:
        """Returns which boxes remain visible in a part; None for all that it shows."""
        return None

    def out_size(self, size: Size) -> Size:
        return self.crop.size

    def resolve(self, params: Params, size: Size) -> Params:
        """Returns what an image without boxes gets: `top`, `left`, `height`, `width`."""
        like = next(value for name, value in params.items() if name != "gate")
        nothing = like.new_zeros(like.shape[0], 1, 4)
        return self._cut_out(params, self.part(params, frame_of(size, like), nothing, nothing[..., 0] > 0))

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion:
        raise ValueError(f"{type(self).__name__} cannot be undone: what it cuts out depends on the boxes it was given.")

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        (drawn,) = params
        like = next(value for name, value in drawn.items() if name != "gate")
        frame = frame_of(batch.size, like)
        if batch.boxes is None or batch.boxes.shape[1] == 0:
            boxes, there = like.new_zeros(like.shape[0], 1, 4), like.new_zeros(like.shape[0], 1) > 0
        else:
            boxes = cut(around(batch.boxes).to(like.dtype), frame)
            there = (known(batch.boxes_visible) > 0) & (area_of(boxes) > 0)
        part = self.part(drawn, frame, boxes, there)
        out = warped(batch, [self._cut_out(drawn, part)], [self.crop], kept)
        remain = None if batch.boxes is None else self.kept(part, boxes)
        if remain is None:
            return out
        remain = remain if "gate" not in drawn else remain | ~drawn["gate"][:, None]
        return out.replace(boxes_visible=known(out.boxes_visible) * remain)

    def _cut_out(self, params: Params, part: Float[Tensor, "b 4"]) -> Params:
        left, top, right, bottom = part.unbind(1)
        gate = {name: params[name] for name in ("gate",) if name in params}
        return {"top": top, "left": left, "height": bottom - top, "width": right - left} | gate


class RandomSizedBBoxSafeCrop(BoxCrop):
    """Cuts out a random part of the image that contains all visible boxes, and resizes it; named as in albumentations.

    Each side lies anywhere between the image's and that of the boxes, in whole pixels. A part of an image without
    boxes contains its centre. The boxes come from the batch, so `inverse` is refused, `explain` tells what an image
    without boxes gets, and each frame of a clip follows its own boxes.

    Args:
        size: (height, width) of the output or one number for both, in pixels.
        erosion_rate: share of each box's width and height that may be cut off, half of it on each side, in [0, 1).
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.
        p: probability of a crop; other samples are resized as a whole.
        same_on_batch: use one draw for all samples of a batch; their boxes still differ.

    Example:
        >>> batch = A.Batch(torch.rand(1, 3, 50, 60), boxes=torch.tensor([[[10.0, 10, 40, 30], [20, 20, 50, 45]]]))
        >>> out = A.RandomSizedBBoxSafeCrop(32)(batch)
        >>> out.image.shape, out.boxes_visible
        (torch.Size([1, 3, 32, 32]), tensor([[1., 1.]]))
    """

    def __init__(
        self,
        size: int | Sequence[int],
        erosion_rate: float = 0.0,
        resample: str = "bilinear",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(size, resample, p, same_on_batch)
        self.erosion_rate = number(self, "erosion_rate", erosion_rate, 0.0, 1 - 1e-6)
        for side in ("top", "left", "bottom", "right"):
            self.quantity(side, (0.0, 1.0))

    def part(self, params: Params, frame: Float[Tensor, "b 4"], boxes: Upright, there: There) -> Float[Tensor, "b 4"]:
        sides = boxes[..., 2:] - boxes[..., :2]
        cut_off = (sides * (self.erosion_rate / 2)).repeat(1, 1, 2)
        inner = boxes + torch.cat([cut_off[..., :2], -cut_off[..., 2:]], -1)
        some, middle = there.any(1, keepdim=True), frame[:, 2:] / 2
        low = torch.where(there[..., None], inner[..., :2], torch.inf).amin(1)
        high = torch.where(there[..., None], inner[..., 2:], -torch.inf).amax(1)
        low, high = torch.where(some, low, middle).floor(), torch.where(some, high, middle).ceil()
        before = torch.stack([params["left"], params["top"]], 1)
        after = torch.stack([params["right"], params["bottom"]], 1)
        first = torch.floor(before * (low + 1)).minimum(low)
        last = frame[:, 2:] - torch.floor(after * (frame[:, 2:] - high + 1)).minimum(frame[:, 2:] - high)
        return torch.cat([first, last.maximum(first + 1)], 1)


class RandomIoUCrop(BoxCrop):
    """Cuts out a random part that overlaps with a box by a random least share, and resizes it, as SSD does.

    The definition is torchvision's: of `trials` random parts, the first counts that has an allowed aspect ratio,
    contains the centre of a box, and has with one of the boxes whose centre it contains at least the drawn intersection
    over union. If none has it, the next of ten drawn shares counts; for a share of 1, and after all ten, the image is
    resized as a whole. Boxes whose centre is cut off get a `boxes_visible` of 0. Unlike torchvision, the part is
    resized to `size`, because images of one batch have one size, and all shares are tried on the same parts. Source:
    Liu et al. 2016, "SSD: Single Shot MultiBox Detector", section 2.2.

    In an image without visible boxes the first part with an allowed aspect ratio counts. The boxes come from the batch,
    so `inverse` is refused, `explain` tells what an image without boxes gets, and each frame of a clip follows its own
    boxes.

    Args:
        size: (height, width) of the output or one number for both, in pixels.
        min_scale, max_scale: limits of the part's height and width as fractions of the image's, in (0, 1].
        min_aspect_ratio, max_aspect_ratio: limits of the part's width over its height, positive.
        sampler_options: the least intersections over union, at least 0, all equally likely; 1 or more keeps all.
        trials: number of parts that are tried, at most 100. Each takes four columns of noise.
        resample: "nearest", "nearest-exact", "bilinear" or "bicubic", see `Resize`.
        p: probability of a crop; other samples are resized as a whole.
        same_on_batch: use one draw for all samples of a batch; their boxes still differ.

    Example:
        >>> batch = A.Batch(torch.rand(1, 3, 50, 60), boxes=torch.tensor([[[10.0, 10, 40, 30], [20, 20, 50, 45]]]))
        >>> out = A.RandomIoUCrop(32)(batch)
        >>> out.image.shape, out.boxes.shape
        (torch.Size([1, 3, 32, 32]), torch.Size([1, 2, 4]))
    """

    def __init__(
        self,
        size: int | Sequence[int],
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
        trials: int = 40,
        resample: str = "bilinear",
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(size, resample, p, same_on_batch)
        scales = (number(self, "min_scale", min_scale, 1e-3, 1.0), number(self, "max_scale", max_scale, 1e-3, 1.0))
        ratios = (
            number(self, "min_aspect_ratio", min_aspect_ratio, 1e-3, 1e3),
            number(self, "max_aspect_ratio", max_aspect_ratio, 1e-3, 1e3),
        )
        for name, (low, high) in (("scale", scales), ("aspect_ratio", ratios)):
            if low > high:
                raise ValueError(f"RandomIoUCrop: min_{name}={low} must not be above max_{name}={high}.")
        self.ratios = ratios
        options = numbers(self, "sampler_options", sampler_options, 0.0)
        if not options:
            raise ValueError(f"RandomIoUCrop: sampler_options={shown(sampler_options)} must have at least one number.")
        self.trials = whole(self, "trials", trials, 1, _MOST_TRIALS)
        self.quantity("overlap", Choice(options), count=_ROUNDS)
        for side in ("height", "width"):
            self.quantity(side, scales, legal=(1e-3, 1.0), count=self.trials)
        for side in ("top", "left"):
            self.quantity(side, (0.0, 1.0), count=self.trials)

    def part(self, params: Params, frame: Float[Tensor, "b 4"], boxes: Upright, there: There) -> Float[Tensor, "b 4"]:
        tried, fits = self._tried(params, frame)
        inside = _contain_centres(tried, boxes) & there[:, None]
        common = _common_area(tried, boxes)
        union = area_of(tried)[..., None] + area_of(boxes)[:, None] - common
        best = torch.where(inside, common / union.clamp(min=1e-6), 0.0).amax(2)
        overlap, empty = params["overlap"][..., None], ~there.any(1)[:, None, None]
        good = fits[:, None] & ((inside.any(2)[:, None] & (best[:, None] >= overlap)) | empty) & (overlap < 1)  # b r t
        found = good.any(2)
        round_ = _first(found | (overlap[..., 0] >= 1))
        chosen = _first((good & round_[..., None]).any(1))
        whole_image = ~(found & round_).any(1, keepdim=True)
        return torch.where(whole_image, frame, torch.where(chosen[..., None], tried, 0.0).sum(1))

    def kept(self, part: Float[Tensor, "b 4"], boxes: Upright) -> There:
        return _contain_centres(part[:, None], boxes)[:, 0]

    def _tried(self, params: Params, frame: Float[Tensor, "b 4"]) -> tuple[Float[Tensor, "b t 4"], Bool[Tensor, "b t"]]:
        """Returns the parts, and which of them have an allowed aspect ratio."""
        full_width, full_height = frame[:, 2:3], frame[:, 3:]
        height = torch.floor(params["height"] * full_height).clamp(min=1)
        width = torch.floor(params["width"] * full_width).clamp(min=1)
        left, top = _start(params["left"], full_width - width), _start(params["top"], full_height - height)
        low, high = self.ratios
        fits = (width >= low * height) & (width <= high * height)
        return torch.stack([left, top, left + width, top + height], -1), fits


def _first(marks: Bool[Tensor, "b n"]) -> Bool[Tensor, "b n"]:
    """Leaves the first mark of each row."""
    return marks & (marks.cumsum(1) == 1)


def _start(u: PerSample, room: PerSample) -> PerSample:
    return torch.floor(u * (room + 1)).minimum(room)


def _contain_centres(parts: Float[Tensor, "b t 4"], boxes: Upright) -> Bool[Tensor, "b t n"]:
    centre = ((boxes[..., :2] + boxes[..., 2:]) / 2)[:, None]
    return ((centre > parts[:, :, None, :2]) & (centre < parts[:, :, None, 2:])).all(-1)


def _common_area(parts: Float[Tensor, "b t 4"], boxes: Upright) -> Float[Tensor, "b t n"]:
    low = parts[:, :, None, :2].maximum(boxes[:, None, :, :2])
    high = parts[:, :, None, 2:].minimum(boxes[:, None, :, 2:])
    return (high - low).clamp(min=0).prod(-1)
