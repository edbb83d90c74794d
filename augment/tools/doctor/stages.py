"""Which stage of training limits its speed: data, augmentation or network."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from augment.tools.doctor.findings import NOTE, SLOW, Report
from augment.tools.step.training import backbone

_DIVIDED = 5
"""Of one batch, every fifth image is read to measure one core."""

Step = Callable[[Tensor], None]


@dataclass(frozen=True)
class Stages:
    """Seconds per batch that the main process spends on each stage.

    Attributes:
        data: waiting for the loader, or loading if it has no workers.
        augmentation: copying the batch to the device, and the pipeline.
        network: the step of the network, 0 if there is none.
    """

    data: float
    augmentation: float
    network: float = 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Return the share of each stage that takes time."""
        whole = max(self.data + self.augmentation + self.network, 1e-9)
        seconds = {"data": self.data, "augmentation": self.augmentation, "network": self.network}
        return {name: value / whole for name, value in seconds.items() if value or name != "network"}


def training_step(name: str, device: torch.device) -> Step:
    """Return a step of a timm network with random weights, on a GPU in bfloat16.

    Example:
        >>> step = training_step("resnet18", torch.device("cpu"))
        >>> step(torch.rand(2, 3, 64, 64))
    """
    network = backbone(name).to(device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)

    def step(images: Tensor) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            out = network(images.to(torch.float32))
            loss = nn.functional.cross_entropy(out, torch.zeros(len(out), dtype=torch.int64, device=device))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def check_stages(report: Report, stages: Stages, loader: Any, batch: int) -> None:
    """Name the stage that takes most of the time, and what to do about it."""
    report.figures["loader, images/s"] = round(batch / max(stages.data, 1e-9))
    report.figures["pipeline, images/s"] = round(batch / max(stages.augmentation, 1e-9))
    if stages.network:
        report.figures["network, images/s"] = round(batch / stages.network)
    shares = stages.shares
    limit = max(shares, key=lambda name: shares[name])
    report.figures["share of a step"] = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    report.figures["limited by"] = limit
    if limit == "data":
        rest = stages.augmentation + stages.network
        report.add(
            "workers",
            SLOW,
            f"the loader takes {stages.data * 1e3:.0f} ms per batch, the rest of a step {rest * 1e3:.0f} ms: training "
            "waits for data",
            _more_data(report, loader, rest, batch),
        )
    elif limit == "augmentation" and stages.network:
        report.add(
            "augmentation",
            SLOW,
            f"augmentation takes {stages.augmentation / stages.network:.1f} times as long as the network",
            "see the findings about compilation, batches and the device; or crop before other layers, so that they see "
            "smaller images",
        )
    elif limit == "network":
        report.add(
            "network",
            NOTE,
            "the network limits: neither loading nor augmentation can make training much faster",
            "a smaller network, lower precision or more devices",
        )


def _more_data(report: Report, loader: Any, rest: float, batch: int) -> str:
    """Return what to do if training waits for data, from the seconds that one core needs to load a batch."""
    if not isinstance(loader, DataLoader) or isinstance(loader.dataset, IterableDataset):
        return "more workers, smaller or faster-decoding files, or fewer transforms in the data set"
    seconds = _one_core(loader, batch)
    report.figures["loading, images/s of one core"] = round(batch / max(seconds, 1e-9))
    needed, cores = math.ceil(seconds / max(rest, 1e-9)), os.cpu_count() or 1
    smaller = "shrink the files once (python -m augment shrink), or let fewer transforms run in the data set"
    if needed > cores:
        return f"to keep up, loading needs about {needed} cores, and there are {cores}: {smaller}"
    if loader.num_workers < needed:
        return f"DataLoader(..., num_workers={needed}, persistent_workers=True) instead of {loader.num_workers} workers"
    return f"{loader.num_workers} workers suffice if they get the cores and the disk is fast; otherwise {smaller}"


def _one_core(loader: DataLoader, batch: int) -> float:
    """Return the seconds in which this process alone loads a batch, from a part of the first."""
    numbers = range(0, min(batch, len(loader.dataset)), _DIVIDED)  # type: ignore[arg-type]  # it has a length
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        start = time.perf_counter()
        if hasattr(loader.dataset, "__getitems__"):
            loader.dataset.__getitems__(list(numbers))
        else:
            [loader.dataset[number] for number in numbers]
        return (time.perf_counter() - start) / len(numbers) * batch
    finally:
        torch.set_num_threads(threads)
