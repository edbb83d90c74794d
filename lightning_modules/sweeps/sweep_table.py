"""The table of a sweep: a row for each trial, saved as sweep.csv and printed at the end."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.markup import escape
from rich.table import Table

from lightning_modules.console import screen
from lightning_modules.errors import USER_ERROR_EXIT
from lightning_modules.saving.whole_file import whole_file
from lightning_modules.sweeps.trials import Trial, readable

NAME = "sweep.csv"
FINISHED = "finished"


class SweepTable(Callback):
    """A Hydra callback that prints the table at the end of a sweep; the exit code is 2 if no trial has finished."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        if (folder / NAME).is_file() and not print_table(folder):
            print("error: all trials failed; the table says why.", file=sys.stderr, flush=True)
            sys.exit(USER_ERROR_EXIT)


def write_table(trials: Sequence[Trial], planned: Sequence[Sequence[str]], folder: Path) -> None:
    """Write the table of a sweep into its folder.

    Args:
        trials: the trials that have ended.
        planned: overrides of these and of later trials; each setting that differs between them gets a column.
        folder: folder of the sweep.
    """
    differing, settings = _differing(planned), [_settings(trial.overrides) for trial in trials]
    results = dict.fromkeys(name for trial in trials for name in (*trial.best, *sorted(trial.test)))
    text = io.StringIO()
    table = csv.DictWriter(text, ["trial", *differing, *results, "minutes", "status", "folder"], lineterminator="\n")
    table.writeheader()
    for trial, chosen in zip(trials, settings, strict=True):
        status = FINISHED if trial.error is None else f"failed: {trial.error}"
        row = {"trial": trial.number, "minutes": f"{trial.minutes:.2f}", "status": status, "folder": trial.folder}
        table.writerow(row | {key: chosen.get(key, "") for key in differing} | trial.best | trial.test)
    with whole_file(folder / NAME) as file:
        file.write(text.getvalue().encode())


def print_table(folder: Path) -> int:
    """Print the table in the folder of a sweep, and return how many trials have finished."""
    with (folder / NAME).open(newline="") as file:
        columns, *rows = csv.reader(file)
    table = Table(*columns, title=f"sweep, saved as {folder / NAME}")
    for row in rows:
        cells = dict(zip(columns, row, strict=True)) | {"folder": row[-1].removeprefix(f"{folder.absolute()}/")}
        table.add_row(*(_readable(column, value) for column, value in cells.items()))
    sys.stderr.flush()
    screen().print(table)
    return sum(row[columns.index("status")] == FINISHED for row in rows)


def _differing(planned: Sequence[Sequence[str]]) -> list[str]:
    """Return the settings whose values differ between trials."""
    trials = [_settings(overrides) for overrides in planned]
    keys = dict.fromkeys(key for settings in trials for key in settings)
    return [key for key in keys if len({settings.get(key) for settings in trials}) > 1]


def _settings(overrides: Sequence[str]) -> dict[str, str]:
    pairs = (override.partition("=") for override in overrides)
    return {key.lstrip("+"): value for key, _, value in pairs}


def _readable(column: str, value: str) -> str:
    """Return a cell for the terminal: results with fewer digits."""
    return readable(column, float(value)) if value and "/" in column else escape(value)
