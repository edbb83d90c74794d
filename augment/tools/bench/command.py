"""python -m augment bench"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from augment.tools.arguments import device_of, dtype_of, positive, writable
from augment.tools.bench import report as reports
from augment.tools.bench.measure import implementations, measured, task_of, to_stderr
from augment.tools.bench.recipes import GROUPS, chosen
from augment.tools.errors import ToolError, required

PICTURES = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    parser.add_argument(
        "--recipes", default="recipes", help=f"comma-separated recipes or groups: {', '.join(GROUPS)} (%(default)s)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto for a GPU if there is one (%(default)s)")
    parser.add_argument("--batch", type=positive, default=64, help="images in a batch (%(default)s)")
    parser.add_argument("--size", type=positive, default=256, help="side of the square input in pixels (%(default)s)")
    parser.add_argument("--out", type=positive, default=224, help="side of the output in pixels (%(default)s)")
    parser.add_argument("--dtype", default="float32", help="of the output: float32, bfloat16 or float16 (%(default)s)")
    parser.add_argument("--threads", type=positive, default=cores, help="CPU threads (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=9, help="turns that everybody gets (%(default)s)")
    parser.add_argument("--only", default="", help='beginnings of implementation names, e.g. "augment,kornia eager"')
    parser.add_argument("--json", metavar="FILE", help="write all figures here; - prints them instead of the table")
    parser.add_argument("--markdown", metavar="FILE", help="write the tables here")
    parser.add_argument("--plot", metavar="FILE", help="write a picture here (.png, .svg or .pdf)")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    device = device_of(arguments.device)
    dtype = dtype_of(arguments.dtype)
    recipes = chosen(arguments.recipes)
    for path in (arguments.json, arguments.markdown, arguments.plot):
        if path and path != "-":
            writable(path)
    if arguments.plot and Path(arguments.plot).suffix not in PICTURES:
        raise ToolError(f"--plot: {arguments.plot!r} must end in one of {', '.join(PICTURES)}.")
    if arguments.plot:
        required("matplotlib", "matplotlib", "--plot")
    if arguments.json != "-":
        required("rich", "rich", "the table")
    only = [name.strip() for name in arguments.only.split(",") if name.strip()]
    found, skipped = implementations(only, device)
    for name, why in skipped.items():
        to_stderr(f"skipped {name}: {why}")
    task = task_of(arguments.batch, arguments.size, arguments.out, dtype, device, arguments.threads)
    rows = measured(task, recipes, found, arguments.rounds, to_stderr)
    settings = {k: getattr(arguments, k) for k in ("batch", "size", "out", "dtype", "threads", "rounds")}
    report = {
        "command": reports.command_line(given),
        "settings": settings | {"device": str(device), "recipes": recipes},
        "environment": reports.environment(device, arguments.threads),
        "skipped": skipped,
    }
    _deliver(arguments, report, rows)


def _deliver(arguments: argparse.Namespace, report: dict, rows: list) -> None:
    text = json.dumps(report | {"results": [row.plain() for row in rows]}, indent=1)
    if arguments.json == "-":
        print(text)
    else:
        reports.print_tables(report, rows)
        if arguments.json:
            Path(arguments.json).write_text(text + "\n")
    if arguments.markdown:
        Path(arguments.markdown).write_text(reports.markdown(report, rows))
    if arguments.plot:
        reports.plot(arguments.plot, report, rows)
