"""What travels through a pipeline: images with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from augment.data.memory import has_memory
from augment.data.types import Images, Size


@dataclass
class PackedImages:
    """Images of different sizes in one flat buffer of bytes, so that a batch is one copy to the device.

    Attributes:
        data: (N,) uint8, the images one after another, each in (H, W, C) order.
        sizes: (B, 2) int64, height and width of each, at least one pixel.
        channels: how many each image has, at least one.
        max_size: the largest height and the largest width, known without asking the device.

    Raises:
        TypeError, ValueError: these do not fit together. On a GPU the values in `sizes` are not read.
    """

    data: Tensor
    sizes: Tensor
    channels: int
    max_size: tuple[int, int]

    def __post_init__(self) -> None:
        self._check_types()
        self.data, self.sizes, self.max_size = self.data.contiguous(), self.sizes.to(torch.int64), tuple(self.max_size)
        if has_memory(self.sizes):
            self._check_sizes()

    @classmethod
    def from_images(cls, images: Sequence[Tensor]) -> PackedImages:
        """Packs (C, H, W) uint8 tensors of any sizes and one number of channels, each with at least one pixel."""
        packable = all(isinstance(i, Tensor) and i.dtype == torch.uint8 and i.ndim == 3 and i.numel() for i in images)
        if not packable or len({image.shape[0] for image in images}) != 1:
            given = {(str(i.dtype), *i.shape) if isinstance(i, Tensor) else (type(i).__name__,) for i in images}
            raise ValueError(
                "PackedImages: images must be uint8 (C, H, W) with the same C and at least one pixel, "
                f"got e.g. {sorted(given, key=str)[:3]}."
            )
        sizes = torch.tensor([image.shape[1:] for image in images])
        data = torch.cat([image.permute(1, 2, 0).reshape(-1) for image in images])
        return cls(data, sizes.to(data.device), images[0].shape[0], tuple(sizes.amax(0).tolist()))

    def _check_types(self) -> None:
        """Types and shapes, which are known without asking the device."""
        for name, tensor in (("data", self.data), ("sizes", self.sizes)):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"PackedImages: {name} must be a tensor, got {type(tensor).__name__}.")
        if self.data.dtype != torch.uint8 or self.data.ndim != 1:
            got = f"{tuple(self.data.shape)} {self.data.dtype}"
            raise TypeError(f"PackedImages: data must be (N,) uint8, got {got}.")
        whole = not self.sizes.is_floating_point() and not self.sizes.is_complex() and self.sizes.dtype != torch.bool
        if not whole or self.sizes.ndim != 2 or self.sizes.shape[1] != 2:
            got = f"{tuple(self.sizes.shape)} {self.sizes.dtype}"
            raise TypeError(f"PackedImages: sizes must be (B, 2) int64, height and width of each image, got {got}.")
        if self.data.device != self.sizes.device:
            raise ValueError(f"PackedImages: data is on {self.data.device}, but sizes is on {self.sizes.device}.")
        if not isinstance(self.channels, int) or self.channels < 1:
            raise ValueError(f"PackedImages: channels={self.channels!r} must be a positive whole number.")

    def _check_sizes(self) -> None:
        """That the sizes are those of the images in `data`, in Python's numbers, which do not overflow."""
        sides = self.sizes.tolist()
        empty = next((number for number, size in enumerate(sides) if min(size) < 1), None)
        if empty is not None:
            raise ValueError(f"PackedImages: sizes[{empty}]={sides[empty]} must be at least one pixel along each side.")
        length = self.channels * sum(height * width for height, width in sides)
        if length != len(self.data):
            raise ValueError(
                f"PackedImages: {len(sides)} images of these sizes and channels={self.channels} are {length} bytes, "
                f"data has {len(self.data)}."
            )
        largest = tuple(map(max, zip(*sides, strict=True)))
        if sides and largest != self.max_size:
            raise ValueError(f"PackedImages: max_size={self.max_size} must be the largest of the sizes, {largest}.")

    def unchecked(self, **changes: Any) -> PackedImages:
        """A copy with other fields, whose values are not checked: for what follows from images that were."""
        copy = object.__new__(PackedImages)
        copy.__dict__.update(self.__dict__ | changes)
        return copy

    def __len__(self) -> int:
        return self.sizes.shape[0]

    def __getitem__(self, rows: slice) -> PackedImages:
        """Neighbours among the images, as they are; on a CPU, for it reads where they start."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError(f"PackedImages: [{rows!r}] must be a slice of neighbours, such as [:8].")
        start, stop, _ = rows.indices(len(self))
        lengths, sizes = self._lengths.tolist(), self.sizes[start:stop]
        first = sum(lengths[:start])
        data = self.data[first : first + sum(lengths[start:stop])]
        max_size = tuple(sizes.amax(0).tolist()) if len(sizes) else self.max_size
        return self.unchecked(data=data, sizes=sizes, max_size=max_size)

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
        """Applies a function that keeps values, such as a move to a device, to the bytes and to the sizes."""
        mapped = self.unchecked(data=function(self.data), sizes=function(self.sizes))
        mapped._check_types()
        return mapped

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
