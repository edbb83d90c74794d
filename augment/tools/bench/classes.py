"""`python -m augment bench --classes [CLASS ...]`: classes of operators at two sizes, on CPU and GPU."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from augment.tools.arguments import check_files, device_of, dtype_of
from augment.tools.bench import report as reports
from augment.tools.bench.measure import taking_part, task_of, to_stderr, warmed
from augment.tools.bench.timing import in_turns
from augment.tools.bench.work import Implementation, Task
from augment.tools.errors import ToolError, required

_GEOMETRIC = ("hflip", "affine", "perspective")
_COLOUR = ("color_jitter", "grayscale", "normalize")
CLASSES = {"geometric": _GEOMETRIC, "colour": _COLOUR, "compound": (*_GEOMETRIC, *_COLOUR)}
"""Operators that keep the size of an image, so that 1080p stays 1080p."""

SIZES = ((256, 256), (1080, 1920))
"""Height and width."""

COLUMNS = ("images", "implementation", "CPU images/s", "GPU images/s", "GPU against CPU")
NO_GPU = "Without a GPU there are no figures of one."
BATCHES = "Large images come in batches of as many pixels as small ones; a large GPU may need a larger --batch."


@dataclass(frozen=True)
class Row:
    """One implementation on one class of operators at one size.

    Attributes:
        batch: images per batch; large images come in batches of as many pixels as small ones.
        cpu, gpu: images per second, the median over the rounds; None if it was not measured, see `note`.
    """

    operators: str
    height: int
    width: int
    batch: int
    implementation: str
    cpu: float | None = None
    gpu: float | None = None
    note: str | None = None

    def plain(self) -> dict[str, object]:
        return asdict(self)


def batch_of(batch: int, height: int, width: int) -> int:
    """Return how many images have as many pixels as a batch at the smallest size, at least one: memory is bounded."""
    return max(1, batch * SIZES[0][0] * SIZES[0][1] // (height * width))


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    if arguments.plot or arguments.recipes != "recipes":
        raise ToolError("bench --classes takes no --recipes and draws no --plot.")
    check_files(arguments.json, arguments.markdown)
    if arguments.json != "-":
        required("rich", "rich", "the table")
    dtype_of(arguments.dtype)  # a mistake ends here, before the first measurement
    device = device_of(arguments.device)
    places = [torch.device("cpu"), *([device] if device.type == "cuda" else [])]
    torch.set_num_threads(arguments.threads)
    found = {place: taking_part(arguments.only, place) for place in places}
    skipped = {f"{name} ({place.type})": why for place, (_, some) in found.items() for name, why in some.items()}
    report = reports.about("bench", given, arguments, device, skipped)
    rows: list[Row] = []
    report["settings"] |= {"size": [list(size) for size in SIZES], "out": "as the input"}
    for height, width in SIZES:
        for name in arguments.classes or CLASSES:
            rows += _one_class(name, height, width, arguments, {place: some for place, (some, _) in found.items()})
            reports.save(arguments, report, rows, markdown)  # an interruption loses at most one class
    reports.tell(arguments, report, rows, print_tables)


def _one_class(
    name: str,
    height: int,
    width: int,
    arguments: argparse.Namespace,
    found: dict[torch.device, list[Implementation]],
) -> list[Row]:
    """Measure one class at one size, on one device after the other."""
    made: dict[str, Row] = {}
    batch = batch_of(arguments.batch, height, width)
    for place, some in found.items():
        task = _task(batch, height, width, dtype_of(arguments.dtype), place, arguments.threads)
        speeds, notes = measured(task, CLASSES[name], some, arguments.rounds, to_stderr)
        for one in some:
            row, speed = made.get(one.name, Row(name, height, width, batch, one.name)), speeds.get(one.name)
            row = replace(row, cpu=speed) if place.type == "cpu" else replace(row, gpu=speed)
            made[one.name] = replace(row, note=notes.get(one.name, row.note))
    return list(made.values())


def _task(batch: int, height: int, width: int, dtype: torch.dtype, device: torch.device, threads: int) -> Task:
    """Return a task of rectangular images, cut out of square ones."""
    square = task_of(batch, max(height, width), height, dtype, device, threads)
    cut = square.images[:, :, :height, :width].contiguous(memory_format=torch.channels_last)
    return replace(square, images=cut)


def measured(
    task: Task,
    operators: Sequence[str],
    found: Sequence[Implementation],
    rounds: int,
    tell: Callable[[str], None],
) -> tuple[dict[str, float], dict[str, str]]:
    """Return images per second of each implementation, interleaved, and the reasons why others have none."""
    torch.compiler.reset()  # drop the peers' compiled code, which classes share
    name = f"{', '.join(operators)} at {task.images.shape[-1]}x{task.images.shape[-2]}"
    runs, _, notes = warmed(task, name, operators, found, tell)
    turns = in_turns(runs, task, rounds)
    return {name: len(task.images) / torch.tensor(some).median().item() for name, some in turns.items()}, notes


def cells(row: Row) -> list[str]:
    """Format a row in the order of COLUMNS."""
    ratio = f"{row.gpu / row.cpu:.1f} x" if row.gpu and row.cpu else ""
    speeds = ("" if speed is None else f"{speed:,.1f}" for speed in (row.cpu, row.gpu))
    return [f"{row.batch} of {row.width}x{row.height}", row.implementation, *speeds, ratio]


def _table(report: dict[str, Any], rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return the columns and cells; without a GPU, its columns are left out."""
    shown = len(COLUMNS) if report["environment"]["gpu"] else 3
    return ["operators", *COLUMNS[:shown]], [[row.operators, *cells(row)[:shown]] for row in rows]


def _told(report: dict[str, Any], rows: Sequence[Row]) -> list[str]:
    """Return the sentences below the table."""
    missing = [f"{row.implementation}, {row.operators} at {row.width}: {row.note}." for row in rows if row.note]
    missing += [f"Skipped: {name}, {why}." for name, why in report["skipped"].items()]
    return [BATCHES if report["environment"]["gpu"] else NO_GPU, *missing]


def print_tables(report: dict[str, Any], rows: Sequence[Row]) -> None:
    console = reports.console()
    console.print(reports.table("classes of operators", *_table(report, rows)))
    for line in _told(report, rows):
        console.print(line, highlight=False)


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the table as Markdown, including the command."""
    found = report["environment"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    place = f"{found['processor']}, {found['threads']} threads" + (f"; {found['gpu']}" if found["gpu"] else "")
    lines = [
        f"{place}; {report['settings']['dtype']}; {found['date']}; {versions}.",
        "",
        f"    {report['command']}",
        "",
    ]
    return "\n".join([*lines, *reports.markdown_table(*_table(report, rows)), "", *_told(report, rows), ""])
