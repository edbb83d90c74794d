"""Images of different sizes in one buffer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augment.data.known import whole_size
from augment.data.memory import has_memory
from augment.data.types import Images

HOW_TO_PACK = (
    "; pack images of different sizes with PackedImages.from_images(images), and stack others with torch.stack"
)
"""What to do with a list of images, as the end of an error."""


@dataclass
class Origin:
    """What packed images were before a decoder reduced them or cut out the part that will be looked at.

    Position x of the original is position (x + 1/2) * scale - 1/2 - corner of the image that is stored. Geometry and
    annotations stay in pixels of the originals.

    Attributes:
        sizes: (B, 2) int64, height and width of each original.
        scale: (B,) float32, stored pixels per original pixel along both axes, in (0, 1].
        corner: (B, 2) float32, row and column of the first stored pixel in the reduced original.
        max_size: the largest height and the largest width of the originals.
        max_scale: the largest product of scale and a side, divided by the largest side: bounds how much a resize still
            shrinks the stored images.
    """

    sizes: Tensor
    scale: Tensor
    corner: Tensor
    max_size: tuple[int, int]
    max_scale: float = 1.0

    @classmethod
    def of(cls, sizes: Sequence[tuple[int, int]], scale: Sequence[float], corner: Sequence[Sequence[float]]) -> Origin:
        """Builds it from numbers for each image."""
        tall, wide = (max(size[axis] for size in sizes) for axis in (0, 1))
        reduced = max(
            max(size[0] * ratio / tall, size[1] * ratio / wide) for size, ratio in zip(sizes, scale, strict=True)
        )
        scales = torch.tensor(scale, dtype=torch.float32)
        return cls(torch.tensor(sizes), scales, torch.tensor(corner, dtype=torch.float32), (tall, wide), reduced)

    def map(self, function: Callable[[Tensor], Tensor]) -> Origin:
        return replace(self, sizes=function(self.sizes), scale=function(self.scale), corner=function(self.corner))


@dataclass
class PackedImages:
    """Images of different sizes in one flat buffer of bytes, so that a batch is one copy to the device.

    Attributes:
        data: (N,) uint8, the images one after another, each in (H, W, C) order.
        sizes: (B, 2) int64, height and width of each, at least one pixel.
        channels: how many each image has, at least one.
        max_size: the largest height and the largest width, known without asking the device.
        origin: what the images were before a decoder reduced or cut them; None if they are whole.

    Raises:
        TypeError, ValueError: these do not fit together. On a GPU the values in `sizes` are not read.

    Example:
        >>> images = [torch.zeros(3, 20, 30, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)]
        >>> A.Resize((16, 16))(A.PackedImages.from_images(images)).shape
        torch.Size([2, 3, 16, 16])
    """

    data: Tensor
    sizes: Tensor
    channels: int
    max_size: tuple[int, int]
    origin: Origin | None = None

    def __post_init__(self) -> None:
        self._check_types()
        self.data, self.sizes = self.data.contiguous(), self.sizes.to(torch.int64)
        self.max_size = whole_size(tuple(self.max_size))
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
        origin = None if self.origin is None else self.origin.map(lambda t: t[start:stop])
        return self.unchecked(data=data, sizes=sizes, max_size=max_size, origin=origin)

    @property
    def sides(self) -> tuple[Tensor, Tensor]:
        """(B,) heights and (B,) widths of the originals, which geometry and annotations refer to."""
        sizes = self.sizes if self.origin is None else self.origin.sizes
        return sizes[:, 0], sizes[:, 1]

    @property
    def max_sides(self) -> tuple[int, int]:
        """The largest height and the largest width of the originals."""
        return self.max_size if self.origin is None else self.origin.max_size

    def tensors(self) -> list[Tensor]:
        """What a kernel reads pixels from; see `data.operator`."""
        return [self.data]

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
        origin = None if self.origin is None else self.origin.map(function)
        mapped = self.unchecked(data=function(self.data), sizes=function(self.sizes), origin=origin)
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
