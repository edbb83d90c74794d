"""Layer: everything that augments draws, explains and is called the same way.

noise (B, draws) --params--> raw draws --resolve(size)--> what happens --the kind's function--> the batch
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from augment.batch import Batch, PackedImages, opened
from augment.bounds import REAL_LINE, Range
from augment.distributions import Bernoulli, Distribution
from augment.noise import Numbering, uniform
from augment.pixels import finished, result_dtype
from augment.shorthand import Quantity, as_distribution
from augment.types import Noise, Num, Params, Size


class Layer(nn.Module):
    """Base of everything that augments: draws, parameters, gates, and the call.

    Args:
        p: probability that a sample is augmented; a number or a Bernoulli (learnable if you like).
        same_on_batch: give every sample of a batch the first one's draw.

    Class attributes, declared by each layer:
        deterministic: there is nothing random about it, so it also runs in `eval()`.
        example: constructor arguments of a typical layer (for tests, documentation and previews).
        identity: constructor arguments with which it changes nothing, or None if there are none.
        differentiable: the quantities that the image has a pathwise gradient to. The others, a gate among them, can
            be learned with the score function.
    """

    deterministic: ClassVar[bool] = False
    example: ClassVar[dict[str, Any]] = {}
    identity: ClassVar[dict[str, Any] | None] = None
    differentiable: ClassVar[frozenset[str]] = frozenset()

    dtype: torch.dtype | None = None
    seed: int = 0

    def __init__(self, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__()
        self.same_on_batch = same_on_batch
        self._quantities: dict[str, int] = {}
        self._numbering = Numbering()
        if isinstance(p, (int, float)) and not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p={p} must lie within [0, 1].")
        self.p = p if isinstance(p, Bernoulli) else Bernoulli(p)

    def quantity(
        self,
        name: str,
        value: Quantity,
        legal: Range = REAL_LINE,
        around: float | None = None,
        clip: bool = False,
        count: int = 1,
    ) -> None:
        """Declares a random quantity: `count` independent draws of it, found in `params` under its name."""
        label = f"{type(self).__name__}: {name}"
        setattr(self, name, as_distribution(value, label, legal, around, clip))
        self._quantities[name] = count

    @property
    def draws(self) -> int:
        """How many columns of noise the layer takes, known when it is built."""
        return self.p.draws + sum(getattr(self, name).draws * count for name, count in self._quantities.items())

    def params(self, noise: Noise) -> Params:
        """Maps noise (B, draws) to raw draws: (B,) per quantity, (B, count) where there are several.

        "gate" is a (B,) bool, missing if every sample is augmented.
        """
        if self.same_on_batch:
            noise = noise[:1].expand_as(noise)
        params, start = {}, self.p.draws
        if self.p.draws or self.p.support() == (0.0, 0.0):
            params["gate"] = self.p(noise[:, 0] if self.p.draws else noise.new_zeros(len(noise)))
        for name, count in self._quantities.items():
            distribution: Distribution = getattr(self, name)
            used = distribution.draws * count
            u = noise[:, start : start + used] if used else noise.new_zeros(len(noise), count)
            params[name] = distribution(u if count > 1 else u[:, 0])
            start += used
        return params

    def resolve(self, params: Params, size: Size) -> Params:
        """Turns raw draws into what happens to an image of a size, e.g. fractions into whole pixels."""
        return params

    def apply(self, batch: Batch, params: list[Params], run: list[Layer]) -> Batch:
        """The pure function of a batch and raw draws, for a run of neighbours that are executed together.

        A run starts with this layer; most kinds run alone. Containers have none, they are run by their leaves.
        """
        raise NotImplementedError

    def joins(self, run: list[Layer]) -> bool:
        """Whether this layer can be executed together with a run of layers before it."""
        return False

    def out_size(self, size: Size) -> Size:
        """(height, width) of the output for an input of a size; each a number or a (B,) tensor."""
        return size

    def leaves(self) -> list[Layer]:
        """The layers to run one after another: itself, or for a container what it contains."""
        return [self]

    def leaf_params(self, noise: Noise) -> list[Params]:
        """`params` of every leaf."""
        return [self.params(noise)]

    def noise(
        self,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
        *,
        batch_size: int | None = None,
        device: torch.device | str | None = None,
    ) -> Noise:
        """The draws (B, draws) of the samples with these numbers in an epoch, on `device`.

        Without an index, `batch_size` samples are numbered on from the last call, differently on every rank.
        """
        name = type(self).__name__
        if index is None:
            if batch_size is None:
                raise ValueError(f"{name}.noise: give index=(B,) integers or batch_size.")
            index = self._numbering.take(batch_size, device)
        elif index.ndim != 1 or index.is_floating_point():
            raise ValueError(f"{name}: index must be (B,) integers, got {tuple(index.shape)} {index.dtype}.")
        return uniform(self.seed, epoch, index.to(device or index.device, non_blocking=True), self.draws)

    def forward(
        self,
        images: Num[Tensor, "*b c h w"] | PackedImages | Batch,
        noise: Noise | None = None,
        *,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
    ) -> Num[Tensor, "*b c h2 w2"] | Batch:
        """Augments images, or a Batch with its annotations.

        Args:
            images: (B, C, H, W), (C, H, W) or clips (B, T, C, H, W), uint8 or float in [0, 1]; or PackedImages; or a
                Batch of any of them. The frames of a clip share their draw.
            noise: (B, draws) from `noise(...)` to replay; drawn if not given.
            index, epoch: what keys the draw, if no noise is given; a Batch brings its own index.

        Returns:
            What came in, augmented: images as float (uint8 becomes float32) or `dtype`, channels_last. In `eval()`
            only what is not random is applied.
        """
        batch, frames, close = opened(images)
        if self.training:
            size = len(batch) // frames
            if noise is None:
                index = batch.index if index is None else index
                noise = self.noise(index, epoch, batch_size=size, device=batch.device)
            if noise.shape != (size, self.draws):
                raise ValueError(
                    f"{type(self).__name__}: noise and index must have one row per image, noise {self.draws} columns "
                    f"(`draws`): expected ({size}, {self.draws}), got {tuple(noise.shape)}."
                )
            noise = noise.repeat_interleave(frames, dim=0) if frames > 1 else noise
        with torch.autocast(batch.device.type, enabled=False):  # it rounds positions: 1.4 px in bfloat16
            return close(self.run(batch, noise if self.training else None))

    def run(self, batch: Batch, noise: Noise | None) -> Batch:
        """The pure function: a batch and its noise, or no noise for what is not random, to the finished batch."""
        leaves, dtype = self.leaves(), result_dtype(batch.image, self.dtype)
        if noise is None:
            leaves = [leaf for leaf in leaves if leaf.deterministic]
            empty = torch.zeros(len(batch), 0, device=batch.device)
            params = [leaf.params(empty) for leaf in leaves]
        else:
            params = self.leaf_params(noise)
        for run in _runs(leaves):
            drawn, params = params[: len(run)], params[len(run) :]
            batch = run[0].apply(batch, drawn, run)
        return batch.replace(image=finished(batch.image, dtype))

    def explain(self, noise: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """What one sample gets, as plain data that survives JSON and replays: noise = tensor([explained["noise"]]).

        Args:
            noise: (draws,), one row of `noise(...)`.
            size: (height, width) of the sample's image.

        Returns:
            {"noise": [...], "size": [height, width], "layers": [{"layer": name, "applied": bool, quantity: value or
            list of values, ...}, ...]}, quantities in the units of their layer, pixels where it resolves them.
        """
        described, current = [], tuple(size)
        with torch.no_grad():
            for leaf, drawn in zip(self.leaves(), self.leaf_params(noise[None]), strict=True):
                resolved = leaf.resolve(drawn, current)
                gate = resolved.pop("gate", None)
                values = {name: value[0].tolist() for name, value in resolved.items()}
                applied = True if gate is None else bool(gate[0])
                described.append({"layer": type(leaf).__name__, "applied": applied, **values})
                current = leaf.out_size(current)
        return {"noise": noise.tolist(), "size": list(size), "layers": described}


def _runs(leaves: list[Layer]) -> list[list[Layer]]:
    """Neighbours that are executed together."""
    runs: list[list[Layer]] = []
    for leaf in leaves:
        if runs and leaf.joins(runs[-1]):
            runs[-1].append(leaf)
        else:
            runs.append([leaf])
    return runs
