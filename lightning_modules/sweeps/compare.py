"""Summarise a multirun: mean and spread of the test accuracy over seeds, for every choice.

python train.py sweep=policies                                       many runs, one folder
python -m lightning_modules.sweeps.compare multirun/digits/2026-01-31_12-00-00
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path

from omegaconf import OmegaConf
from rich.table import Table

from lightning_modules.console import screen
from lightning_modules.errors import UserError, one_sentence


def accuracies(folder: Path, metric: str = "test/acc") -> dict[str, list[float]]:
    """Map every choice, given as the overrides that differ between runs except the seed, to the metric of its runs.

    Args:
        folder: folder of a multirun, with one subfolder per run, logged by `logger=csv`.
        metric: a column of the log; its last value counts.
    """
    runs: dict[Path, tuple[set[str], float]] = {}
    logs = folder.glob("*/csv/metrics.csv")
    for log in sorted(logs, key=lambda log: (len(log.parents[1].name), log.parents[1].name)):  # 2 before 10
        values = [row[metric] for row in csv.DictReader(log.open()) if row.get(metric)]
        if values:  # the run has finished
            given = map(str, OmegaConf.load(log.parents[1] / ".hydra" / "overrides.yaml"))
            runs[log] = ({override for override in given if not override.startswith("seed=")}, float(values[-1]))
    if not runs:
        raise UserError(f"folder={str(folder)!r} holds no finished runs with {metric}; give the folder of a multirun.")
    common = set.intersection(*(overrides for overrides, _ in runs.values()))
    choices: dict[str, list[float]] = {}
    for overrides, value in runs.values():
        choices.setdefault(" ".join(sorted(overrides - common)), []).append(value)
    return choices


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of a multirun, such as multirun/digits/2026-01-31_12-00-00")
    table = Table("choice", "runs", "mean %", "standard deviation", "lowest", "highest")
    for choice, values in accuracies(parser.parse_args().folder).items():
        percent = [100 * value for value in values]
        spread = f"{statistics.stdev(percent):.2f}" if len(percent) > 1 else ""
        numbers = f"{statistics.mean(percent):.2f}", spread, f"{min(percent):.2f}", f"{max(percent):.2f}"
        table.add_row(choice, str(len(percent)), *numbers)
    screen().print(table)


if __name__ == "__main__":
    with one_sentence():
        main()
