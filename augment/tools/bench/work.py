"""The work that every implementation is given, and what it says about how it does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSES = 1000


@dataclass(frozen=True)
class Task:
    """Where everybody starts and ends: the same bytes on the device -> normalised floats on the device.

    Attributes:
        images: (B, 3, H, W) uint8, channels_last, as decoders deliver them.
        labels: (B,) int64.
        out: side of the output in pixels.
        dtype: of the output.
        threads: on the CPU.
    """

    images: Tensor
    labels: Tensor
    out: int
    dtype: torch.dtype
    threads: int

    @property
    def device(self) -> torch.device:
        return self.images.device


class NotOfferedError(Exception):
    """The implementation has no such operator."""


Run = Callable[[], Any]
"""Processes the task's batch once."""

Table = dict[str, Callable[[Task], Any]]
"""Operator name -> what makes it."""


def installed(package: str) -> str | None:
    """The version, if it is there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Implementation:
    """One column of the comparison.

    Attributes:
        name: as printed.
        package: of PyPI; several where there is one for each CUDA, the first being what to install.
        parameters: "per sample", or "one per batch": how many draws a batch gets.
        differentiable: whether gradients reach the images where the operator has any.
        build: task, operators -> run; raises NotOfferedError.
        devices: where it runs.
    """

    name: str
    package: str | tuple[str, ...]
    parameters: str
    differentiable: bool
    build: Callable[[Task, Sequence[str]], Run]
    devices: tuple[str, ...] = ("cpu", "cuda")

    def missing(self, device: torch.device) -> str | None:
        """Why it cannot take part, if so."""
        packages = (self.package,) if isinstance(self.package, str) else self.package
        if not any(installed(package) for package in packages):
            return f"not installed (pip install {packages[0]})"
        return None if device.type in self.devices else f"does not run on {device.type}"


def translated(table: Table, operators: Sequence[str], task: Task) -> list[Any]:
    """The operators as an implementation's own objects."""
    unknown = [name for name in operators if name not in table]
    if unknown:
        raise NotOfferedError(f"has no {', '.join(unknown)}")
    return [table[name](task) for name in operators]
