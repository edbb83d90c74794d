"""MixUp: averages two images and their labels."""

import torch

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import known
from augment.data.types import Params
from augment.draws.distributions import Bernoulli
from augment.draws.shorthand import Quantity
from augment.kernels.reference.overlay import Overlay


class RandomMixUp(Mix):
    """Averages each image and label with another: lambda * own + (1 - lambda) * other (Zhang et al. 2017, eq. 1).

    Masks, maps, boxes and keypoints are not changed.

    Args:
        lambda_val: the sample's own weight, within [0, 1]; the paper draws it from Beta(0.2, 0.2) to Beta(0.4, 0.4).
        num_classes: number of classes, needed if labels are class indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), label=torch.arange(4))
        >>> mixed = A.RandomMixUp(num_classes=4)(batch)
        >>> mixed.image.shape, mixed.label.shape
        (torch.Size([4, 3, 16, 16]), torch.Size([4, 4]))
    """

    differentiable = frozenset({"lambda_val"})

    def __init__(
        self,
        lambda_val: Quantity = (0.0, 1.0),
        num_classes: int | None = None,
        p: float | Bernoulli = 1.0,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        self.quantity("lambda_val", lambda_val, legal=(0.0, 1.0))

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay:
        own = params["lambda_val"]
        corner, height, width = (torch.full_like(own, extent) for extent in (0, *size))
        return Overlay(params["partner"], 1 - own, corner, corner, height, width)

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        label, theirs = known(batch.label), known(others.label)[params["partner"]]
        share = (1 - params["lambda_val"])[:, None].to(label.dtype)
        return batch.replace(label=torch.lerp(label, theirs, share))
