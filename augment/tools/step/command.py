"""The command `python -m augment step`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import torch

from augment.tools.arguments import add_measuring, check_files, device_of, dtype_of
from augment.tools.bench import report as reports
from augment.tools.bench.measure import taking_part, task_of, to_stderr
from augment.tools.bench.recipes import RECIPES, TRAINABLE
from augment.tools.errors import ToolError, required
from augment.tools.installation import warn_if_slow
from augment.tools.step import scaling
from augment.tools.step.training import Row, backbone, measured

COLUMNS = ("ms", "spread", "added", "images/s", "syncs", "peak MB", "first s")
DTYPES = ("float32", "bfloat16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backbone", default="resnet50", help="a timm network (%(default)s)")
    parser.add_argument("--recipe", default="jitter", help=f"one of {', '.join(TRAINABLE)} (%(default)s)")
    parser.add_argument(
        "--processes", metavar="N,N", help="measure data-parallel training in so many processes, such as 1,2,4,8"
    )
    add_measuring(parser, only="augment,kornia")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    device = device_of(arguments.device)
    warn_if_slow(device.type)
    dtype = dtype_of(arguments.dtype, DTYPES)
    if arguments.recipe not in TRAINABLE:
        raise ToolError(f"--recipe: {arguments.recipe!r} must be one of {', '.join(TRAINABLE)}.")
    check_files(arguments.json, arguments.markdown)
    if arguments.json != "-":
        required("rich", "rich", "the table")
    network = backbone(arguments.backbone)
    if arguments.processes is not None:
        _run_scaling(arguments, given, device)
        return
    found, skipped = taking_part(arguments.only, device)
    task = task_of(arguments.batch, arguments.size, arguments.out, dtype, device, arguments.threads)
    rows = measured(task, RECIPES[arguments.recipe], found, network, arguments.rounds, to_stderr)
    report = reports.about("step", given, arguments, device, skipped)
    report["settings"] |= {"backbone": arguments.backbone, "recipe": arguments.recipe}
    reports.tell(arguments, report, rows, print_table)
    reports.save(arguments, report, rows, markdown)


def _run_scaling(arguments: argparse.Namespace, given: Sequence[str], device: torch.device) -> None:
    counts = scaling.counts_of(arguments.processes, device)
    shared = {field.name: getattr(arguments, field.name) for field in fields(scaling.Settings)}
    rows = scaling.scaled(counts, scaling.Settings(**shared | {"device": device.type}))
    report = reports.about("step", given, arguments, device, {})
    report["settings"] |= {"backbone": arguments.backbone, "recipe": arguments.recipe, "processes": counts}
    reports.tell(arguments, report, rows, scaling.print_table)
    reports.save(arguments, report, rows, scaling.markdown)


LEGEND = (
    "added: time beyond a step on ready images. syncs: how often the host waits for the GPU per step. peak: "
    "memory above the memory before the step. first: the first step, with compilation."
)


def cells(row: Row) -> list[str]:
    """Format a row in the order of COLUMNS."""
    if row.ms is None or row.images_per_s is None:
        return ["-"] * len(COLUMNS)
    return [
        f"{row.ms:,.1f}",
        f"±{row.spread:.0%}",
        f"{row.added:+.1%}",
        f"{row.images_per_s:,.0f}" if row.images_per_s >= 10 else f"{row.images_per_s:.1f}",
        "" if row.syncs is None else str(row.syncs),
        "" if row.peak_mb is None else f"{row.peak_mb:,.0f}",
        f"{row.first_call_s:.1f}",
    ]


def _headline(report: dict[str, Any]) -> str:
    return f"{report['settings']['backbone']}, {report['settings']['recipe']}. {reports.headline(report)}"


def print_table(report: dict[str, Any], rows: Sequence[Row]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_headline(report))
    columns = ("images come from", *COLUMNS)
    console.print(reports.table("a step of training", columns, [(row.step, *cells(row)) for row in rows]))
    for row in rows:
        if row.note:
            console.print(f"  {row.step}: {row.note}", highlight=False)
    console.print(LEGEND)


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the report as Markdown, including the command."""
    lines = [_headline(report) + ".", "", "    " + report["command"], ""]
    lines += reports.markdown_table(("images come from", *COLUMNS), [(row.step, *cells(row)) for row in rows])
    lines += ["", *(f"{row.step}: {row.note}.  " for row in rows if row.note)]
    lines += [f"Skipped: {name}, {why}.  " for name, why in report["skipped"].items()]
    return "\n".join([*lines, "", LEGEND, ""])
