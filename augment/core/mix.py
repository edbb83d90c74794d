"""The kind of layer that combines samples of a batch with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from augment.core.acting import dense_image
from augment.core.layer import Layer
from augment.data.batch import Batch
from augment.data.context import for_gpu
from augment.data.known import known, unpacked
from augment.data.labels import as_given, mixable
from augment.data.pixels import dtype_of, each, size_of, stacked, to_float
from augment.data.primitives import materialized
from augment.data.subset import Drawn, Parts, on_chosen, where
from augment.data.types import Bool, Integer, Params, PerSample, Size
from augment.draws.arguments import whole
from augment.draws.distributions import Bernoulli
from augment.engine.chunks import chunks_of, in_chunks, may_be_chunked
from augment.geometry.motion import Motion
from augment.kernels.reference.overlay import Overlay, lay_over

_MOST_CLASSES = 10**6

_COUNTED = 4096
"""Number of samples up to which comparing each pair takes less time than a sort."""


class Mix(Layer):
    """Combines samples of a batch with each other, and their labels of any kind (`augment.data.labels`) with them.

    Class attributes, besides the ones of Layer:
        labels_optional: whether a batch may come without class labels, as for detection and segmentation.
        keeps_labels: the layer changes no labels, so they may be of any kind, or missing.

    Example:
        >>> issubclass(A.RandomMixUp, A.Mix)
        True
    """

    by_sample = False
    labels_optional: ClassVar[bool] = False
    keeps_labels: ClassVar[bool] = False

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        """The pure function, with resolved parameters; images are float (B, C, H, W), labels (B, C).

        A layer gives either this or `overlay` and `annotated`.

        Args:
            batch: the samples to change, all of `others` or some of them.
            others: the samples that `params["partner"]` counts.
        """
        raise NotImplementedError

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay | None:
        """Returns what an image of a size shows of its partner's; None if the layer does more than lay it over."""
        return None

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        """Returns the batch with the labels, masks, boxes and keypoints after the overlay; images stay."""
        raise NotImplementedError

    def __init__(self, p: float | Bernoulli = 1.0, same_on_batch: bool = False, num_classes: int | None = None) -> None:
        super().__init__(p, same_on_batch)
        self.num_classes = (
            num_classes if num_classes is None else whole(self, "num_classes", num_classes, 1, _MOST_CLASSES)
        )
        self.quantity("pairing", (0.0, 1.0))

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        """Mixes a batch with itself; on a CPU a large batch is mixed in chunks, once every sample has its partner."""
        whole, drawn = self.prepared(batch), self.paired(params[0])
        if not may_be_chunked([*whole.tensors(), *drawn.values()]):
            return self._as_given(batch, self.mixed(whole, whole, drawn))

        def chunk(rows: slice) -> Batch:
            some = whole.map(lambda part: part[rows])
            mixed = self.mixed(some, whole, {name: value[rows] for name, value in drawn.items()})
            return mixed.replace(image=stacked(unpacked(mixed.image)))

        over = self._overlay(whole, self.resolve(drawn, whole.size))
        at_once = over is not None and lay_over.kernel_for(whole.image, whole.image, over) is not None
        return self._as_given(batch, in_chunks(chunk, [slice(0, len(whole))] if at_once else chunks_of(whole)))

    def prepared(self, batch: Batch) -> Batch:
        """Returns float images, as planes in code for a GPU, and labels with a column per class or target."""
        image = dense_image(self, batch)
        image = each(image, to_float) if for_gpu(batch.device) else to_float(stacked(image))
        dtype = dtype_of(image)
        if self.keeps_labels:
            return batch.replace(image=image)
        if batch.label is None and self.labels_optional:
            return batch.replace(image=image, label=torch.zeros(batch.count, 0, dtype=dtype, device=batch.device))
        if batch.label is None:
            raise ValueError(f"{type(self).__name__} mixes labels too: call it with Batch(image=..., label=...).")
        return batch.replace(image=image, label=mixable(type(self).__name__, batch.label, self.num_classes, dtype))

    def paired(self, params: Params) -> Params:
        """Returns the draws with `partner`, which depends on all samples of the batch."""
        return params | {"partner": self.partner(params)}

    def mixed(self, batch: Batch, others: Batch, drawn: Params) -> Batch:
        """Returns prepared samples: mixed with others where the gate is open, unchanged elsewhere."""
        gate, params = drawn.get("gate"), self.resolve(drawn, batch.size)
        over = self._overlay(batch, params)
        if over is not None:
            told = self.annotated(batch, others, params)
            if gate is not None:
                over, told = over.only(gate), _only(gate, told, batch)
            return told.replace(image=lay_over(batch.image, others.image, over))
        batch, others = (part.replace(image=stacked(unpacked(part.image))) for part in (batch, others))
        if gate is None:
            return self.mix(batch, others, params)
        changing = batch.replace(index=None)
        names, parts = zip(*changing.parts().items(), strict=True)

        def changed(some: Parts, params: Drawn) -> Parts:
            own = changing.replace(**dict(zip(names, some, strict=True)))
            mixed = self.mix(own, others, params[0])
            return tuple(getattr(mixed, name) for name in names)

        return batch.replace(**dict(zip(names, on_chosen(gate, changed, parts, [params]), strict=True)))

    def _overlay(self, batch: Batch, params: Params) -> Overlay | None:
        return self.overlay(params, size_of(unpacked(batch.image)))

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion | None:
        raise ValueError(f"{type(self).__name__} cannot be undone: mixed images cannot be separated.")

    def partner(self, params: Params) -> Tensor:
        """Returns (B,) int64, the number of the sample that each sample is mixed with.

        The samples are sorted by a draw, and each takes the next one, the last the first. So in a batch of two or more
        no sample is mixed with itself, and each is the partner of exactly one other.
        """
        return following(params["pairing"], 1)

    def _as_given(self, batch: Batch, mixed: Batch) -> Batch:
        """Returns the mixed batch with labels in the form of `augment.data.labels`, or without if none were given."""
        if self.keeps_labels:
            return mixed
        label = None if batch.label is None else as_given(known(mixed.label), batch.label, self.num_classes)
        return mixed.replace(label=label)


def following(draws: PerSample, step: int) -> Integer[Tensor, " b"]:
    """Returns the sample that comes `step` places after each one when samples are sorted by a draw, in a circle.

    A sort takes 23 µs on a GPU even for a small batch, so there each sample counts the samples before it.
    """
    if not for_gpu(draws.device) or draws.shape[0] > _COUNTED:
        order = draws.argsort(stable=True)
        return torch.empty_like(order).scatter(0, order, order.roll(-step))
    number = torch.arange(draws.shape[0], device=draws.device)
    before = (draws < draws[:, None]) | ((draws == draws[:, None]) & (number < number[:, None]))
    place = materialized(before.sum(1))
    wanted = (place + step) % draws.shape[0]
    return torch.where(place == wanted[:, None], number, 0).sum(1)


def _only(gate: Bool[Tensor, " b"], new: Batch, old: Batch) -> Batch:
    """Returns the new annotations where the gate is open and the old ones, of the same shapes, elsewhere."""
    changed = {name: part for name, part in new.parts().items() if part is not getattr(old, name)}
    return old.replace(**{name: where(gate, part, getattr(old, name)) for name, part in changed.items()})
