"""Reports of the measurements: a table on the terminal, plain data, Markdown, and a plot."""

from __future__ import annotations

import json
import platform
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from augment.tools.bench.measure import OURS, UNSTEADY, Row
from augment.tools.bench.work import installed
from augment.tools.errors import required

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

PACKAGES = (
    "torch",
    "kornia",
    "torchvision",
    "albumentations",
    "fuse-augmentations",
    "nvidia-dali-cuda130",
    "nvidia-dali-cuda120",
    "cvcuda-cu13",
    "cvcuda-cu12",
)
SETTINGS = ("batch", "size", "out", "dtype", "threads", "rounds")
COLUMNS = (
    "images/s",
    "spread",
    "augment is",
    "interval",
    "peak MB",
    "GB/s",
    "of copy",
    "first s",
    "kernels",
    "draws",
    "gradient",
)
_WIDE, _FIRST = 145, range(4)
"""A terminal narrower than this number of characters shows only the first columns."""


def about(
    tool: str, given: Sequence[str], arguments: Namespace, device: torch.device, skipped: dict[str, str]
) -> dict[str, Any]:
    """Return the header of a report: command, environment, settings and skipped implementations."""
    return {
        "command": shlex.join(["python", "-m", "augment", tool, *given]),
        "settings": {name: getattr(arguments, name) for name in SETTINGS} | {"device": str(device)},
        "environment": environment(device, arguments.threads),
        "skipped": skipped,
    }


def tell(
    arguments: Namespace,
    report: dict[str, Any],
    rows: Sequence[Any],
    show: Callable[[dict[str, Any], Sequence[Any]], None],
) -> None:
    """Print the results in the format that the user chose."""
    if arguments.json == "-":
        print(_json(report, rows))
    else:
        show(report, rows)


def save(
    arguments: Namespace,
    report: dict[str, Any],
    rows: Sequence[Any],
    markdown: Callable[[dict[str, Any], Sequence[Any]], str],
) -> None:
    """Write the files that the user asked for."""
    if arguments.json and arguments.json != "-":
        Path(arguments.json).write_text(_json(report, rows) + "\n")
    if arguments.markdown:
        Path(arguments.markdown).write_text(markdown(report, rows))


def _json(report: dict[str, Any], rows: Sequence[Any]) -> str:
    return json.dumps(report | {"results": [row.plain() for row in rows]}, indent=1)


def environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Return machine, versions and date."""
    versions = {package: installed(package) for package in PACKAGES}
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "threads": threads,
        "gpu": gpu,
        "python": platform.python_version(),
        "versions": {package: found for package, found in versions.items() if found},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} logical cores" if models else platform.machine()


def cells(row: Row) -> list[str]:
    """Format a row in the order of COLUMNS."""
    if row.images_per_s is None:
        return ["-"] * len(COLUMNS)
    kernels = "" if row.kernels is None else f"{row.kernels} ({row.passes})"
    return [
        f"{row.images_per_s:,.0f}" if row.images_per_s >= 10 else f"{row.images_per_s:.1f}",
        f"±{row.spread:.0%}{' !' if row.unsteady else ''}",
        "" if row.ratio is None else f"{row.ratio:.2f} x",
        "" if row.ratio is None else f"{row.ratio_low:.2f} - {row.ratio_high:.2f}",
        "" if row.peak_mb is None else f"{row.peak_mb:,.0f}",
        f"{row.gb_per_s:.2f}",
        f"{row.of_copy:.1%}",
        f"{row.first_call_s:.1f}",
        kernels,
        row.parameters,
        "yes" if row.differentiable else "no",
    ]


def console() -> Console:
    """Return the terminal, or a wide console where the output is no terminal."""
    from rich.console import Console

    screen = Console()
    return screen if screen.is_terminal else Console(width=_WIDE)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table for the terminal, whose first column holds names."""
    from rich.table import Table

    made = Table(title=title, title_justify="left")
    for number, name in enumerate(columns):
        made.add_column(name, justify="right" if number else "left")
    for row in rows:
        made.add_row(*row)
    return made


def print_tables(report: dict[str, Any], rows: Sequence[Row]) -> None:
    """Print one table per recipe on the terminal."""
    required("rich", "rich", "the table")
    screen = console()
    shown = range(len(COLUMNS)) if screen.width >= _WIDE else _FIRST
    screen.print(headline(report))
    for recipe in dict.fromkeys(row.recipe for row in rows):
        found = [(row.implementation, *(cells(row)[i] for i in shown)) for row in rows if row.recipe == recipe]
        screen.print(table(recipe, ("implementation", *(COLUMNS[i] for i in shown)), found))
        for row in (r for r in rows if r.recipe == recipe and r.note):
            screen.print(f"  {row.implementation}: {row.note}", highlight=False)
    for name, why in report["skipped"].items():
        screen.print(f"skipped {name}: {why}", highlight=False)
    screen.print(LEGEND)


LEGEND = (
    "Implementations map the same uint8 batch on the device to floats on the device. 'augment is' n x: this library "
    f"({OURS[0]}, or {OURS[1]} if that was not measured) has n times the speed; below 1 it is slower. It is the median "
    "of the ratios within each round; the interval holds it with 90 % confidence (from 5 rounds on). spread: half the "
    f"distance between the quartiles; ! marks more than {UNSTEADY:.0%}, where other load disturbed the machine. of "
    "copy: speed relative to a plain copy of as many bytes. first: the first call, with compilation. kernels: torch's "
    "operators launched in eager mode (those that write images), without this library's in C++. peak: memory above the "
    "memory before the call."
)


def headline(report: dict[str, Any]) -> str:
    s, e = report["settings"], report["environment"]
    place = e["gpu"] or f"{e['processor']}, {e['threads']} threads"
    versions = ", ".join(f"{name} {v}" for name, v in e["versions"].items())
    return (
        f"{place}; batch {s['batch']}, {s['size']}² -> {s['out']}², {s['dtype']}; {e['date']}; "
        f"Python {e['python']}, {versions}"
    )


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table whose first column is text and whose others are numbers."""
    return [_row(columns), "|---|" + "---:|" * (len(columns) - 1), *map(_row, rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the report as Markdown, including the command."""
    lines = [headline(report) + ".", "", "    " + report["command"], ""]
    for recipe in dict.fromkeys(row.recipe for row in rows):
        mine = [row for row in rows if row.recipe == recipe]
        named = [(row.implementation, *cells(row)) for row in mine]
        lines += [f"### {recipe}", "", *markdown_table(("implementation", *COLUMNS), named)]
        lines += ["", *(f"{row.implementation}: {row.note}.  " for row in mine if row.note), ""]
    lines += [f"Skipped: {name}, {why}.  " for name, why in report["skipped"].items()]
    return "\n".join([*lines, "", LEGEND, ""])
