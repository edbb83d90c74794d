"""What travels through a pipeline: images with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augment.data.box_formats import converted
from augment.data.packed import HOW_TO_PACK, PackedImages
from augment.data.types import Size

SHAPES = {
    "label": "(B,) or (B, classes)",
    "mask": "(B, H, W) or (B, M, H, W)",
    "boxes": "(B, N, 4)",
    "boxes_visible": "(B, N)",
    "keypoints": "(B, N, 2), or (B, N, 3) with COCO's visibility",
    "keypoints_visible": "(B, N)",
    "maps": "(B, K, H, W)",
    "index": "(B,)",
}
"""Shapes of the annotations."""

PARTS = ("image", *SHAPES)
"""The fields that hold tensors."""

DESCRIPTIONS = ("box_format", "mask_fill", "flip_indices", "color_channels")


@dataclass
class Batch:
    """A batch of images and their annotations; what is None is not there.

    Attributes:
        image: (B, C, H, W) uint8 or float in [0, 1], or PackedImages. Clips are (B, T, C, H, W). Between the layers of
            a pipeline also a tuple of channel planes (B, H, W).
        label: (B,) class numbers or targets, or (B, classes) probabilities or a multi-hot.
        mask: (B, H, W) or (B, M, H, W), any dtype, of the images' height and width; resampled with the nearest
            neighbour, `mask_fill` outside the image. Packed images carry none.
        boxes: (B, N, 4) in pixels measured from the image's corner (0 to width, 0 to height), in `box_format`; integers
            become float32. Rows stay where they are; a batch with fewer boxes is filled up with zeros. Rotated boxes
            are (B, N, 5) or (B, N, 8).
        boxes_visible: (B, N) float32, the share of each box's area that crops have left; 0 for a box that is gone, has
            no area or was never there. Always comes out with boxes; `boxes_visible > 0.1` drops what is cut to a tenth.
        keypoints: (B, N, 2), x y in pixels where (0, 0) is the centre of the top-left pixel; integers become float32.
            (B, N, 3) with COCO's visibility (0 not labelled, 1 hidden, 2 visible), which becomes 0 outside the image.
        keypoints_visible: (B, N) bool, whether a point is labelled and in the image. Always comes out with keypoints.
        index: (B,) int64, the samples' numbers in their data set; keys the random draws.
        box_format: "xyxy" for x1 y1 x2 y2, "xywh" for x1 y1 width height, "cxcywh" for the centre, width and height;
            with a final n ("xyxyn", "xywhn", "cxcywhn") as fractions of the image's width and height. Rotated boxes are
            "cxcywhr", with an angle in degrees, counter-clockwise, or "xyxyxyxy" for four corners.
        maps: (B, K, H, W) floats of the images' height and width, such as heat maps, depth or a second image: moved as
            the image is, interpolated, 0 outside of it, and never changed in value. Packed images carry none.
        mask_fill: value of masks outside the image, such as 255 for pixels that a loss ignores.
        flip_indices: for each keypoint of an object the number of its mirror image, such as (0, 2, 1) for nose, left
            and right eye; whatever mirrors the image exchanges them. None exchanges none.
        extra: further fields by name, each with one value per sample: a tensor (B, ...) or a sequence. Layers return
            them as they are, a mix with the sample that it changes. `map` and `to` apply to the tensors among them.
        color_channels: the channels that are red, green and blue, or the one that is grey; the others are no colours.
            None for the usual order: red, green, blue and perhaps alpha, or grey and perhaps alpha.

    Raises:
        TypeError: images are a list, or an annotation is not a tensor.

    Example:
        >>> batch = A.Batch(torch.rand(2, 3, 16, 16), label=torch.tensor([3, 5]), index=torch.tensor([10, 11]))
        >>> len(batch), batch.replace(label=None).label is None
        (2, True)
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
    maps: Tensor | None = None
    mask_fill: float = 0
    flip_indices: Sequence[int] | None = None
    extra: Mapping[str, Any] | None = None
    color_channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.image, list):
            raise TypeError(f"Batch: image must be a tensor or PackedImages, got list{HOW_TO_PACK}.")
        self.check_annotation_types()

    def check_annotation_types(self) -> None:
        """Refuses annotations that are not tensors."""
        for name, shape in SHAPES.items():
            part = getattr(self, name)
            if part is not None and not isinstance(part, Tensor):
                rows = name in ("boxes", "boxes_visible", "keypoints", "keypoints_visible")
                hint = "; fill images that have fewer rows up with zeros" if rows else ""
                raise TypeError(f"Batch: {name} must be a tensor {shape}, got {type(part).__name__}{hint}.")

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
        others = [getattr(self, name) for name in SHAPES if name != "index"]
        return pixels + [part for part in others if part is not None]

    def replace(self, **changes: Any) -> Batch:
        return replace(self, **changes)

    def parts(self) -> dict[str, Any]:
        """The tensors that are there, by name, without `extra`."""
        named = {name: getattr(self, name) for name in PARTS}
        return {name: part for name, part in named.items() if part is not None}

    def descriptions(self) -> dict[str, Any]:
        """What says how the parts are to be read, by name, as values that compare."""
        flips = None if self.flip_indices is None else tuple(self.flip_indices)
        return {name: getattr(self, name) for name in DESCRIPTIONS} | {"flip_indices": flips}

    def map(self, function: Callable[[Any], Any]) -> Batch:
        """Applies a function to every part that is there."""
        changed = {name: function(part) for name, part in self.parts().items()}
        if self.extra is not None:
            changed["extra"] = {
                name: function(value) if isinstance(value, Tensor) else value for name, value in self.extra.items()
            }
        return self.replace(**changed)

    def with_box_format(self, wanted: str) -> Batch:
        """Returns the same boxes in another format; rotated boxes become the upright boxes around them.

        Example:
            >>> batch = A.Batch(torch.rand(1, 3, 50, 100), boxes=torch.tensor([[[10.0, 20, 30, 30]]]))
            >>> batch.with_box_format("cxcywhn").boxes.tolist()
            [[[0.2, 0.5, 0.2, 0.2]]]
        """
        if self.boxes is None or wanted == self.box_format:
            return self
        return self.replace(boxes=converted(self.boxes, self.box_format, wanted, self.size), box_format=wanted)

    def to(self, *args: Any, **kwargs: Any) -> Batch:
        """Moves every part; dtype conversions are refused because each part has its own."""
        if any(isinstance(a, torch.dtype) for a in (*args, *kwargs.values())):
            raise TypeError("Batch.to moves to a device; give the pipeline dtype=... to choose the images' dtype.")
        return self.map(lambda part: part.to(*args, **kwargs))

    def pin_memory(self) -> Batch:
        return self.map(lambda part: part.pin_memory())
