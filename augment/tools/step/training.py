"""Training steps that differ in who augments their images, and in when the images are copied to the GPU."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from augment.data.prefetch import prefetched
from augment.tools.bench.peers import ours
from augment.tools.bench.timing import Timing, in_turns, warmed_up
from augment.tools.bench.work import CLASSES, Implementation, NotOfferedError, Run, Task, failure
from augment.tools.errors import ToolError, required

ALONE = "no augmentation"
"""The reference step, whose images are ready on the device."""


@dataclass(frozen=True)
class Row:
    """One kind of step.

    Attributes:
        ms: milliseconds per step, median over the rounds; None if it was not measured, see `note`.
        spread: half the distance between the quartiles over the median.
        added: time beyond the reference step, as a share of that step.
        syncs: how often the host waits for the GPU in a step; None on a CPU.
        peak_mb: peak memory of the step above the memory in use before it, in 10^6 bytes.
        first_call_s: seconds of the first step, including compilation.
        note: why it was not measured.
    """

    step: str
    ms: float | None = None
    spread: float | None = None
    added: float | None = None
    images_per_s: float | None = None
    syncs: int | None = None
    peak_mb: float | None = None
    first_call_s: float | None = None
    note: str | None = None

    def plain(self) -> dict[str, object]:
        return asdict(self)


def backbone(name: str) -> nn.Module:
    """Build a timm network with random weights."""
    import difflib

    timm = required("timm", "timm", "--backbone")
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise ToolError(f"--backbone: timm has no {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else "."))
    return timm.create_model(name, num_classes=CLASSES)


def training(network: nn.Module, task: Task) -> Callable[[Tensor], None]:
    """Return the step after augmentation: forward pass in the task's dtype, loss, backward pass and update."""
    network = network.to(task.device).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    precision = torch.autocast(task.device.type, torch.bfloat16, enabled=task.dtype == torch.bfloat16)

    def train(images: Tensor) -> None:
        with precision:
            loss = nn.functional.cross_entropy(network(images), task.labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return train


def steps(
    task: Task, operators: Sequence[str], found: Sequence[Implementation], train: Callable[[Tensor], None]
) -> tuple[dict[str, Run], dict[str, str]]:
    """Return the kinds of step by name, and the reasons why others are missing."""
    ready = torch.rand(len(task.images), task.out, task.out, 3, device=task.device).permute(0, 3, 1, 2).to(task.dtype)
    runs: dict[str, Run] = {ALONE: lambda: train(ready)}
    notes: dict[str, str] = {}
    for one in found:
        try:
            runs[one.name] = _trained_on(one.build(task, operators), train)
        except NotOfferedError as reason:
            notes[one.name] = str(reason)
    if task.device.type == "cuda":
        runs |= _copying(task, operators, train)
    return runs, notes


def _trained_on(augment: Callable[[], Tensor], train: Callable[[Tensor], None]) -> Run:
    """Return the step that trains on the images of an implementation."""
    return lambda: train(augment())


def _copying(task: Task, operators: Sequence[str], train: Callable[[Tensor], None]) -> dict[str, Run]:
    """Return the steps whose bytes start in the host's pinned memory."""
    host = task.images.cpu().pin_memory()
    augment = ours.pipeline(task, operators, compile=True)
    ahead = prefetched(itertools.repeat(host), task.device)
    return {
        "augment compiled, copied in the step": lambda: train(augment(host.to(task.device, non_blocking=True))),
        "augment compiled, copied ahead": lambda: train(augment(next(ahead))),
    }


def measured(
    task: Task,
    operators: Sequence[str],
    found: Sequence[Implementation],
    network: nn.Module,
    rounds: int,
    tell: Callable[[str], None],
) -> list[Row]:
    """Measure all kinds of step, interleaved, and return one row per kind."""
    torch.set_num_threads(task.threads)
    runs, notes = steps(task, operators, found, training(network, task))
    timings: dict[str, Timing] = {}
    for name in list(runs):
        tell(f"warming up: {name}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                timings[name] = warmed_up(runs[name], task)
        except Exception as error:
            notes[name] = failure(error)
            del runs[name]
    if ALONE not in runs:
        raise ToolError(f"the step itself {notes[ALONE]}; give a smaller --batch or another --backbone.")
    tell(f"measuring {len(runs)} kinds of step, {rounds} rounds")
    for name, turns in in_turns(runs, task, rounds).items():
        timings[name].turns = turns
    alone = timings[ALONE].median
    rows = [_row(name, timings[name], alone, task, synchronisations(run, task.device)) for name, run in runs.items()]
    return rows + [Row(name, note=note) for name, note in notes.items()]


def _row(name: str, timing: Timing, alone: float, task: Task, syncs: int | None) -> Row:
    return Row(
        step=name,
        ms=round(timing.median * 1e3, 3),
        spread=round(timing.spread, 4),
        added=round(timing.median / alone - 1, 4),
        images_per_s=round(len(task.images) / timing.median, 2),
        syncs=syncs,
        peak_mb=None if timing.peak is None else round(timing.peak / 1e6, 2),
        first_call_s=round(timing.first_call, 3),
    )


def synchronisations(run: Run, device: torch.device) -> int | None:
    """Return how often the host waits for the GPU in a run; None on a CPU."""
    if device.type != "cuda":
        return None
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            run()
    finally:
        torch.cuda.set_sync_debug_mode(before)
    return sum("synchroniz" in str(warning.message) for warning in told)
