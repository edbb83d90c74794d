"""Measures every implementation on every recipe, and records what was skipped and why."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from augment.tools.bench.kernels import counted
from augment.tools.bench.peers import albumentations, cvcuda, dali, fuse, kornia, ours, torchvision
from augment.tools.bench.recipes import RECIPES
from augment.tools.bench.timing import Timing, copy_run, in_turns, paired_ratio, warmed_up
from augment.tools.bench.work import CLASSES, Implementation, NotOfferedError, Run, Task, failure
from augment.tools.errors import ToolError

PEERS = (ours, kornia, torchvision, albumentations, fuse, dali, cvcuda)
OURS = ("augment compiled", "augment eager")
"""Implementations of this library; the first one measured is the reference of the comparison."""


UNSTEADY = 0.15
"""Spread above which a row is marked. Rows of a quiet machine stay below 10 %."""


@dataclass(frozen=True)
class Row:
    """One implementation on one recipe.

    Attributes:
        images_per_s: median over the rounds; None if it was not measured, see `note`.
        spread: half the distance between the quartiles over the median.
        ratio: speed of this library divided by the speed of this implementation, the median over the rounds.
        ratio_low, ratio_high: ends of its confidence interval, see `timing.paired_ratio`.
        peak_mb: peak memory of the call above the memory in use before it, in 10^6 bytes.
        gb_per_s: 10^9 bytes of input and output per second.
        of_copy: `gb_per_s` divided by the rate of a plain copy of the same number of bytes.
        first_call_s: seconds of the first call, including compilation.
        kernels, passes: operators launched in eager mode, and how many of them write images; None if compiled.
        parameters, differentiable: see `Implementation`.
        note: why it was not measured.
    """

    recipe: str
    implementation: str
    parameters: str
    differentiable: bool
    images_per_s: float | None = None
    spread: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    peak_mb: float | None = None
    gb_per_s: float | None = None
    of_copy: float | None = None
    first_call_s: float | None = None
    kernels: int | None = None
    passes: int | None = None
    note: str | None = None

    @property
    def unsteady(self) -> bool:
        """Whether other load disturbed the machine too much while this was measured."""
        return self.spread is not None and self.spread > UNSTEADY

    def plain(self) -> dict[str, object]:
        return asdict(self)


def implementations(only: Sequence[str], device: torch.device) -> tuple[list[Implementation], dict[str, str]]:
    """Return the implementations that can run, and the reasons why the others cannot.

    Args:
        only: prefixes of the names to consider; empty for all.
    """
    every = [one for peer in PEERS for one in peer.IMPLEMENTATIONS]
    names = with_prefix([i.name for i in every], only)
    asked = [i for i in every if i.name in names]
    reasons = {i.name: i.missing(device) for i in asked}
    return [i for i in asked if not reasons[i.name]], {name: why for name, why in reasons.items() if why}


def with_prefix(names: Sequence[str], only: Sequence[str]) -> list[str]:
    """Return the names that begin with one of the prefixes; all if there are no prefixes."""
    asked = [name for name in names if not only or name.startswith(tuple(only))]
    if not asked:
        raise ToolError(f"--only: {','.join(only)!r} is a prefix of none of {', '.join(names)}.")
    return asked


def prefixes(only: str) -> list[str]:
    """Parse a comma-separated list of prefixes."""
    return [name.strip() for name in only.split(",") if name.strip()]


def taking_part(only: str, device: torch.device) -> tuple[list[Implementation], dict[str, str]]:
    """Parse a comma-separated list of prefixes, return its `implementations`, and report the skipped ones."""
    found, skipped = implementations(prefixes(only), device)
    for name, why in skipped.items():
        to_stderr(f"skipped {name}: {why}")
    return found, skipped


def task_of(batch: int, size: int, out: int, dtype: torch.dtype, device: torch.device, threads: int) -> Task:
    """Build a task with smooth, slightly noisy random images, which resemble photos for content-dependent operators."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(batch, 3, 8, 8, generator=generator)
    images = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear") * 220
    images = images + 35 * torch.rand(images.shape, generator=generator)
    images = images.to(torch.uint8).contiguous(memory_format=torch.channels_last).to(device)
    labels = torch.randint(0, CLASSES, (batch,), generator=generator).to(device)
    return Task(images, labels, out, dtype, threads)


def measured(
    task: Task, recipes: Sequence[str], found: Sequence[Implementation], rounds: int, tell: Callable[[str], None]
) -> Iterator[list[Row]]:
    """Measure the recipes one by one and yield the rows of each."""
    torch.set_num_threads(task.threads)
    for recipe in recipes:
        torch.compiler.reset()  # drop the peers' compiled code, which recipes share
        tell(recipe)
        yield _one_recipe(task, recipe, found, rounds, tell)


def warmed(
    task: Task, name: str, operators: Sequence[str], found: Sequence[Implementation], tell: Callable[[str], None]
) -> tuple[dict[str, Run], dict[str, Timing], dict[str, str]]:
    """Build and warm up every implementation; return what runs, its timings, and why others do not run."""
    runs: dict[str, Run] = {}
    timings: dict[str, Timing] = {}
    notes: dict[str, str] = {}
    for one in found:
        tell(f"{name}: warming up {one.name}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run = one.build(task, operators)
                timings[one.name] = warmed_up(run, task)
            runs[one.name] = run
        except NotOfferedError as reason:
            notes[one.name] = str(reason)
        except Exception as error:  # a peer that does not run here must not end the bench
            notes[one.name] = failure(error)
    return runs, timings, notes


def _one_recipe(
    task: Task, recipe: str, found: Sequence[Implementation], rounds: int, tell: Callable[[str], None]
) -> list[Row]:
    runs, timings, notes = warmed(task, recipe, RECIPES[recipe], found, tell)
    copying, moved = copy_run(task)
    tell(f"{recipe}: measuring {len(runs)} implementations, {rounds} rounds")
    for name, turns in in_turns(runs | {"copy": copying}, task, rounds).items():
        timings.setdefault(name, Timing()).turns = turns
    copy_speed = moved / timings["copy"].median
    reference = next((timings[name].turns for name in OURS if name in runs), None)
    return [
        _row(task, recipe, one, timings[one.name], runs[one.name], moved, copy_speed, reference)
        if one.name in runs
        else Row(recipe, one.name, one.parameters, one.differentiable, note=notes[one.name])
        for one in found
    ]


def _row(
    task: Task,
    recipe: str,
    one: Implementation,
    timing: Timing,
    run: Run,
    moved: int,
    copy_speed: float,
    reference: Sequence[float] | None,
) -> Row:
    ratio, low, high = (
        (None,) * 3 if reference is None else (round(r, 3) for r in paired_ratio(timing.turns, reference))
    )
    kernels = counted(run) if "eager" in one.name or "torchvision batched" in one.name else None
    return Row(
        recipe=recipe,
        implementation=one.name,
        parameters=one.parameters,
        differentiable=one.differentiable,
        images_per_s=round(len(task.images) / timing.median, 2),
        spread=round(timing.spread, 4),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        peak_mb=None if timing.peak is None else round(timing.peak / 1e6, 2),
        gb_per_s=round(moved / timing.median / 1e9, 4),
        of_copy=round(moved / timing.median / copy_speed, 5),
        first_call_s=round(timing.first_call, 3),
        kernels=None if kernels is None else kernels.total,
        passes=None if kernels is None else kernels.passes,
    )


def to_stderr(text: str) -> None:
    print(f"augment: {text}", file=sys.stderr, flush=True)
