"""ResizeMix: pastes a whole, smaller image into another."""

import torch
from torch import Tensor

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import dense, known, whole_size
from augment.data.pixels import compute_dtype, stacked
from augment.data.types import Float, Images, Params, PerSample, Size
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.shorthand import Quantity
from augment.engine.annotations import warp_mask
from augment.engine.mixed_annotations import pasted, with_room
from augment.engine.warp_run import apply_motions
from augment.geometry import matrix as mat
from augment.geometry.motion import Motion
from augment.geometry.rectangle import rectangle


class ResizeMix(Mix):
    """Pastes another image, shrunk with antialiasing, and weights labels by pixel share (Qin et al. 2020).

    Unlike CutMix, it shows the pasted image as a whole. Masks and maps follow the pixels. Boxes and keypoints of both
    images are returned, the sample's own first: (B, 2N, ...). `boxes_visible` is the visible fraction of each box.

    Args:
        scale: side of the pasted image as a fraction of the image side, within [0.01, 1]; height and width are rounded
            to whole pixels, at least 1.
        num_classes: number of classes, needed if labels are class indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> mixed = A.ResizeMix(num_classes=4)(batch)
        >>> mixed.image.shape, mixed.label.shape
        (torch.Size([4, 3, 16, 16]), torch.Size([4, 4]))
    """

    scale: Distribution

    def __init__(
        self,
        scale: Quantity = (0.1, 0.8),
        num_classes: int | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        self.quantity("scale", scale, legal=(0.01, 1.0))
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the place of the pasted image in whole pixels: `top`, `left`, `height`, `width`."""
        full_height, full_width = whole_size(size)
        height = torch.round(params["scale"] * full_height).clamp(1, full_height)
        width = torch.round(params["scale"] * full_width).clamp(1, full_width)
        top = torch.floor(params["top"] * (full_height - height + 1))
        left = torch.floor(params["left"] * (full_width - width + 1))
        return params | {"top": top, "left": left, "height": height, "width": width}

    def prepared(self, batch: Batch) -> Batch:
        return with_room(super().prepared(batch), 2)

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        partner, (height, width) = params["partner"], whole_size(batch.size)
        top, left, tall, wide = (params[name] for name in ("top", "left", "height", "width"))
        inside = rectangle(params, (height, width))
        small = self._shrunk(dense(others.image).index_select(0, partner), params)
        image = torch.where(inside[:, None], small, dense(batch.image))
        label = known(batch.label)
        share = (tall * wide / (height * width))[:, None].to(label.dtype)
        label = label + share * (known(others.label)[partner] - label)
        mask = batch.mask
        if mask is not None:
            y, x = _positions(top, tall, height)[:, :, None], _positions(left, wide, width)[:, None, :]
            theirs = warp_mask(known(others.mask)[partner], x, y, [])
            mask = torch.where(inside if mask.ndim == 3 else inside[:, None], theirs, mask)
        maps = batch.maps
        if maps is not None:
            dtype = compute_dtype(maps.dtype)
            theirs = self._shrunk(known(others.maps)[partner].to(dtype), params).to(maps.dtype)
            maps = torch.where(inside[:, None], theirs, maps)
        frame = torch.stack([left, top, left + wide, top + tall], 1)
        scale = torch.stack([wide / width, tall / height], 1)
        return batch.replace(
            image=image,
            label=label,
            mask=mask,
            maps=maps,
            **pasted(batch, others, partner, frame, scale, frame[:, :2]),
        )

    def _shrunk(self, image: Images, params: Params) -> Images:
        """Shrinks each image to its place; the pixels around that place are arbitrary."""
        height, width = size = (image.shape[-2], image.shape[-1])
        smallest = self.scale.support()[0]
        bound = height / max(1, int(smallest * height)), width / max(1, int(smallest * width))
        shrink = size[0] / params["height"], size[1] / params["width"]
        top, left = ((0.5 - params[name]) * s - 0.5 for name, s in zip(("top", "left"), shrink, strict=True))
        rows = (shrink[1], 0.0, left), (0.0, shrink[0], top), (0.0, 0.0, 1.0)
        matrix = mat.matrix(rows, image.new_empty(image.shape[0], 0))
        motion = Motion(matrix, in_size=size, out_size=size, separable=True, shrink=shrink, bound=bound)
        return stacked(dense(apply_motions(Batch(image), [motion]).image))


def _positions(start: PerSample, extent: PerSample, full: int) -> Float[Tensor, "b n"]:
    """Maps pixels to positions on an axis of an image that fills `extent` pixels from `start` on."""
    pixel = torch.arange(full, device=start.device)
    return (pixel - start[:, None] + 0.5) * (full / extent[:, None]) - 0.5
