"""CutMix: pastes a rectangle of one image into another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import known, whole_size
from augment.data.types import Params, PerSample, Size
from augment.draws.arguments import number, numbers, shown
from augment.draws.distributions import Bernoulli, Beta
from augment.draws.shorthand import Quantity
from augment.engine.mixed_annotations import pasted, with_room
from augment.geometry.rectangle import SIDES, rectangle
from augment.kernels.reference.overlay import Overlay


class RandomCutMix(Mix):
    """Pastes a rectangle of another image and weights labels by pixel share (Yun et al. 2019, eq. 1 and 2).

    The rectangle lies inside the image, so its area equals the drawn one up to whole pixels. Masks and maps follow the
    pixels. Boxes and keypoints of both images are returned, the sample's own first: (B, 2N, ...). Boxes of the other
    image are clipped to the rectangle. `boxes_visible` is the visible fraction of each box.

    Args:
        lambda_val: the sample's own share of the area, within [0, 1]; uniform in the paper.
        beta: b from 0.001 to 10000 is short for lambda_val=Beta(b, b); give only one of the two.
        num_classes: number of classes, needed if labels are class indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.
        minmax: (smallest, largest) side of the rectangle as fractions of the image's, within [0, 1], as timm's
            `cutmix_minmax`. Height and width are then drawn by themselves, and `lambda_val` follows from them.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> mixed = A.RandomCutMix(num_classes=4)(batch)
        >>> mixed.image.shape, mixed.label.shape
        (torch.Size([4, 3, 16, 16]), torch.Size([4, 4]))
    """

    def __init__(
        self,
        lambda_val: Quantity = (0.0, 1.0),
        beta: float | torch.Tensor | None = None,
        num_classes: int | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
        minmax: Sequence[float] | None = None,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        if beta is not None:
            if lambda_val != (0.0, 1.0):
                raise ValueError(f"RandomCutMix: give either lambda_val={lambda_val!r} or beta={beta}, not both.")
            beta = number(self, "beta", beta, *Beta.LEGAL)
            lambda_val = Beta(beta, beta)
        self.minmax = None if minmax is None else _sides(self, minmax)
        if self.minmax is not None and (beta is not None or lambda_val != (0.0, 1.0)):
            raise ValueError(f"RandomCutMix: give either minmax={minmax!r}, or lambda_val or beta, not both.")
        if self.minmax is None:
            self.quantity("lambda_val", lambda_val, legal=(0.0, 1.0))
        else:
            self.quantity("height", (0.0, 1.0))
            self.quantity("width", (0.0, 1.0))
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the rectangle in whole pixels and `lambda_val`, the share of the image outside it."""
        if self.minmax is None:
            side = torch.sqrt(1 - params["lambda_val"])
            height, width = torch.round(side * size[0]), torch.round(side * size[1])
        else:
            height, width = (self._side(params[name], n) for name, n in zip(("height", "width"), size, strict=True))
        top = torch.floor(params["top"] * (size[0] - height + 1))
        left = torch.floor(params["left"] * (size[1] - width + 1))
        share = 1 - height * width / (size[0] * size[1])
        return params | {"top": top, "left": left, "height": height, "width": width, "lambda_val": share}

    def _side(self, u: PerSample, extent: int | Tensor) -> PerSample:
        """Returns a whole number of pixels, each from the smallest to the largest but one equally likely, as timm."""
        low, high = (torch.floor(torch.as_tensor(part * extent)) for part in self.minmax or (0.0, 1.0))
        return torch.floor(low + u * (high - low))

    def prepared(self, batch: Batch) -> Batch:
        return with_room(super().prepared(batch), 2)

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay:
        whole = torch.ones_like(params["lambda_val"])
        return Overlay(params["partner"], whole, *(params[side] for side in SIDES))

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        partner, own = params["partner"], params["lambda_val"][:, None]
        label = known(batch.label)
        label = label + (1 - own).to(label.dtype) * (known(others.label)[partner] - label)
        mask, maps = batch.mask, batch.maps
        inside = rectangle(params, whole_size(batch.size)) if mask is not None or maps is not None else None
        if mask is not None:
            at = known(inside) if mask.ndim == 3 else known(inside)[:, None]
            mask = torch.where(at, known(others.mask)[partner], mask)
        if maps is not None:
            maps = torch.where(known(inside)[:, None], known(others.maps)[partner], maps)
        top, left, height, width = (params[name] for name in SIDES)
        frame = torch.stack([left, top, left + width, top + height], 1)
        scale, shift = torch.ones_like(frame[:, :2]), torch.zeros_like(frame[:, :2])
        return batch.replace(label=label, mask=mask, maps=maps, **pasted(batch, others, partner, frame, scale, shift))


def _sides(layer: RandomCutMix, minmax: Sequence[float]) -> tuple[float, float]:
    pair = numbers(layer, "minmax", minmax, 0.0, 1.0)
    if len(pair) != 2 or pair[0] > pair[1]:
        raise ValueError(f"RandomCutMix: minmax={shown(minmax)} must be a pair (smallest, largest) within [0, 1].")
    return pair[0], pair[1]
