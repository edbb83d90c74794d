"""Transplantation: copies segmented objects from one image into another."""

from collections.abc import Sequence

import torch
from torch import Tensor

from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.known import dense, known
from augment.data.types import Bool, Integer, Params, Shaped
from augment.draws.arguments import whole_numbers
from augment.draws.distributions import Bernoulli
from augment.draws.noise import from_unit, mix32

_WORD = 2**32


class RandomTransplantation(Mix):
    """Copies all pixels with one mask label, and their mask, from a donor image (Sellner et al. 2023).

    The donor is a random sample of the batch; Kornia takes the previous one. The label is drawn from the labels in the
    donor's mask, all equally likely regardless of area. Masks are (B, H, W) integers, or (B, M, H, W), where the first
    mask selects the pixels, and all masks and maps are copied. Class labels, if there are any, are weighted by pixel
    share. Boxes and keypoints are not changed, because they are not linked to mask labels.

    Args:
        excluded_labels: mask labels that are never copied, e.g. the background. A sample is not changed if its donor
            has no other label.
        num_classes: number of classes, needed if class labels are indices.
        p: probability of mixing a sample.
        same_on_batch: use one draw for all samples of a batch; partners still differ.

    Example:
        >>> batch = A.Batch(torch.rand(4, 3, 16, 16), mask=torch.randint(0, 3, (4, 16, 16)))
        >>> A.RandomTransplantation(p=1.0)(batch).mask.shape
        torch.Size([4, 16, 16])
    """

    labels_optional = True  # segmentation data has no class labels per image

    def __init__(
        self,
        excluded_labels: Sequence[int] | Tensor | None = None,
        num_classes: int | None = None,
        p: float | Bernoulli = 0.5,
        same_on_batch: bool = False,
    ) -> None:
        super().__init__(p, same_on_batch, num_classes)
        labels = () if excluded_labels is None else excluded_labels
        self.excluded_labels = whole_numbers(self, "excluded_labels", labels, -(2**63), 2**63 - 1, fewest=0)
        self.quantity("key", (0.0, 1.0), count=2)

    def prepared(self, batch: Batch) -> Batch:
        whole = super().prepared(batch)
        if batch.mask is None:
            raise ValueError("RandomTransplantation needs a mask: call it with Batch(image=..., mask=...).")
        return whole

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        partner, mask, donors, label = params["partner"], known(batch.mask), known(others.mask), known(batch.label)
        moved = self.selection((donors if donors.ndim == 3 else donors[:, 0])[partner], params)
        image = torch.where(moved[:, None], dense(others.image).index_select(0, partner), dense(batch.image))
        share = moved.to(label.dtype).mean((1, 2))[:, None]
        label = label + share * (known(others.label)[partner] - label)
        mask = torch.where(moved if mask.ndim == 3 else moved[:, None], donors[partner], mask)
        maps = batch.maps
        if maps is not None:
            maps = torch.where(moved[:, None], known(others.maps)[partner], maps)
        return batch.replace(image=image, label=label, mask=mask, maps=maps)

    def selection(self, donor: Shaped[Tensor, "b h w"], params: Params) -> Bool[Tensor, "b h w"]:
        """Marks the pixels of the donor masks with the drawn label, the first in a random order of all labels.

        The order is a bijection of 32-bit words, so labels never tie and need not be known in advance.
        """
        labels = donor.to(torch.int64)
        place = mix32((labels ^ _scramble(params["key"])) & (_WORD - 1))
        for label in self.excluded_labels:
            place = torch.where(labels == label, _WORD, place)
        first = place.amin((1, 2), keepdim=True)
        return (place == first) & (first < _WORD)


def _scramble(key: Shaped[Tensor, "b 2"]) -> Integer[Tensor, "b 1 1"]:
    """Returns a random 32-bit word per sample."""
    words = from_unit(key)
    return mix32(mix32(words[:, 0]) ^ words[:, 1])[:, None, None]
