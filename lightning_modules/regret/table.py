"""The oracle of every task, and the regret of every method."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lightning_modules.regret.cells import Cell


@dataclass(frozen=True)
class Regret:
    """What a method gains and misses on a task, in points of accuracy, over paired seeds.

    Attributes:
        task, method: what was compared.
        accuracy: mean accuracy in percent.
        regret: mean of the oracle's accuracy minus the method's.
        gain: mean of the method's accuracy minus that without augmentation.
        error: standard error of the gain.
        seeds: number of seeds.
    """

    task: str
    method: str
    accuracy: float
    regret: float
    gain: float
    error: float
    seeds: int


def best(cells: Iterable[Cell], task: str, among: Collection[str], seeds: Sequence[int]) -> str | None:
    """Return the method with the highest mean accuracy over these seeds; None if no cell is there.

    Example:
        >>> best([Cell("size", "none", 0, 0.5, 1.0), Cell("size", "flip", 0, 0.6, 1.0)], "size", ["none", "flip"], [0])
        'flip'
    """
    found: dict[str, list[float]] = {}
    for cell in cells:
        if cell.task == task and cell.method in among and cell.seed in seeds:
            found.setdefault(cell.method, []).append(cell.accuracy)
    return max(found, key=lambda method: statistics.mean(found[method]), default=None)


def regret(cells: Iterable[Cell], task: str, method: str, oracle: str, seeds: Sequence[int]) -> Regret | None:
    """Compare a method with the oracle's choice and with none, over the seeds that all three have; None without any.

    Example:
        >>> cells = [Cell("size", name, 0, acc, 1.0) for name, acc in (("none", 0.5), ("flip", 0.6), ("learned", 0.55))]
        >>> found = regret(cells, "size", "learned", "flip", [0])
        >>> round(found.regret, 2), round(found.gain, 2)
        (5.0, 5.0)
    """
    accuracy = {(cell.method, cell.seed): 100 * cell.accuracy for cell in cells if cell.task == task}
    paired = [seed for seed in seeds if all((name, seed) in accuracy for name in (method, oracle, "none"))]
    if not paired:
        return None
    gains = [accuracy[method, seed] - accuracy["none", seed] for seed in paired]
    return Regret(
        task,
        method,
        statistics.mean(accuracy[method, seed] for seed in paired),
        statistics.mean(accuracy[oracle, seed] - accuracy[method, seed] for seed in paired),
        statistics.mean(gains),
        statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan"),
        len(paired),
    )
