"""Kornia's operators beside ours: what each takes on this CPU, and whether it is right.

    python -m tests.kornia_operators                  # the table of docs/kornia.md, some minutes
    python -m tests.kornia_operators --only blur      # rows whose name has this in it
    python -m tests.kornia_operators --rounds 15

A batch of 16 images of 224x224 in float32, one thread, every sample changed, eager mode, no gradient. Both are given
the same parameters. A figure is the median over rounds, in which all take turns; it counts the time that the process
had of a processor, so that what else the machine does counts little. Ours is the whole call of a layer, with what it
draws and with a result that is channels_last; `(nothing)` is such a call that changes nothing.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from unittest import mock

import torch
from torch import Tensor

import augment as A
from tests.kornia_cases import CASES, Case

BATCH, FEW, SIZE = 16, 8, 224
STEP = 1e-9
"""Of the finite differences that gradients are held to, in float64: so small that hardly a value crosses a step."""


@dataclass
class Row:
    """One operator. Times in ms of planar and of channels_last images; `torch` is ours without the kernels in C++."""

    name: str
    kornia: str
    theirs: tuple[float, float]
    ours: tuple[float, float]
    torch: tuple[float, float]
    order: tuple[str, str]
    gradient: tuple[str, str]
    flat: tuple[str, str]
    graph: str
    apart: str

    def __str__(self) -> str:
        times = " | ".join(f"{planar:.1f} / {last:.1f}" for planar, last in (self.theirs, self.ours, self.torch))
        pairs = " | ".join(" / ".join(pair) for pair in (self.order, self.gradient, self.flat))
        return f"| {self.name} | `{self.kornia}` | {times} | {pairs} | {self.graph} | {self.apart} |"


HEAD = """| operator | Kornia's | Kornia, ms | ours, ms | ours in torch, ms | order kept | gradient | \
constant image | one graph | apart |
|---|---|---|---|---|---|---|---|---|---|"""


def photos(count: int, dtype: torch.dtype) -> Tensor:
    """Smooth, with some noise, no two pixels alike, a little away from 0 and 1."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 8, 8, generator=generator, dtype=torch.float64)
    fine = torch.rand(count, 3, SIZE, SIZE, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    return (0.05 + 0.75 * smooth + 0.15 * fine).to(dtype)


def rows_of(part: str, count: int) -> Tensor:
    """Twenty boxes or keypoints of each image, in its middle."""
    generator = torch.Generator().manual_seed(1)
    corner = 90 + 20 * torch.rand(count, 20, 2, generator=generator)
    return torch.cat([corner, corner + 15], -1) if part == "boxes" else corner


def both(case: Case, count: int, dtype: torch.dtype) -> tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]:
    """Kornia's operator and ours as functions of images, with the same parameters."""
    layer = case.ours
    noise = layer.noise(torch.arange(count)).to(dtype) * 0.98 + 0.01
    labels = torch.eye(count)
    if isinstance(layer, A.Mix):
        return lambda x: case.theirs(x, {}), lambda x: layer(A.Batch(x, label=labels), noise).image
    params = layer.resolve(layer.params(noise), (SIZE, SIZE))
    return lambda x: case.theirs(x, params), lambda x: layer(x, noise)


def without_kernels() -> mock._patch:
    return mock.patch("augment.kernels.cpu.library.AVAILABLE", False)


def milliseconds(calls: list[tuple[Callable[[], object], bool]], rounds: int) -> list[float]:
    """The median of each call in ms; the flag says whether kernels in C++ may serve it."""
    turns: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds + 1):
        for (call, kernels), times in zip(calls, turns, strict=True):
            with torch.no_grad(), nullcontext() if kernels else without_kernels():
                start = time.process_time()
                call()
                times.append(time.process_time() - start)
            if not turn:
                times.clear()  # the first is warm-up
    return [1e3 * statistics.median(times) for times in turns]


def order(function: Callable[[Tensor], Tensor]) -> str:
    """Whether what comes out of channels_last images is channels_last."""
    with torch.no_grad():
        out = function(photos(2, torch.float32).contiguous(memory_format=torch.channels_last))
    return "yes" if out.is_contiguous(memory_format=torch.channels_last) else "no"


def gradient(function: Callable[[Tensor], Tensor]) -> str:
    """What autograd says of the image, against differences of the sum of random weights times the result."""
    images, generator = photos(2, torch.float64).requires_grad_(), torch.Generator().manual_seed(2)
    way = torch.randn(images.shape, generator=generator, dtype=torch.float64)

    def value(x: Tensor) -> Tensor:
        torch.manual_seed(0)  # for what draws by itself
        out = function(x)
        weights = torch.rand(out.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        return (out * weights).sum()

    total = value(images)
    if not total.requires_grad:
        return "none"
    (found,) = torch.autograd.grad(total, images)
    told = (found * way).sum().item()
    with torch.no_grad():
        seen = ((value(images + STEP * way) - value(images - STEP * way)) / (2 * STEP)).item()
    scale = way.norm().item()
    if abs(told - seen) < 1e-3 * scale:
        return "0, as it is" if not found.any() else "right"
    if not found.any():
        return "0"
    return "straight through" if abs(seen) < 1e-3 * scale else f"{told / scale:.2f}, is {seen / scale:.2f}"


def flat(function: Callable[[Tensor], Tensor], same: bool) -> str:
    """What 0.5 everywhere becomes, and which constant images give values or gradients that are no numbers."""
    said = []
    for level in (0.5, 0.0, 1.0):
        images = torch.full((FEW, 3, SIZE, SIZE), level, requires_grad=True)
        out = function(images)
        if level == 0.5 and same:
            said.append(f"{out.detach()[0, 0, SIZE // 4, SIZE // 4].item():.2f}")
        if not out.isfinite().all():
            said.append(f"{level:.1f} gives no number")
        if out.requires_grad and not torch.autograd.grad(out.sum(), images)[0].isfinite().all():
            said.append(f"no gradient at {level:.1f}")
    return ", ".join(said) or "finite"


def one_graph(function: Callable[[Tensor], Tensor]) -> str:
    """Whether the compiler takes it whole, as it must for a pipeline that is compiled."""
    torch.compiler.reset()
    try:
        with torch.no_grad():
            torch.compile(function, fullgraph=True, backend="eager")(photos(2, torch.float32))
    except Exception:
        return "no"
    return "yes"


def apart(case: Case) -> str:
    """The largest difference in float64, of images of any values and of images of 256 levels."""
    if not case.same:
        return "-"
    theirs, ours = both(case, FEW, torch.float64)
    images = photos(FEW, torch.float64)
    with torch.no_grad():
        found = [(theirs(x) - ours(x)).abs().max().item() for x in (images, (images * 255).round() / 255)]
    return " / ".join(f"{difference:.0e}" if difference else "0" for difference in found)


def attempt(function: Callable[..., str], *given: object) -> str:
    try:
        return function(*given)
    except Exception as error:
        return f"{type(error).__name__}"


def measured(case: Case, rounds: int) -> Row:
    if case.part != "image":
        return of_annotations(case, rounds)
    theirs, ours = both(case, BATCH, torch.float32)
    planar = photos(BATCH, torch.float32)
    last = planar.contiguous(memory_format=torch.channels_last)
    calls = [(f, x, kernels) for f, kernels in ((theirs, True), (ours, True), (ours, False)) for x in (planar, last)]
    times = milliseconds([(partial(f, x), kernels) for f, x, kernels in calls], rounds)
    two = both(case, 2, torch.float32)
    exact = both(case, 2, torch.float64)
    return Row(
        case.name,
        case.kornia,
        *zip(times[::2], times[1::2], strict=True),
        order=tuple(attempt(order, f) for f in two),
        gradient=tuple(attempt(gradient, f) for f in exact),
        flat=tuple(attempt(flat, f, case.same) for f in both(case, FEW, torch.float32)),
        graph=one_graph(two[0]),
        apart=attempt(apart, case),
    )


def of_annotations(case: Case, rounds: int) -> Row:
    """Ours come with an image: what they take is what a batch takes with them, less what it takes without."""
    images, rows, layer = photos(BATCH, torch.float32)[:, :1], rows_of(case.part, BATCH), case.ours
    noise = layer.noise(torch.arange(BATCH))
    alone, there = A.Batch(images), A.Batch(images, **{case.part: rows})
    theirs, without, ours = milliseconds(
        [
            (lambda: case.theirs(rows, {}), True),
            (lambda: layer(alone, noise), True),
            (lambda: layer(there, noise), True),
        ],
        rounds,
    )
    graph = one_graph(lambda x: case.theirs(rows, {}))
    pair = ("-", "-")
    times = (theirs, theirs), (ours - without, ours - without), (ours - without, ours - without)
    return Row(case.name, case.kornia, *times, pair, pair, pair, graph, "-")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.kornia_operators", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="part of the operators' names")
    parser.add_argument("--rounds", type=int, default=9, help="how often each is timed")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(HEAD)
    for case in CASES:
        if arguments.only in case.name:
            print(measured(case, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
