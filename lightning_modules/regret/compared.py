"""A table of methods side by side, with differences that are paired by seed."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.table import Table

from lightning_modules.regret.cells import Cell


class Difference(NamedTuple):
    """Accuracy of one method minus that of another, in points: the mean over paired seeds and its standard error."""

    mean: float
    error: float
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ± {self.error:.1f}" if self.seeds > 1 else f"{self.mean:+.1f}"


def difference(
    cells: Iterable[Cell], task: str, method: str, other: str, seeds: Sequence[int] | None = None
) -> Difference | None:
    """Return a difference of two methods over the seeds that both have; None without any.

    Example:
        >>> cells = [Cell("size", name, 0, share, 1.0) for name, share in (("none", 0.5), ("flip", 0.6))]
        >>> str(difference(cells, "size", "flip", "none"))
        '+10.0'
    """
    accuracy = {(cell.method, cell.seed): 100 * cell.accuracy for cell in cells if cell.task == task}
    among = seeds if seeds is not None else sorted({seed for _, seed in accuracy})
    gains = [
        accuracy[method, seed] - accuracy[other, seed]
        for seed in among
        if {(method, seed), (other, seed)} <= set(accuracy)
    ]
    if not gains:
        return None
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    return Difference(statistics.mean(gains), error, len(gains))


def compared(
    cells: Sequence[Cell],
    tasks: Sequence[str],
    methods: Sequence[str],
    to: Sequence[str],
    seeds: Sequence[int] | None = None,
) -> Table:
    """Return a table: for each task and method accuracy ± its standard deviation, seconds, and paired differences.

    Args:
        cells: all results.
        tasks, methods: the rows; those without a result are left out.
        to: methods that the others are compared with, a column for each.
        seeds: the seeds to use; None uses all.
    """
    table = Table("task", "method", "seeds", "accuracy", "seconds", *(f"minus {other}" for other in to))
    for task in tasks:
        for method in methods:
            runs = [
                one
                for one in cells
                if (one.task, one.method) == (task, method) and (seeds is None or one.seed in seeds)
            ]
            if not runs:
                continue
            shares = [100 * one.accuracy for one in runs]
            spread = f" ± {statistics.stdev(shares):.1f}" if len(shares) > 1 else ""
            gains = [None if other == method else difference(cells, task, method, other, seeds) for other in to]
            table.add_row(
                task,
                method,
                str(len(runs)),
                f"{statistics.mean(shares):.1f}{spread}",
                f"{statistics.mean(one.seconds for one in runs):.1f}",
                *("" if gain is None else str(gain) for gain in gains),
            )
    return table
