"""CutMix: pastes a rectangle of one image into another."""

import torch

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import known, whole_size
from augment.data.types import Params, Size
from augment.draws.arguments import number
from augment.draws.distributions import Bernoulli, Beta
from augment.draws.shorthand import Quantity
from augment.engine.mixed_annotations import pasted, with_room
from augment.geometry.rectangle import SIDES, rectangle
from augment.kernels.reference.overlay import Overlay


class RandomCutMix(Mix):
    """Pastes a rectangle of another image and weights labels by pixel share (Yun et al. 2019, eq. 1 and 2).

    The rectangle lies inside the image, so its area equals the drawn one up to whole pixels. Masks follow the pixels.
    Boxes and keypoints of both images are returned, the sample's own first: (B, 2N, ...). Boxes of the other image are
    clipped to the rectangle. `boxes_visible` is the visible fraction of each box.

    Args:
        lambda_val: the sample's own share of the area, within [0, 1]; uniform in the paper.
        beta: b from 0.001 to 10000 is short for lambda_val=Beta(b, b); give only one of the two.
        num_classes: number of classes, needed if labels are class indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.
    """

    def __init__(
        self,
        lambda_val: Quantity = (0.0, 1.0),
        beta: float | torch.Tensor | None = None,
        num_classes: int | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        if beta is not None:
            if lambda_val != (0.0, 1.0):
                raise ValueError(f"RandomCutMix: give either lambda_val={lambda_val!r} or beta={beta}, not both.")
            beta = number(self, "beta", beta, *Beta.LEGAL)
            lambda_val = Beta(beta, beta)
        self.quantity("lambda_val", lambda_val, legal=(0.0, 1.0))
        self.quantity("top", (0.0, 1.0))
        self.quantity("left", (0.0, 1.0))

    def resolve(self, params: Params, size: Size) -> Params:
        """Computes the rectangle in whole pixels and `lambda_val`, the share of the image outside it."""
        side = torch.sqrt(1 - params["lambda_val"])
        height, width = torch.round(side * size[0]), torch.round(side * size[1])
        top = torch.floor(params["top"] * (size[0] - height + 1))
        left = torch.floor(params["left"] * (size[1] - width + 1))
        share = 1 - height * width / (size[0] * size[1])
        return params | {"top": top, "left": left, "height": height, "width": width, "lambda_val": share}

    def prepared(self, batch: Batch) -> Batch:
        return with_room(super().prepared(batch), 2)

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay:
        whole = torch.ones_like(params["lambda_val"])
        return Overlay(params["partner"], whole, *(params[side] for side in SIDES))

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        partner, own = params["partner"], params["lambda_val"][:, None]
        label = known(batch.label)
        label = label + (1 - own).to(label.dtype) * (known(others.label)[partner] - label)
        mask = batch.mask
        if mask is not None:
            inside = rectangle(params, whole_size(batch.size))
            mask = torch.where(inside if mask.ndim == 3 else inside[:, None], known(others.mask)[partner], mask)
        top, left, height, width = (params[name] for name in SIDES)
        frame = torch.stack([left, top, left + width, top + height], 1)
        scale, shift = torch.ones_like(frame[:, :2]), torch.zeros_like(frame[:, :2])
        return batch.replace(label=label, mask=mask, **pasted(batch, others, partner, frame, scale, shift))
