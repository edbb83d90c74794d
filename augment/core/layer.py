"""Layer: everything that augments draws, explains and is called the same way.

noise (B, draws) --params--> raw draws --resolve(size)--> what happens --the kind's function--> the batch
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, overload

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.data.batch import Batch
from augment.data.context import without_autocast
from augment.data.packed import PackedImages
from augment.data.types import Bool, Float, Noise, Num, Params, PerSample, Size
from augment.draws import keys
from augment.draws.arguments import number
from augment.draws.bounds import REAL_LINE, Range
from augment.draws.config import Configured
from augment.draws.distributions import Bernoulli, Distribution
from augment.draws.noise import Key
from augment.draws.quantities import columns, log_prob, own_draws, own_inputs
from augment.draws.shorthand import Quantity, as_distribution, check_reached
from augment.engine.clips import noise_of_frames
from augment.engine.execution import execute, key_for, noise_asked, noise_of, numbers_of, undone
from augment.engine.explanation import explained
from augment.engine.opening import index_of, opened
from augment.geometry.motion import Motion

Pixels = Num[Tensor, "*b c h w"] | PackedImages


class Layer(Configured, nn.Module):
    """Base of everything that augments: draws, parameters, gates, and the call.

    Args:
        p: probability that a sample is augmented; a number or a Bernoulli (learnable if you like).
        same_on_batch: give every sample of a batch the first one's draw.

    Class attributes, declared by each layer:
        deterministic: it has no random draws, so it also runs in `eval()`.
        example: constructor arguments of a typical layer (for tests, documentation and previews).
        identity: constructor arguments with which it changes nothing, or None if there are none.
        differentiable: the quantities with a pathwise gradient. Of the other quantities only gates and choices can be
            learned, by the score function.
        estimated: the quantities whose gradient passes through a rounding unchanged.
        image_gradient: "exact"; "straight-through" if it passes a rounding unchanged; "none" if it is 0 or undefined.
        compilable: False if the host reads values, so that no compiled graph can contain the layer.
        by_sample: False if the result of a sample depends on the other samples of its batch.
        on_bytes: the layer works on bytes; if it acts on every sample, floats are rounded to 256 levels first.

    Example:
        >>> A.RandomRotation(15.0, p=0.5).draws  # columns of noise: the angle, and whether it acts
        2
    """

    deterministic: bool = False
    example: ClassVar[dict[str, Any]] = {}
    identity: ClassVar[dict[str, Any] | None] = None
    differentiable: ClassVar[frozenset[str]] = frozenset()
    estimated: ClassVar[frozenset[str]] = frozenset()
    image_gradient: ClassVar[str] = "exact"
    compilable: ClassVar[bool] = True
    by_sample: ClassVar[bool] = True
    on_bytes: bool = False

    dtype: torch.dtype | None = None
    seed: int = 0
    color_channels: tuple[int, ...] | None = None
    compile_mode: bool | str = False

    def __init__(self, p: float | Bernoulli = 1.0, same_on_batch: bool = False) -> None:
        super().__init__()
        self.same_on_batch = same_on_batch
        self._quantities: dict[str, int | None] = {}
        self._followed: tuple[str, ...] = ()
        kind = "a number or a Bernoulli"
        self.p = p if isinstance(p, Bernoulli) else Bernoulli(number(self, "p", p, 0.0, 1.0, kind))

    def quantity(
        self,
        name: str,
        value: Quantity,
        legal: Range = REAL_LINE,
        around: float | None = None,
        clip: bool = False,
        count: int | None = None,
    ) -> Distribution:
        """Declares and returns a random quantity, found in `params` by name: (B,), or (B, count) independent draws."""
        label = f"{type(self).__name__}: {name}"
        distribution = as_distribution(value, label, legal, around, clip)
        if name not in self.differentiable | self.estimated:
            check_reached(distribution, label)
        setattr(self, name, distribution)
        self._quantities[name] = count
        if distribution.of is not None:
            self._followed = tuple(sorted({*self._followed, distribution.of}))
        return distribution

    @property
    def own_draws(self) -> int:
        """Number of columns of noise for its own quantities, without the layers that it contains."""
        return own_draws(self)

    @property
    def draws(self) -> int:
        """Number of columns of noise that the layer reads; fixed at construction."""
        return self.own_draws

    def inputs(self) -> list[tuple[int, str]]:
        """Returns the columns of noise that hold what schedules follow, each with its name; see `A.Schedule`."""
        return own_inputs(self)

    def params(self, noise: Noise) -> Params:
        """Maps noise (B, own_draws) to raw draws: (B,) per quantity, (B, count) where a count was declared.

        "gate" is a (B,) bool, missing if every sample is augmented.
        """
        return {"gate" if name == "p" else name: draw(uniforms) for name, draw, uniforms in columns(self, noise)}

    def log_prob(self, noise: Noise) -> PerSample:
        """(B,) log P of the gates and choices that each sample drew, differentiable in their learnable probabilities.

        The score function's ingredient: the gradient of an expectation has the term loss * grad log P.

        Raises:
            ValueError: with same_on_batch, where no sample drew anything else to compare with.
        """
        return log_prob(self, noise)

    def resolve(self, params: Params, size: Size) -> Params:
        """Turns raw draws into what happens to an image of a size, e.g. fractions into whole pixels."""
        return params

    def acts_on(self, params: Params) -> Bool[Tensor, " b"] | None:
        """Returns which samples it changes, from raw draws; None for all."""
        return params.get("gate")

    def describe(self, params: Params) -> dict[str, Any]:
        """Returns the resolved parameters of one sample as plain data."""
        return {name: value[0].tolist() for name, value in params.items() if name != "gate"}

    def transform(self, batch: Batch, params: list[Params], run: Sequence[Layer], kept: torch.dtype) -> Batch:
        """Applies a run of neighbouring layers that are executed together: a pure function of batch and raw draws.

        The run starts with this layer; most kinds run alone. Containers do not implement it: their leaves run.

        Args:
            batch: images as a tensor, as planes, or packed; with their annotations.
            params: raw draws of each layer of the run.
            run: the layers.
            kept: the type in which a GPU kernel may return floats, or uint8 if the next layer works on bytes.
        """
        raise NotImplementedError

    def joins(self, run: Sequence[Layer]) -> bool:
        """Whether this layer can be executed together with a run of layers before it."""
        return False

    def motion(self, size: Size, max_size: tuple[int, int], params: Params, like: Tensor) -> Motion | None:
        """Returns how it moves positions, from raw draws; None if it moves nothing."""
        return None

    def out_size(self, size: Size) -> Size:
        """Returns (height, width) of the output for an input of a size; each a number or a (B,) tensor."""
        return size

    def leaves(self) -> list[Layer]:
        """Returns the layers to run one after another: itself, or the leaves of its layers if it is a container."""
        return [self]

    def fixed_leaves(self) -> list[Layer]:
        """Returns the leaves that are not random, which are the ones that run in `eval()`."""
        return [self] if self.deterministic else []

    def leaf_params(self, noise: Noise) -> list[Params]:
        """Returns `params` of every leaf."""
        return [self.params(noise)]

    def noise(
        self,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
        *,
        batch_size: int | None = None,
        device: torch.device | str | None = None,
        given: Mapping[str, float | Tensor] | None = None,
    ) -> Noise:
        """Returns the draws (B, draws) of the samples with these numbers in an epoch, on `device`.

        Without an index, `batch_size` samples get fresh draws, keyed by torch's default CPU generator and the rank:
        `torch.manual_seed` repeats them. `given` maps names that schedules follow to numbers in [0, 1], one or (B,).
        """
        return noise_asked(self, index, epoch, batch_size, device, given)

    def forward(
        self,
        images: Pixels | Batch,
        noise: Noise | None = None,
        *,
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
    ) -> Num[Tensor, "*b c h2 w2"] | Batch:
        """Augments images, or a Batch with its annotations.

        Args:
            images: (B, C, H, W), (C, H, W) or clips (B, T, C, H, W), uint8, uint16, int16 from 0 on, or float in
                [0, 1]; or PackedImages; or a Batch of any of them. The frames of a clip share their draw.
            noise: (B, draws) from `noise(...)` to replay; drawn if not given.
            index, epoch: what keys the draw, if no noise is given; a Batch brings its own index. Without an index
                every call draws anew, keyed by torch's default CPU generator.

        Returns:
            The input, augmented: images as float (integers become float32) or in `dtype`, channels_last. In `eval()`
            only layers that are not random run.

        Raises:
            TypeError, ValueError: images, annotations or noise that do not fit each other; see `augment.engine.inputs`.
        """
        batch, frames, close = opened(images, color_channels=self.color_channels)
        drawn = self._drawn(batch, frames, noise, index_of(images, index), epoch)
        with without_autocast(batch.device):
            return close(execute(self, batch, drawn))

    if TYPE_CHECKING:  # torch declares no type for calls of modules

        @overload
        def __call__(
            self, images: Batch, noise: Noise | None = None, *, index: Tensor | None = None, epoch: int | Tensor = 0
        ) -> Batch: ...
        @overload
        def __call__(
            self, images: Pixels, noise: Noise | None = None, *, index: Tensor | None = None, epoch: int | Tensor = 0
        ) -> Num[Tensor, "*b c h2 w2"]: ...
        def __call__(self, *arguments: Any, **named: Any) -> Any: ...

    def _drawn(
        self, batch: Batch, frames: int, noise: Noise | None, index: Tensor | None, epoch: int | Tensor
    ) -> Float[Tensor, "frames n"] | Key | None:
        """Returns the noise of all frames, given and checked, or new; None in `eval()`."""
        size = batch.count // frames
        if noise is not None:
            checks.given_noise(self, noise, batch.device, size, self.draws)
        epoch = keys.epoch(self, epoch)
        if not self.training:
            return None
        if noise is None:
            if key := key_for(self, batch, size, index, epoch):
                return key
            noise = noise_of(self, epoch, numbers_of(self, index, size, batch.device))
        return noise_of_frames(self, noise, frames)

    def inverse(
        self,
        batch: Batch,
        noise: Noise | None = None,
        *,
        size: tuple[int, int],
        index: Tensor | None = None,
        epoch: int | Tensor = 0,
    ) -> Batch:
        """Takes predictions back to the original images: undoes the geometry and nothing else.

        Args:
            batch: in the geometry of the augmented images; `image` may be any maps (B, K, h, w), e.g. scores, of the
                size (h, w) of these.
            noise: what the images were augmented with, or index and epoch; not needed in `eval()`.
            size: (height, width) of the original images.

        Returns:
            Maps (interpolated), masks (nearest), boxes and keypoints on the original images; 0 where the augmented
            images did not show them.
        """
        index = index_of(batch, index)
        batch, frames, close = opened(batch, maps=True)
        size = checks.image_size(self, size)
        drawn = self._drawn(batch, frames, noise, index, epoch)
        with without_autocast(batch.device):
            return close(undone(self, batch, drawn, size))

    def explain(self, noise: Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Describes what one sample gets, as plain data for JSON; noise = tensor([explained["noise"]]) replays it.

        Args:
            noise: (draws,), one row of `noise(...)`.
            size: (height, width) of the sample's image.

        Returns:
            {"noise": [...], "size": [height, width], "layers": [{"layer": name, "applied": bool, quantity: value or
            list of values, ...}, ...]}, in the units of the layer, or pixels; "warning" if kernels are not installed.
        """
        size = checks.image_size(self, size)
        checks.noise_of_one(self, noise, self.draws)
        return explained(self, noise, size)

    def __getstate__(self) -> dict[str, Any]:  # without plans and compiled code
        return {name: value for name, value in self.__dict__.items() if name not in ("_plans", "_compiled")}
