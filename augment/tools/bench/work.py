"""The task that every implementation performs, and the description of an implementation."""

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
    """Input and output of every implementation: the same bytes on the device -> normalised floats on the device.

    Attributes:
        images: (B, 3, H, W) uint8, channels_last, as decoders deliver them.
        labels: (B,) int64.
        out: side of the output in pixels.
        dtype: dtype of the output.
        threads: number of CPU threads.
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
    """Raised if an implementation lacks an operator."""


def failure(error: Exception) -> str:
    """Return the note of an implementation that did not run: the error's type and the beginning of its message.

    Example:
        >>> failure(ValueError("no such size"))
        'failed: ValueError: no such size'
    """
    message = str(error).strip().splitlines() or [""]
    return f"failed: {type(error).__name__}: {message[0][:120]}"


Run = Callable[[], Any]
"""A function that processes the task's batch once."""

Table = dict[str, Callable[[Task], Any]]
"""Operator name -> function that creates the operator."""


def installed(package: str) -> str | None:
    """Return the installed version of a package; None if it is missing."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Implementation:
    """One column of the comparison.

    Attributes:
        name: name in reports.
        package: PyPI package; several if there is one per CUDA version, the first being the one to install.
        parameters: "per sample" or "one per batch": the number of draws for a batch.
        differentiable: whether gradients reach the images, for operators that have gradients.
        build: task, operators -> run; raises NotOfferedError.
        devices: device types that it supports.
    """

    name: str
    package: str | tuple[str, ...]
    parameters: str
    differentiable: bool
    build: Callable[[Task, Sequence[str]], Run]
    devices: tuple[str, ...] = ("cpu", "cuda")

    def missing(self, device: torch.device) -> str | None:
        """Return the reason why it cannot run; None if it can."""
        packages = (self.package,) if isinstance(self.package, str) else self.package
        if not any(installed(package) for package in packages):
            return f"not installed (pip install {packages[0]})"
        return None if device.type in self.devices else f"does not run on {device.type}"


def translated(table: Table, operators: Sequence[str], task: Task) -> list[Any]:
    """Translate operators to an implementation's own objects."""
    unknown = [name for name in operators if name not in table]
    if unknown:
        raise NotOfferedError(f"has no {', '.join(unknown)}")
    return [table[name](task) for name in operators]
