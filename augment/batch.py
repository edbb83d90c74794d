"""What travels through a pipeline: images with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from augment.types import Images, Size


@dataclass
class PackedImages:
    """Images of different sizes in one flat buffer of bytes, so that a batch is one copy to the device.

    Attributes:
        data: (N,) uint8, the images one after another, each in (H, W, C) order.
        sizes: (B, 2) int64, height and width of each.
        channels: how many each image has.
        max_size: the largest height and the largest width, known without asking the device.
    """

    data: Tensor
    sizes: Tensor
    channels: int
    max_size: tuple[int, int]

    @classmethod
    def from_images(cls, images: Sequence[Tensor]) -> PackedImages:
        """Packs (C, H, W) uint8 tensors of any sizes and one number of channels."""
        channels = {image.shape[0] for image in images}
        if len(channels) != 1 or any(image.dtype != torch.uint8 or image.ndim != 3 for image in images):
            shapes = sorted({(str(i.dtype), *i.shape) for i in images})[:3]
            raise ValueError(f"PackedImages: images must be uint8 (C, H, W) with the same C, got e.g. {shapes}.")
        sizes = torch.tensor([image.shape[1:] for image in images])
        data = torch.cat([image.permute(1, 2, 0).reshape(-1) for image in images])
        return cls(data, sizes, channels.pop(), tuple(sizes.amax(0).tolist()))

    def __len__(self) -> int:
        return self.sizes.shape[0]

    def __getitem__(self, rows: slice) -> PackedImages:
        """Some of the images, one after another as they are; on a CPU, for it reads where they start."""
        lengths = self._lengths.tolist()
        start = sum(lengths[: rows.start])
        length = sum(lengths[rows])
        return replace(self, data=self.data[start : start + length], sizes=self.sizes[rows])

    @property
    def offsets(self) -> Tensor:
        """(B,) int64, where in `data` each image starts."""
        return self._lengths.cumsum(0) - self._lengths

    @property
    def _lengths(self) -> Tensor:
        """(B,) int64, bytes of each image."""
        return self.sizes.prod(1) * self.channels

    @property
    def device(self) -> torch.device:
        return self.data.device

    def map(self, function: Callable[[Tensor], Tensor]) -> PackedImages:
        """Applies a function to the bytes and to the sizes."""
        return replace(self, data=function(self.data), sizes=function(self.sizes))

    def to(self, *args: Any, **kwargs: Any) -> PackedImages:
        return self.map(lambda t: t.to(*args, **kwargs))

    def pin_memory(self) -> PackedImages:
        return self.map(Tensor.pin_memory)

    def padded(self) -> Images:
        """(B, C, max height, max width) uint8, channels_last; each image's last row and column are repeated."""
        height, width = self.max_size
        rows = torch.minimum(torch.arange(height, device=self.device), self.sizes[:, :1] - 1)
        columns = torch.minimum(torch.arange(width, device=self.device), self.sizes[:, 1:] - 1)
        pixel = rows[:, :, None] * self.sizes[:, 1, None, None] + columns[:, None, :]
        index = self.offsets[:, None, None] + pixel * self.channels
        index = index[..., None] + torch.arange(self.channels, device=self.device)
        return self.data[index].permute(0, 3, 1, 2)


_PLAIN = ("box_format", "between")
"""Fields of a batch that are no tensors."""


@dataclass
class Batch:
    """A batch of images and their annotations; what is None is not there.

    Attributes:
        image: (B, C, H, W) uint8 or float in [0, 1], or PackedImages. Clips are (B, T, C, H, W). Between the layers of
            a pipeline also a tuple of channel planes (B, H, W).
        label: (B,) class numbers or targets, or (B, classes) probabilities or a multi-hot.
        mask: (B, H, W) or (B, M, H, W), any dtype, of the images' height and width; resampled with the nearest
            neighbour, 0 outside the image. Packed images carry none.
        boxes: (B, N, 4) in pixels measured from the image's corner (0 to width, 0 to height), in `box_format`; integers
            become float32. Rows stay where they are; a batch with fewer boxes is filled up with zeros.
        boxes_visible: (B, N) float32, the share of each box's area that crops have left; 0 for a box that is gone, has
            no area or was never there. Always comes out with boxes; `boxes_visible > 0.1` drops what is cut to a tenth.
        keypoints: (B, N, 2), x y in pixels where (0, 0) is the centre of the top-left pixel; integers become float32.
            (B, N, 3) with COCO's visibility (0 not labelled, 1 hidden, 2 visible), which becomes 0 outside the image.
        keypoints_visible: (B, N) bool, whether a point is labelled and in the image. Always comes out with keypoints.
        index: (B,) int64, the samples' numbers in their data set; keys the random draws.
        box_format: "xyxy" for x1 y1 x2 y2, or "xywh" for x1 y1 width height.
        between: set by a pipeline: the type in which kernels of a GPU are to hand interpolated images on.
    """

    image: Tensor | PackedImages | tuple[Tensor, ...]
    label: Tensor | None = None
    mask: Tensor | None = None
    boxes: Tensor | None = None
    boxes_visible: Tensor | None = None
    keypoints: Tensor | None = None
    keypoints_visible: Tensor | None = None
    index: Tensor | None = None
    box_format: str = "xyxy"
    between: torch.dtype = torch.float32

    def __len__(self) -> int:
        return len(self._first)

    @property
    def device(self) -> torch.device:
        return self._first.device

    @property
    def _first(self) -> Tensor | PackedImages:
        """The image, or its first channel while a pipeline holds it as planes."""
        return self.image[0] if isinstance(self.image, tuple) else self.image

    @property
    def size(self) -> Size:
        """(height, width): numbers, or (B,) tensors for packed images."""
        if isinstance(self.image, PackedImages):
            return self.image.sizes[:, 0], self.image.sizes[:, 1]
        return tuple(self._first.shape[-2:])

    def replace(self, **changes: Any) -> Batch:
        return replace(self, **changes)

    def parts(self) -> dict[str, Any]:
        """The tensors that are there, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: part for name, part in named.items() if part is not None and name not in _PLAIN}

    def map(self, function: Callable[[Any], Any]) -> Batch:
        """Applies a function to every part that is there."""
        return self.replace(**{name: function(part) for name, part in self.parts().items()})

    def with_box_format(self, wanted: str) -> Batch:
        """The same boxes, written as "xyxy" or "xywh"."""
        if self.boxes is None or wanted == self.box_format:
            return self
        first, second = self.boxes[..., :2], self.boxes[..., 2:]
        second = second - first if wanted == "xywh" else second + first
        return self.replace(boxes=torch.cat([first, second], dim=-1), box_format=wanted)

    def to(self, *args: Any, **kwargs: Any) -> Batch:
        """Moves every part; dtype conversions are refused because each part has its own."""
        if any(isinstance(a, torch.dtype) for a in (*args, *kwargs.values())):
            raise TypeError("Batch.to moves to a device; give the pipeline dtype=... to choose the images' dtype.")
        return self.map(lambda part: part.to(*args, **kwargs))

    def pin_memory(self) -> Batch:
        return self.map(lambda part: part.pin_memory())
