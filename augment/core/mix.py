"""The kind of layer that combines samples of a batch with each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from augment.core.kinds import dense_image
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
"""Samples up to which the comparison of all with all takes less than a sort."""


class Mix(Layer):
    """Combines samples of a batch with each other, and their labels of any kind (`augment.data.labels`) with them.

    Class attribute, beside those of Layer:
        labels_optional: whether a batch may come without class labels, as for detection and segmentation.
    """

    by_sample = False
    labels_optional: ClassVar[bool] = False

    def mix(self, batch: Batch, others: Batch, params: Params) -> Batch:
        """The pure function, with resolved parameters; images are float (B, C, H, W), labels (B, C).

        A layer gives either this or `overlay` and `annotated`.

        Args:
            batch: the samples to change, all of `others` or some of them.
            others: the samples that `params["partner"]` counts.
        """
        raise NotImplementedError

    def overlay(self, params: Params, size: tuple[int, int]) -> Overlay | None:
        """What a sample's image, of a size, shows of its partner's, from resolved parameters; None if it does more."""
        return None

    def annotated(self, batch: Batch, others: Batch, params: Params) -> Batch:
        """The labels, masks, boxes and keypoints that go with the overlay; images stay."""
        raise NotImplementedError

    def __init__(self, p: float | Bernoulli = 1.0, same_on_batch: bool = False, num_classes: int | None = None) -> None:
        super().__init__(p, same_on_batch)
        self.num_classes = (
            num_classes if num_classes is None else whole(self, "num_classes", num_classes, 1, _MOST_CLASSES)
        )
        self.quantity("pairing", (0.0, 1.0))

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        """Once every sample has a partner and is prepared, a large batch on a CPU is mixed a few samples at a time."""
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
        """Float images, as planes in code for a GPU, and labels that have a column a class or target."""
        image = dense_image(self, batch)
        image = each(image, to_float) if for_gpu(batch.device) else to_float(stacked(image))
        dtype = dtype_of(image)
        if batch.label is None and self.labels_optional:
            return batch.replace(image=image, label=torch.zeros(len(batch), 0, dtype=dtype, device=batch.device))
        if batch.label is None:
            raise ValueError(f"{type(self).__name__} mixes labels too: call it with Batch(image=..., label=...).")
        return batch.replace(image=image, label=mixable(type(self).__name__, batch.label, self.num_classes, dtype))

    def paired(self, params: Params) -> Params:
        """The draws with `partner`: what takes all samples of a batch to be decided."""
        return params | {"partner": self.partner(params)}

    def mixed(self, batch: Batch, others: Batch, drawn: Params) -> Batch:
        """Those of the prepared samples that the gate lets through mixed with others, and the rest as they are."""
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
        raise ValueError(f"{type(self).__name__} cannot be undone: what was mixed does not come apart.")

    def partner(self, params: Params) -> Tensor:
        """(B,) int64: whom each sample is mixed with.

        The batch is put in the order of a draw and everybody takes the next one, the last the first: nobody is
        paired with itself (in a batch of two or more), and everybody is somebody's partner once.
        """
        return following(params["pairing"], 1)

    def _as_given(self, batch: Batch, mixed: Batch) -> Batch:
        """With labels as `augment.data.labels` says; without if the batch came without."""
        label = None if batch.label is None else as_given(known(mixed.label), batch.label, self.num_classes)
        return mixed.replace(label=label)


def following(draws: PerSample, step: int) -> Integer[Tensor, " b"]:
    """Who stands `step` places after each sample in a batch put in the order of a draw; after the last comes the first.

    A sort takes a GPU 23 µs for the smallest batch. There each sample counts how many come before it instead.
    """
    if not for_gpu(draws.device) or len(draws) > _COUNTED:
        order = draws.argsort(stable=True)
        return torch.empty_like(order).scatter(0, order, order.roll(-step))
    number = torch.arange(len(draws), device=draws.device)
    before = (draws < draws[:, None]) | ((draws == draws[:, None]) & (number < number[:, None]))
    place = materialized(before.sum(1))
    wanted = (place + step) % len(draws)
    return torch.where(place == wanted[:, None], number, 0).sum(1)


def _only(gate: Bool[Tensor, " b"], new: Batch, old: Batch) -> Batch:
    """The new annotations of some samples, the old ones, which have the same shapes, of the rest."""
    changed = {name: part for name, part in new.parts().items() if part is not getattr(old, name)}
    return old.replace(**{name: where(gate, part, getattr(old, name)) for name, part in changed.items()})
