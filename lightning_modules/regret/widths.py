"""Learn the widths of tasks whose true widths are known, and print and draw one against the other.

    python -m lightning_modules.regret.widths results.jsonl
    python -m lightning_modules.regret.widths results.jsonl --tasks rotate_45 hue_0 --seeds 0 1
    python -m lightning_modules.regret.widths results.jsonl --only-table

Every run has all operators of experiment=regret; only the limit of the one that the task is about is compared. A
command that is stopped goes on where it was. Run it in the folder of train.py.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
from rich.table import Table

from augment.layers.policies.learned import OPERATORS
from lightning_modules.console import screen
from lightning_modules.errors import UserError, one_sentence
from lightning_modules.learning.staircase import StaircasePolicy
from lightning_modules.learning.words import said_width
from lightning_modules.model.schedules import callbacks_of
from lightning_modules.regret import results
from lightning_modules.regret.cells import train
from lightning_modules.tasks.widths import WIDTHS

STEPS = 1500
"""Steps of a training. After 600, the networks had not yet learned wide changes when these were tried (seed 100)."""

NEAR = 0.1
"""A learned width is near the true one if it misses it by at most this share of the operator's largest width."""


@dataclass(frozen=True)
class Found:
    """What one run has found.

    Attributes:
        task, seed: what was run.
        passed: largest width that passed, in the operator's unit; 0 if none did.
        failed: smallest width that failed; None if wider ones were not tried.
        at_top: whether the largest width of all passed.
        skill: the network's skill in the last test.
        accuracy: share of the test images that are classified correctly, in [0, 1].
        seconds: time of the training.
    """

    task: str
    seed: int
    passed: float
    failed: float | None
    at_top: bool
    skill: float
    accuracy: float
    seconds: float

    @property
    def truth(self) -> float:
        return WIDTHS[self.task].truth

    @property
    def cap(self) -> float:
        """The operator's largest width."""
        return OPERATORS[WIDTHS[self.task].operator][0]

    @property
    def near(self) -> bool:
        return abs(self.passed - self.truth) <= NEAR * self.cap

    @property
    def held(self) -> bool | None:
        """Whether the truth lies between what passed and what failed; None if nothing wider was tried."""
        if self.passed > self.truth:
            return False
        if self.failed is not None:
            return self.truth < self.failed
        return True if self.at_top else None


def run(conf: Path, task: str, seed: int, further: Sequence[str] = ()) -> Found:
    """Train on a task with `augment=staircase`, and return what it has found.

    Args:
        conf: the folder conf beside train.py.
        task: a name from WIDTHS.
        seed: seed of data, weights, order and augmentation.
        further: further overrides.
    """
    words = ["experiment=regret", "augment=staircase", "trainer=cpu", f"data.task={task}"]
    further = [f"trainer.max_steps={STEPS}", "callbacks.staircase.report=null", *further]
    trained = train(conf, [*words, *further], seed)
    operator = WIDTHS[task].operator
    cap = OPERATORS[operator][0]
    (callback,) = (one for one in callbacks_of(trained.trainer) if isinstance(one, StaircasePolicy))
    (limit,) = (one for one in callback.stairs.limits() if one.operator == operator)
    passed = 0.0 if limit.passed is None else cap * limit.passed.width
    failed = None if limit.failed is None else cap * limit.failed.width
    skill = callback.stairs.skill or 0.0
    return Found(task, seed, passed, failed, limit.at_top, skill, trained.accuracy, trained.seconds)


def read(path: Path) -> list[Found]:
    """Return the runs of a file, see `results.read`."""
    return results.read(path, Found)


def summary(found: Sequence[Found]) -> str:
    """Return what part of the widths is right, in a sentence."""
    near = sum(one.near for one in found)
    held = [one.held for one in found]
    means = {task: _mean(found, task) for task in WIDTHS if any(one.task == task for one in found)}
    pairs = [(a, b) for a, b in pairwise(means) if WIDTHS[a].operator == WIDTHS[b].operator]
    rising = sum(means[a] <= means[b] for a, b in pairs)
    return (
        f"{near} of {len(found)} learned widths are within {100 * NEAR:.0f} % of the largest width from the truth; "
        f"{held.count(True)} intervals hold the truth, {held.count(False)} do not, {held.count(None)} are open; "
        f"{rising} of {len(pairs)} neighbouring truths have mean widths in the right order."
    )


def _mean(found: Sequence[Found], task: str) -> float:
    return statistics.mean(one.passed for one in found if one.task == task)


def show(found: Sequence[Found]) -> None:
    """Print a row for every task, and the summary."""
    table = Table("operator", "truth", "learned, by seed", "failed, by seed", "near", "interval holds it", "skill")
    for task, known in WIDTHS.items():
        runs = sorted((one for one in found if one.task == task), key=lambda one: one.seed)
        if runs:
            table.add_row(
                known.operator,
                said_width(known.operator, known.truth),
                ", ".join(said_width(known.operator, one.passed).split(" of the ")[0] for one in runs),
                ", ".join(_failed(one) for one in runs),
                f"{sum(one.near for one in runs)} of {len(runs)}",
                f"{sum(one.held is True for one in runs)} of {len(runs)}",
                f"{statistics.mean(one.skill for one in runs):.2f}",
            )
    screen().print(table)
    screen().print(summary(found))


def _failed(one: Found) -> str:
    if one.failed is None:
        return "top" if one.at_top else "not tried"
    return said_width(WIDTHS[one.task].operator, one.failed).split(" of the ")[0]


def draw(found: Sequence[Found]) -> plt.Figure:
    """Plot learned widths against true ones, as shares of the largest: mean and standard deviation over seeds."""
    figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes.fill_between([0, 1], [-NEAR, 1 - NEAR], [NEAR, 1 + NEAR], color="grey", alpha=0.15)
    for place, operator in enumerate(dict.fromkeys(known.operator for known in WIDTHS.values())):
        tasks = [task for task, known in WIDTHS.items() if known.operator == operator]
        runs = {task: [one.passed / one.cap for one in found if one.task == task] for task in tasks}
        done = [task for task in tasks if runs[task]]
        x = [WIDTHS[task].truth / OPERATORS[operator][0] + 0.006 * (place - 2) for task in done]  # side by side
        y = [statistics.mean(runs[task]) for task in done]
        spread = [statistics.stdev(runs[task]) if len(runs[task]) > 1 else 0.0 for task in done]
        axes.errorbar(x, y, spread, label=operator, marker="o", capsize=3, color=f"C{place}", linewidth=1)
    axes.set(xlim=(-0.05, 1.05), ylim=(-0.05, 1.05), xlabel="true width, share of the largest", ylabel="learned width")
    axes.legend(fontsize=8)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="file of results, one JSON object per line")
    parser.add_argument("--tasks", nargs="+", choices=WIDTHS, default=list(WIDTHS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--figure", type=Path, help="file of the figure; the default is results with .png")
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of the configuration")
    parser.add_argument("--override", nargs="+", default=[], help="further overrides, such as trainer.max_steps=1000")
    parser.add_argument("--only-table", action="store_true", help="run nothing")
    given = parser.parse_args()
    have = {(one.task, one.seed) for one in read(given.results)}
    for seed in () if given.only_table else given.seeds:
        for task in given.tasks:
            if (task, seed) not in have:
                found = run(given.conf, task, seed, given.override)
                results.append(given.results, found)
                print(f"{task}, seed {seed}: {said_width(WIDTHS[task].operator, found.passed)}", flush=True)
    compared = [one for one in read(given.results) if one.task in given.tasks and one.seed in given.seeds]
    if not compared:
        raise UserError(f"results={str(given.results)!r} has no run of these tasks and seeds; leave out --only-table.")
    show(compared)
    figure = draw(compared)
    figure.savefig(given.figure or given.results.with_suffix(".png"), dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    with one_sentence():
        main()
