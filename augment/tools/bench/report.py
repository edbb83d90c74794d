"""Reports of the measurements: a table on the terminal, plain data, Markdown, and a plot."""

from __future__ import annotations

import json
import platform
import shlex
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from augment.tools.bench.measure import OURS, Row
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
COLUMNS = ("images/s", "spread", "augment is", "peak MB", "GB/s", "of copy", "first s", "kernels", "draws", "gradient")
_WIDE, _FIRST = 130, range(4)
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
        f"±{row.spread:.0%}",
        "" if row.ratio is None else f"{row.ratio:.2f} x",
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
    f"({OURS[0]}, or {OURS[1]} if that was not measured) has n times the speed; below 1 it is slower. spread: half the "
    "distance between the quartiles. of copy: speed relative to a plain copy of as many bytes. first: the first call, "
    "with compilation. kernels: operators launched in eager mode (operators that write images). peak: memory above the "
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


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the report as Markdown, including the command."""
    lines = [headline(report) + ".", "", "    " + report["command"], ""]
    for recipe in dict.fromkeys(row.recipe for row in rows):
        lines += [f"### {recipe}", "", "| implementation | " + " | ".join(COLUMNS) + " |"]
        lines.append("|---|" + "---:|" * len(COLUMNS))
        mine = [row for row in rows if row.recipe == recipe]
        lines += [f"| {row.implementation} | " + " | ".join(cells(row)) + " |" for row in mine]
        lines += ["", *(f"{row.implementation}: {row.note}.  " for row in mine if row.note), ""]
    lines += [f"Skipped: {name}, {why}.  " for name, why in report["skipped"].items()]
    return "\n".join([*lines, "", LEGEND, ""])


def plot(path: str, report: dict[str, Any], rows: Sequence[Row]) -> None:
    """Plot images/s as bars, one panel per recipe, and chain lengths as lines; the suffix selects the format."""
    required("matplotlib", "matplotlib", "--plot")
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    timed = [row for row in rows if row.images_per_s is not None]
    panels = [r for r in dict.fromkeys(row.recipe for row in timed) if not r.startswith("chain:")]
    chain = [row for row in timed if row.recipe.startswith("chain:")]
    names = list(dict.fromkeys(row.implementation for row in timed))
    colours = dict(zip(names, matplotlib.color_sequences["tab10"], strict=False))
    count = len(panels) + bool(chain)
    columns = min(3, count)
    figure, axes = pyplot.subplots(
        -(-count // columns), columns, figsize=(5 * columns, 0.8 + 2.6 * -(-count // columns)), squeeze=False
    )
    for axis, recipe in zip(axes.flat, panels, strict=False):
        bars = [row for row in timed if row.recipe == recipe][::-1]
        axis.barh(
            [row.implementation for row in bars],
            [row.images_per_s for row in bars],
            xerr=[(row.images_per_s or 0.0) * (row.spread or 0.0) for row in bars],
            color=[colours[row.implementation] for row in bars],
        )
        axis.set(title=recipe, xlabel="images/s")
    if chain:
        axis = axes.flat[len(panels)]
        for name in names:
            line = [row for row in chain if row.implementation == name]
            lengths = [int(row.recipe.partition(":")[2]) for row in line]
            axis.plot(lengths, [row.images_per_s for row in line], marker="o", label=name, color=colours[name])
        axis.set(title="chain of geometric layers", xlabel="layers", ylabel="images/s", yscale="log")
        axis.legend(fontsize="x-small")
    for axis in list(axes.flat)[count:]:
        axis.axis("off")
    figure.suptitle(headline(report).partition("; Python")[0], fontsize="medium")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
