"""The command `python -m augment bench`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from augment.tools.arguments import add_measuring, check_files, device_of, dtype_of
from augment.tools.bench import classes, end_to_end
from augment.tools.bench import report as reports
from augment.tools.bench.measure import measured, taking_part, task_of, to_stderr
from augment.tools.bench.plot import plot
from augment.tools.bench.recipes import GROUPS, chosen
from augment.tools.errors import ToolError, required
from augment.tools.installation import warn_if_slow

PICTURES = (".png", ".svg", ".pdf")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--recipes", default="recipes", help=f"comma-separated recipes or groups: {', '.join(GROUPS)} (%(default)s)"
    )
    add_measuring(parser, only="")
    parser.add_argument(
        "--end-to-end", metavar="DIR", help="measure from the image files of this folder to the input of a network"
    )
    parser.add_argument(
        "--classes",
        nargs="*",
        choices=list(classes.CLASSES),
        metavar="CLASS",
        help=f"measure classes of operators at 256² and 1080p, CPU against GPU: {', '.join(classes.CLASSES)} (all)",
    )
    parser.add_argument("--plot", metavar="FILE", help="write a plot to this file (.png, .svg or .pdf)")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    if arguments.end_to_end:
        warn_if_slow("cpu")
        end_to_end.run(arguments, given)
        return
    if arguments.classes is not None:
        warn_if_slow("cpu")
        classes.run(arguments, given)
        return
    device = device_of(arguments.device)
    warn_if_slow(device.type)
    dtype = dtype_of(arguments.dtype)
    recipes = chosen(arguments.recipes)
    check_files(arguments.json, arguments.markdown, arguments.plot)
    if arguments.plot and Path(arguments.plot).suffix not in PICTURES:
        raise ToolError(f"--plot: {arguments.plot!r} must end in one of {', '.join(PICTURES)}.")
    if arguments.plot:
        required("matplotlib", "matplotlib", "--plot")
    if arguments.json != "-":
        required("rich", "rich", "the table")
    found, skipped = taking_part(arguments.only, device)
    task = task_of(arguments.batch, arguments.size, arguments.out, dtype, device, arguments.threads)
    report = reports.about("bench", given, arguments, device, skipped)
    report["settings"]["recipes"] = recipes
    rows = []
    for some in measured(task, recipes, found, arguments.rounds, to_stderr):
        rows += some
        reports.save(arguments, report, rows, reports.markdown)  # an interruption loses at most one recipe
    reports.tell(arguments, report, rows, reports.print_tables)
    if arguments.plot:
        plot(arguments.plot, report, rows)
