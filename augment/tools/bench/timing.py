"""Interleaved measurements (A B C A B C ...), so that other load on the machine affects all implementations alike."""

from __future__ import annotations

import ctypes
import math
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from augment.tools.bench.work import Run, Task

_CONFIDENCE = 0.9
"""How likely an interval for a median holds it, at least, if the rounds are enough."""

_BLOCK = 0.2
"""Minimum seconds per turn, so that clock resolution and call overhead do not matter."""


@dataclass
class Timing:
    """Seconds per batch of every turn, seconds of the first call (with compilation), and peak memory in bytes."""

    turns: list[float] = field(default_factory=list)
    first_call: float = 0.0
    peak: int | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.turns)

    @property
    def spread(self) -> float:
        """Return half the distance between the quartiles divided by the median."""
        if len(self.turns) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.turns, n=4, method="inclusive")
        return (high - low) / 2 / self.median


def paired_ratio(turns: Sequence[float], reference: Sequence[float]) -> tuple[float, float, float]:
    """Return how many times as long the turns took as those of a reference in the same rounds.

    Returns:
        The median over the rounds, and the ends of its confidence interval: the ratios of two rounds, between which the
        median of all possible rounds lies with a probability of at least 90 % (sign test; see Conover, Practical
        Nonparametric Statistics, section 3.2). Fewer than five rounds reach less: the interval then covers all.
    """
    ratios = sorted(turn / other for turn, other in zip(turns, reference, strict=True))
    count, outside, left_out = len(ratios), 0.0, 0
    for below in range((count - 1) // 2):  # leaving out one more on each side
        outside += 2 * math.comb(count, below) / 2**count
        if outside > 1 - _CONFIDENCE:
            break
        left_out = below
    return statistics.median(ratios), ratios[left_out], ratios[count - 1 - left_out]


def warmed_up(run: Run, task: Task) -> Timing:
    """Run until compilation is complete, and measure the first call and the peak memory."""
    timing = Timing()
    start = time.perf_counter()
    run()
    _wait(task.device)
    timing.first_call = time.perf_counter() - start
    run()
    timing.peak = peak_memory(run, task.device)
    return timing


def in_turns(runs: dict[str, Run], task: Task, rounds: int) -> dict[str, list[float]]:
    """Return the seconds per batch of each run in every round."""
    from torch.utils.benchmark import Timer  # imports half of torch

    timers = {name: Timer("run()", globals={"run": run}, num_threads=task.threads) for name, run in runs.items()}
    repeats = {name: max(1, round(_BLOCK / max(t.timeit(1).median, 1e-6))) for name, t in timers.items()}
    turns: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, timer in timers.items():
            timer.timeit(1)  # reallocate memory that was freed while other runs were measured
            turns[name].append(timer.timeit(repeats[name]).median)
    return turns


def copy_run(task: Task) -> tuple[Run, int]:
    """Return a copy of as many bytes as the task must move: it reads the input and writes the output once."""
    out_bytes = len(task.images) * 3 * task.out**2 * torch.empty(0, dtype=task.dtype).element_size()
    moved = task.images.numel() + out_bytes
    source = torch.zeros(moved // 2, dtype=torch.uint8, device=task.device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source), moved


def peak_memory(run: Run, device: torch.device) -> int | None:
    """Return the peak memory of a run above the memory in use before it, in bytes; None if it cannot be measured.

    On a GPU this is the memory that torch allocates, without libraries that have their own allocator. On a Linux CPU
    it is the memory of the process. Other systems return None.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if not sys.platform.startswith("linux"):
        return None
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)  # cached free memory would hide what the run allocates
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    except OSError:
        return None
    before = _status("VmRSS")
    run()
    return max(_status("VmHWM") - before, 0)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
