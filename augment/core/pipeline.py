"""Pipeline: one draw per batch for all layers, neighbouring warps folded, one compiled pass."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augment.core import checks
from augment.core.layer import Layer
from augment.core.mix import Mix
from augment.data.batch import Batch
from augment.data.pixels import finished, result_dtype
from augment.data.types import Noise, Params, PerSample, Size
from augment.draws.arguments import shown
from augment.draws.config import write_yaml
from augment.draws.noise import Key, key_of, uniform
from augment.engine.chunks import may_be_cut
from augment.engine.compiling import MODES, CompiledNoise, CompiledPass
from augment.kernels.cuda.inductor import written


class Pipeline(Layer):
    """Layers one after another, as one differentiable module.

    Args:
        layers: any layers, pipelines among them.
        seed: keys the draws, together with epoch and sample index; any 64-bit integer.
        dtype: of the images that come out, a torch.dtype or its name; None keeps floats as they are and turns uint8
            into float32.
        compile: True or a mode of `torch.compile` to compile the whole pass ("reduce-overhead" replays CUDA graphs,
            with fresh draws each time; what comes out is then for the calling stream, others need a copy); "auto"
            compiles on CUDA; False never. See `augment.engine.compiling`.
    """

    def __init__(
        self, *layers: Layer, seed: int = 0, dtype: torch.dtype | str | None = None, compile: bool | str = "auto"
    ) -> None:
        super().__init__()
        hint = "; put a module of another library in Opaque(...)"
        self.layers = nn.ModuleList(checks.layers(self, layers, Layer, "a layer", hint))
        self.seed = checks.seed(self, seed)
        self.dtype = _dtype(self, dtype)
        if not isinstance(compile, bool) and not (isinstance(compile, str) and compile in ("auto", *MODES)):
            allowed = f"True, False, 'auto' or one of {', '.join(MODES)}"
            raise ValueError(f"{type(self).__name__}: compile={shown(compile)} must be {allowed}.")
        self.compile_mode = compile
        self._compiled: CompiledPass | None = None
        self._compiled_noise: CompiledNoise | None = None
        self._stages: tuple[list[Layer], list[Layer]] | None = None

    @property
    def draws(self) -> int:
        return sum(layer.draws for layer in self.layers)

    def leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.leaves()]

    def fixed_leaves(self) -> list[Layer]:
        return [leaf for layer in self.layers for leaf in layer.fixed_leaves()]

    def leaf_params(self, noise: Noise) -> list[Params]:
        return [p for layer, part in self._parts(noise) for p in layer.leaf_params(part)]

    def log_prob(self, noise: Noise) -> PerSample:
        parts = [layer.log_prob(part) for layer, part in self._parts(noise)]
        return torch.stack(parts).sum(0) if parts else noise.new_zeros(len(noise))

    def _parts(self, noise: Noise) -> list[tuple[Layer, Tensor]]:
        """Each layer with its columns of noise."""
        return list(zip(self.layers, noise.split([layer.draws for layer in self.layers], dim=1), strict=True))

    def out_size(self, size: Size) -> Size:
        for layer in self.layers:
            size = layer.out_size(size)
        return size

    def executed(self, batch: Batch, noise: Noise | None) -> Batch:
        """On a CPU every mix is a stage of its own, so that it and the layers around it can go in pieces."""
        exact = getattr(batch.image, "dtype", torch.uint8) in (torch.uint8, torch.float32)  # what stands between them
        if not (may_be_cut(self, batch) and exact):
            return super().executed(batch, noise)
        stages = self._between_mixes()
        if noise is None:
            stages = [stage for stage in stages if stage.fixed_leaves()]
        if not stages:
            return super().executed(batch, noise)
        dtype = result_dtype(batch.image, self.dtype)
        noises = [None] * len(stages) if noise is None else noise.split([stage.draws for stage in stages], dim=1)
        for stage, part in zip(stages, noises, strict=True):
            batch = stage.executed(batch, part)
        return batch.replace(image=finished(batch.image, dtype))

    def _flat(self) -> list[Layer]:
        """The layers, those of pipelines in the place of these."""
        return [inner for layer in self.layers for inner in (layer._flat() if isinstance(layer, Pipeline) else [layer])]

    def _between_mixes(self) -> list[Layer]:
        """Every mix, and the layers between them as pipelines; nothing where there is no mix."""
        layers = self._flat()
        if not any(map(_is_mix, layers)):
            return []
        if self._stages is None or self._stages[0] != layers:
            groups = itertools.groupby(enumerate(layers), key=lambda place: place[0] if _is_mix(place[1]) else None)
            runs = [[layer for _, layer in group] for _, group in groups]
            stages = [run[0] if _is_mix(run[0]) else Pipeline(*run, compile=self.compile_mode) for run in runs]
            self._stages = layers, stages
        stages = self._stages[1]
        if isinstance(stages[-1], Pipeline):
            stages[-1].dtype = self.dtype
        return stages

    def _noise_for(
        self, batch: Batch, size: int, noise: Noise | None, index: Tensor | None, epoch: int | Tensor
    ) -> Noise | Key:
        """What is compiled for a GPU draws where it augments, so that the host makes one call instead of two."""
        here = batch.device.type == "cuda" and self.compiles_on(batch.device) and not torch.compiler.is_compiling()
        if noise is not None or not here or size != len(batch):  # frames share their draws
            return super()._noise_for(batch, size, noise, index, epoch)
        numbers = self._numbers(batch.index if index is None else index, size, batch.device)
        return key_of(numbers, epoch)

    def _drawn_and_run(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        if isinstance(noise, Key):
            noise = written(uniform(self.seed, noise.epoch, noise.index, self.draws))
        return super().run(batch, noise)

    def run(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        if not self.compiles_on(batch.device) or torch.compiler.is_compiling():
            return super().run(batch, noise)
        if self._compiled is None:
            self._check_device(batch.device)
            mode = self.compile_mode if self.compile_mode not in (True, "auto") else None
            self._compiled = CompiledPass(self, self._drawn_and_run, mode)
        return self._compiled(batch, noise)

    def draw(self, epoch: int | Tensor, index: Tensor) -> Noise:
        if index.device.type != "cuda" or not self.compiles_on(index.device) or torch.compiler.is_compiling():
            return super().draw(epoch, index)
        if self._compiled_noise is None:
            self._compiled_noise = CompiledNoise()
        return self._compiled_noise(self.seed, epoch, index, self.draws)

    def _check_device(self, device: torch.device) -> None:
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.ndim and tensor.device != device:
                raise ValueError(
                    f"Pipeline: the images are on {device}, but what its layers hold is on {tensor.device}: "
                    f"call .to({str(device)!r}) on the pipeline, or on the model that holds it."
                )

    def compiles_on(self, device: torch.device) -> bool:
        """Whether batches on a device are compiled; never with a layer that no graph can hold, such as Opaque."""
        wanted = device.type == "cuda" if self.compile_mode == "auto" else bool(self.compile_mode)
        return wanted and all(leaf.compilable for leaf in self.leaves())

    def export(self, path: str | Path) -> None:
        """Writes it as YAML, with whatever it has learned as fixed numbers: it draws the same from the same noise.

        Raises:
            TypeError: it holds a layer that is no plain data, such as Opaque.
        """
        write_yaml(self.config(), path)

    def __getstate__(self) -> dict[str, Any]:
        """Compiled code is not copied or pickled with the module."""
        return self.__dict__ | {"_compiled": None, "_compiled_noise": None, "_stages": None}

    def extra_repr(self) -> str:
        return f"seed={self.seed}, dtype={self.dtype}, compile={self.compile_mode!r}"


def _is_mix(layer: Layer) -> bool:
    return isinstance(layer, Mix)


def _dtype(owner: Pipeline, value: torch.dtype | str | None) -> torch.dtype | None:
    dtype = getattr(torch, value, None) if isinstance(value, str) else value
    if value is None or (isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype == torch.uint8)):
        return dtype
    raise ValueError(f"{type(owner).__name__}: dtype={shown(value)} must be a floating-point type, uint8 or None.")
