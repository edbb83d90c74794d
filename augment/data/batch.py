"""What travels through a pipeline: images with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from augment.data.packed import PackedImages
from augment.data.types import Size


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

    def __len__(self) -> int:
        return self.count

    @property
    def count(self) -> int:
        """The number of images; a symbol in exported code, of which `len` would make a constant."""
        first = self._first
        return first.sizes.shape[0] if isinstance(first, PackedImages) else first.shape[0]

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
            return self.image.sides
        plane = self.image[0] if isinstance(self.image, tuple) else self.image
        return plane.shape[-2], plane.shape[-1]

    def tensors(self) -> list[Tensor]:
        """The tensors that are there, of images their pixels."""
        image = self.image
        pixels = list(image) if isinstance(image, tuple) else [image.data if isinstance(image, PackedImages) else image]
        others = (self.label, self.mask, self.boxes, self.boxes_visible, self.keypoints, self.keypoints_visible)
        return pixels + [part for part in others if part is not None]

    def replace(self, **changes: Any) -> Batch:
        return replace(self, **changes)

    def parts(self) -> dict[str, Any]:
        """The tensors that are there, by name."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: part for name, part in named.items() if part is not None and name != "box_format"}

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
