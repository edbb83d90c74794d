"""Run the tasks and methods that a file of results lacks, and print the regret of every method.

    python -m lightning_modules.regret results.jsonl                        everything, hours on one core
    python -m lightning_modules.regret results.jsonl --tasks size colour --seeds 0 1 2
    python -m lightning_modules.regret results.jsonl --methods none trivialaugment staircase     without a search
    python -m lightning_modules.regret results.jsonl --only-table

The oracle and the magnitude of RandAugment are chosen on seeds of their own, so luck on the compared seeds does not
help them. A command that is stopped goes on where it was. Run it in the folder of train.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from rich.table import Table

from lightning_modules.console import screen
from lightning_modules.errors import UserError, one_sentence
from lightning_modules.quoting import quoted
from lightning_modules.regret import cells, results
from lightning_modules.regret.compared import compared
from lightning_modules.regret.methods import every_method, family, randaugments, rivals
from lightning_modules.regret.table import best, regret
from lightning_modules.tasks.suite import TASKS

PHOTOGRAPHS = "photographs"


def chosen(done: Sequence[cells.Cell], task: str, choosing: Sequence[int]) -> tuple[str, str]:
    """Return the oracle's policy and the best RandAugment of a task.

    Raises:
        UserError: if nothing was run from which to choose.
    """
    found = [best(done, task, list(among), choosing) for among in (family(), randaugments())]
    if None in found:
        raise UserError(f"results: there is no search for task={task!r} with the seeds {list(choosing)}; run it first.")
    return str(found[0]), str(found[1])


def complete(path: Path, conf: Path, task: str, wanted: Iterable[tuple[str, int]], further: Sequence[str]) -> None:
    """Run the (method, seed) of a task that a file lacks, with further overrides, and add them to it."""
    have = {(cell.method, cell.seed) for cell in cells.read(path) if cell.task == task}
    for method, seed in wanted:
        if (method, seed) not in have:
            cell = cells.run(conf, task, method, seed, further)
            results.append(path, cell)
            print(f"{task}, {method}, seed {seed}: {100 * cell.accuracy:.1f} %", flush=True)


def show(done: Sequence[cells.Cell], tasks: Sequence[str], choosing: Sequence[int], seeds: Sequence[int]) -> None:
    """Print, for each task, the oracle's choice and the regret of every method, in points of accuracy."""
    methods = [*rivals(), "randaugment"]
    table = Table("task", "oracle", "accuracy", *(f"regret: {method}" for method in methods), "learned - none", "seeds")
    for task in tasks:
        oracle, magnitude = chosen(done, task, choosing)
        own = regret(done, task, oracle, oracle, seeds)
        found = {
            name: regret(done, task, magnitude if name == "randaugment" else name, oracle, seeds) for name in methods
        }
        learned = found["learned"]
        table.add_row(
            task,
            oracle,
            "" if own is None else f"{own.accuracy:.1f}",
            *("" if one is None else f"{one.regret:.1f}" for one in found.values()),
            "" if learned is None else f"{learned.gain:+.1f} ± {learned.error:.1f}",
            "" if learned is None else str(learned.seeds),
        )
    screen().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="file of results, one JSON object per line")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="seeds that are compared")
    parser.add_argument("--methods", nargs="+", choices=every_method(), help="compare these only; search no oracle")
    parser.add_argument("--choosing", nargs="+", type=int, default=[100], help="seeds on which the oracle chooses")
    parser.add_argument(
        "--root", help="folder of photographs, one subfolder per class; without it the task is left out"
    )
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of the configuration")
    parser.add_argument("--override", nargs="+", default=[], help="further overrides, such as trainer.max_steps=1000")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    given = parser.parse_args()
    if set(given.seeds) & set(given.choosing):
        raise UserError(f"--seeds {given.seeds} and --choosing {given.choosing} must have no seed in common.")
    tasks = [task for task in given.tasks if task != PHOTOGRAPHS or given.root or given.only_table]
    for task in () if given.only_table else tasks:
        further = [*given.override, *([f"data.root={quoted(given.root)}"] if task == PHOTOGRAPHS else [])]
        if given.methods:
            complete(given.results, given.conf, task, product(given.methods, given.seeds), further)
            continue
        for_choice = product({**family(), **randaugments()}, given.choosing)
        complete(given.results, given.conf, task, for_choice, further)
        methods = dict.fromkeys([*rivals(), *chosen(cells.read(given.results), task, given.choosing)])
        complete(given.results, given.conf, task, product(methods, given.seeds), further)
    done = cells.read(given.results)
    if given.methods:
        screen().print(compared(done, tasks, given.methods, given.methods[:-1], given.seeds))
    else:
        show(done, tasks, given.choosing, given.seeds)


if __name__ == "__main__":
    with one_sentence():
        main()
