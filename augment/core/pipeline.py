"""Pipeline: one draw per batch for all layers, neighbouring warps folded, one compiled pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import ModuleList

from augment.core import checks
from augment.core.fills import settle_means
from augment.core.layer import Layer
from augment.data.channels import checked_channels
from augment.data.known import Modules
from augment.data.pixels import LEVELS
from augment.data.types import Integer, Noise, Params, PerSample, Size
from augment.draws import keys
from augment.draws.arguments import shown
from augment.draws.config import write_yaml
from augment.draws.followed import inputs_after
from augment.engine.compiling import MODES
from augment.engine.execution import compiles
from augment.engine.looks_at import Look, looks_at


class Pipeline(Layer):
    """Layers one after another, as one differentiable module.

    Args:
        layers: any layers, pipelines among them.
        seed: keys the draws, together with epoch and sample index; any 64-bit integer.
        dtype: of the images that come out, a torch.dtype or its name; None keeps floats as they are and turns integers
            into float32.
        compile: True or a mode of `torch.compile` to compile the whole pass ("reduce-overhead" replays CUDA graphs,
            with fresh draws each time; what comes out is then for the calling stream, others need a copy); "auto"
            compiles on CUDA; False never. See `augment.engine.compiling`.
        color_channels: the channels of the images that are red, green and blue, or the one that is grey, for images
            with other channels, such as infrared; None for the usual order, see docs/inputs.md.

    Example:
        >>> images = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
        >>> pipeline = A.Pipeline(A.RandomCrop(12), A.RandomHorizontalFlip(), A.Normalize(0.5, 0.5), seed=0)
        >>> index = torch.tensor([3, 8])
        >>> pipeline(images, index=index, epoch=1).shape
        torch.Size([2, 3, 12, 12])
        >>> noise = pipeline.noise(index=index, epoch=1)
        >>> pipeline(images, noise=noise).equal(pipeline(images, index=index, epoch=1))
        True
    """

    def __init__(
        self,
        *layers: Layer,
        seed: int = 0,
        dtype: torch.dtype | str | None = None,
        compile: bool | str = "auto",
        color_channels: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if any(isinstance(layer, (list, tuple, ModuleList)) for layer in layers):
            name = type(self).__name__
            raise TypeError(
                f"{name}: layers are given one by one, not in a list: {name}(first, second) or {name}(*layers)."
            )
        hint = "; put a module of another library in Opaque(...)"
        self.layers: Modules[Layer] = Modules(checks.layers(self, layers, Layer, "a layer", hint))
        settle_means(self.leaves())
        self.seed = keys.seed(self, seed)
        self.dtype = _dtype(self, dtype)
        self.color_channels = checked_channels(type(self).__name__, color_channels)
        if not isinstance(compile, bool) and not (isinstance(compile, str) and compile in ("auto", *MODES)):
            allowed = f"True, False, 'auto' or one of {', '.join(MODES)}"
            raise ValueError(f"{type(self).__name__}: compile={shown(compile)} must be {allowed}.")
        self.compile_mode = compile

    @property
    def draws(self) -> int:
        return sum(layer.draws for layer in self.layers)

    def inputs(self) -> list[tuple[int, str]]:
        return inputs_after(None, self.layers)

    def leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]

    def fixed_leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.fixed_leaves()]

    def leaf_params(self, noise: Noise) -> list[Params]:
        return [p for layer, part in self._parts(noise) for p in layer.leaf_params(part)]

    def log_prob(self, noise: Noise) -> PerSample:
        parts = [layer.log_prob(part) for layer, part in self._parts(noise)]
        return torch.stack(parts).sum(0) if parts else noise.new_zeros(noise.shape[0])

    def _parts(self, noise: Noise) -> list[tuple[Layer, Tensor]]:
        """Each layer with its columns of noise."""
        return list(zip(self.layers, noise.split([layer.draws for layer in self.layers], dim=1), strict=True))

    def out_size(self, size: Size) -> Size:
        for layer in self.layers:
            size = layer.out_size(size)
        return size

    def looks_at(self, sizes: Integer[Tensor, "b 2"], noise: Noise | None = None) -> Look:
        """Tells before images are decoded which part of each will be read, and how much smaller it may be decoded.

        Args:
            sizes: (B, 2) heights and widths of the images, on the CPU.
            noise: (B, draws) from `noise(...)`; None for what `eval()` does.

        Returns:
            See `augment.engine.looks_at.Look`; give the result of such a decoder as PackedImages with an `origin`.
        """
        if noise is not None:
            checks.given_noise(self, noise, sizes.device, len(sizes), self.draws)
        with torch.no_grad():
            return looks_at(self, sizes, noise)

    def compiles_on(self, device: torch.device) -> bool:
        """Whether batches on a device are compiled; never with a layer that no graph can hold, such as Opaque."""
        return compiles(self, device)

    def export(self, path: str | Path) -> None:
        """Writes it as YAML, with whatever it has learned as fixed numbers: it draws the same from the same noise.

        Raises:
            TypeError: it holds a layer that is no plain data, such as Opaque.
        """
        write_yaml(self.config(), path)

    def extra_repr(self) -> str:
        channels = "" if self.color_channels is None else f", color_channels={self.color_channels}"
        return f"seed={self.seed}, dtype={self.dtype}, compile={self.compile_mode!r}{channels}"


def _dtype(owner: Pipeline, value: torch.dtype | str | None) -> torch.dtype | None:
    dtype = getattr(torch, value, None) if isinstance(value, str) else value
    if value is None or (isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype in LEVELS)):
        return dtype
    raise ValueError(
        f"{type(owner).__name__}: dtype={shown(value)} must be a floating-point type, uint8, uint16, int16 or None."
    )
