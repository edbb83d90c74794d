"""The compiled pass of a pipeline: one graph, for batches of every size.

Torch also keeps compiled code on disk (Inductor's FX graph cache, in TORCHINDUCTOR_CACHE_DIR, by default in the
system's temporary folder), so that only the first process on a machine compiles. If temporary folders do not outlive
the job, set the variable to a folder that does, or that the nodes share.
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from augment.data import private_torch
from augment.data.batch import Batch
from augment.data.context import on_gpu
from augment.data.packed import Origin, PackedImages
from augment.data.types import Noise
from augment.draws.noise import Key, drawn, key_of
from augment.engine.cuda_graphs import Pass, Replayed

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
CUDA_GRAPHED = {"reduce-overhead": "default", "max-autotune": "max-autotune-no-cudagraphs"}
"""The modes that replay CUDA graphs (`augment.engine.cuda_graphs`), each with the mode in which its code is compiled.
The keys of the draws are inputs, so every replay draws anew.
"""

_OPTIONS = {"triton.max_tiles": 1}
"""Options of Inductor: without square tiles, which were slower for writing a batch as channels_last."""

_SIZES = 32
"""Number of image sizes that a pipeline compiles for; further sizes run in eager mode."""


class CompiledPass:
    """Calls a pure function of (batch, noise) through `torch.compile(fullgraph=True)`.

    The number of samples is a variable of the compiled code, so a smaller last batch does not compile again. Height and
    width are constants, so a new image size does, except for packed images, whose sizes are data.
    """

    def __init__(self, module: nn.Module, function: Pass, mode: str | None) -> None:
        known = inspect.signature(torch.compile).parameters
        # each pipeline counts its own compilations where torch can; otherwise all pipelines of a process share 8
        own = {"isolate_recompiles": True, "recompile_limit": _SIZES} if "isolate_recompiles" in known else {}
        self.compiled = _compiled(function, mode, **own)
        self.full = False
        self.replayed = Replayed(module, self.launched) if mode in CUDA_GRAPHED else None

    def __call__(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        run = self.replayed if self.replayed and on_gpu(batch.device) else self.launched
        return run(batch, noise)

    def launched(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        """Runs the compiled pass, kernel by kernel."""
        batch = batch.map(_with_variable_length)
        if noise is not None:
            _with_variable_length(noise.index if isinstance(noise, Key) else noise)
        return self._known(batch, noise) if self.full else self._known_or_new(batch, noise)

    def _known_or_new(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        try:
            return self.compiled(batch, noise)
        except private_torch.recompile_limit_errors():
            self.full = True
        warnings.warn(
            "Pipeline: too many image sizes or pipelines were compiled already, so that new ones run in eager mode; "
            "bring images to fewer sizes first, or give PackedImages.",
            stacklevel=2,
        )
        return self._known(batch, noise)

    def _known(self, batch: Batch, noise: Noise | Key | None) -> Batch:
        """Compiled code where there is some, eager mode elsewhere."""
        with torch.compiler.set_stance("eager_on_recompile"):
            return self.compiled(batch, noise)


class CompiledNoise:
    """`augment.draws.noise.drawn` as one kernel instead of a hundred, whose launches a GPU would wait for."""

    def __init__(self) -> None:
        self.compiled = _compiled(drawn.reference, None)

    def __call__(self, index: Tensor, seed: int, epoch: int | Tensor, columns: int) -> Noise:
        index, epoch = key_of(_with_variable_length(index), epoch)
        return self.compiled(index, seed, epoch, columns)


def _compiled(function: Callable[..., Any], mode: str | None, **options: Any) -> Callable[..., Any]:
    of_mode = private_torch.mode_options(CUDA_GRAPHED.get(mode, mode) if mode else "default")
    return torch.compile(function, fullgraph=True, options=of_mode | _OPTIONS, **options)


def _with_variable_length(part: Any) -> Any:
    """Tells the compiler that the first dimension varies, and brings what is static of packed images to few values."""
    if isinstance(part, PackedImages):
        _with_variable_length(part.data)
        _with_variable_length(part.sizes)
        origin = None if part.origin is None else _rounded_origin(part.origin)
        return part.unchecked(max_size=(_rounded_up(max(part.max_size)),) * 2, origin=origin)
    private_torch.mark_dynamic(part, 0)
    return part


def _rounded_origin(origin: Origin) -> Origin:
    origin = origin.map(_with_variable_length)
    largest = _rounded_up(max(origin.max_size))
    left = _rounded_up(math.ceil(origin.max_scale * max(origin.max_size)))
    return replace(origin, max_size=(largest, largest), max_scale=left / largest)


def _rounded_up(extent: int) -> int:
    """The next of 2, 3, 4, 6, 8, 12 ...: the largest size of a batch decides how many taps the code has."""
    power = 1 << max(extent - 1, 1).bit_length()
    return power * 3 // 4 if extent <= power * 3 // 4 else power
