"""Segmented objects moved from one image into another."""

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
    """Copies everything that carries one label of another image's mask, pixels and mask (Sellner et al. 2023).

    The label is drawn from those that the other image's mask holds, each equally likely whatever its area. Masks are
    (B, H, W) whole numbers; of (B, M, H, W) the first one says what is moved and all are moved. Class labels, where
    there are any, are weighted by the share of pixels. Boxes and keypoints stay those of the sample itself, because
    nothing says which of them belong to a label of the mask. The donor is drawn; Kornia's is the image before in the
    batch.

    Args:
        excluded_labels: labels of the mask that are never moved, e.g. the background's; a sample whose donor has no
            other stays as it is.
        num_classes: needed where class labels are indices.
        p: probability that a sample receives something.
        same_on_batch: one draw for all samples of a batch; donors still differ.
    """

    labels_optional = True  # segmentation has none

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
            raise ValueError("RandomTransplantation moves what a mask marks: call it with Batch(image=..., mask=...).")
        return whole

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        partner, mask, donors, label = params["partner"], known(batch.mask), known(others.mask), known(batch.label)
        moved = self.selection((donors if donors.ndim == 3 else donors[:, 0])[partner], params)
        image = torch.where(moved[:, None], dense(others.image).index_select(0, partner), dense(batch.image))
        share = moved.to(label.dtype).mean((1, 2))[:, None]
        label = label + share * (known(others.label)[partner] - label)
        mask = torch.where(moved if mask.ndim == 3 else moved[:, None], donors[partner], mask)
        return batch.replace(image=image, label=label, mask=mask)

    def selection(self, donor: Shaped[Tensor, "b h w"], params: Params) -> Bool[Tensor, "b h w"]:
        """Which pixels of the donors' masks carry the label that is drawn: the first in a random order of all labels.

        The order is a bijection of 32-bit words, so that labels need neither be counted nor known, and never tie.
        """
        labels = donor.to(torch.int64)
        place = mix32((labels ^ _scramble(params["key"])) & (_WORD - 1))
        for label in self.excluded_labels:
            place = torch.where(labels == label, _WORD, place)
        first = place.amin((1, 2), keepdim=True)
        return (place == first) & (first < _WORD)


def _scramble(key: Shaped[Tensor, "b 2"]) -> Integer[Tensor, "b 1 1"]:
    """A random 32-bit word a sample."""
    words = from_unit(key)
    return mix32(mix32(words[:, 0]) ^ words[:, 1])[:, None, None]
