"""Compare the staircase with the usual augmentations on CIFAR-10 at full size, with as many seeds as the time allows.

    python -m lightning_modules.regret.full results.jsonl --root CIFAR10 --minutes 120
    python -m lightning_modules.regret.full results.jsonl --root CIFAR10 --minutes 0           only the table

CIFAR10 is a folder with train/CLASS/IMAGE and test/CLASS/IMAGE; the images are kept in memory. It uses a GPU if there
is one. A run starts if the longest one so far would still end in time; the first starts in any case. A command that is
stopped goes on where it was, a training at its last epoch. The folder results.d keeps what the staircase has learned.
Run it in the folder of train.py.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import torch

from lightning_modules.console import screen
from lightning_modules.errors import UserError, one_sentence
from lightning_modules.quoting import quoted
from lightning_modules.regret import cells, results
from lightning_modules.regret.compared import compared

METHODS = {
    "none": ["augment=none"],
    "cifar": ["augment=cifar"],
    "trivialaugment": ["augment=trivialaugment"],
    "randaugment": ["augment=randaugment"],
    "staircase": ["augment=staircase"],
}
"""Overrides of the methods: nothing, shifts and mirror images, both with a policy, and what is learned from nothing."""

TASK = "full"
"""Name of the task in the file of results."""


def run(conf: Path, folder: Path, method: str, seed: int, further: Sequence[str]) -> cells.Cell:
    """Train and test one method, or go on with a training that was stopped.

    Args:
        conf: the folder conf beside train.py.
        folder: folder of the run; its checkpoints are deleted at the end.
        method: a name from METHODS.
        seed: seed of split, weights, order and augmentation.
        further: further overrides.
    """
    trainer = "trainer=gpu" if torch.cuda.is_available() else "trainer=cpu"
    trained = cells.train(conf, ["experiment=full", trainer, *METHODS[method], *further], seed, folder)
    shutil.rmtree(folder / "checkpoints")
    return cells.Cell(TASK, method, seed, trained.accuracy, trained.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="file of results, one JSON object per line")
    parser.add_argument("--root", type=Path, required=True, help="folder of the images")
    parser.add_argument("--minutes", type=float, required=True, help="time for all runs together; 0 runs nothing")
    parser.add_argument("--seeds", type=int, default=10, help="most seeds, from 0")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--conf", type=Path, default=Path("conf"), help="folder of the configuration")
    parser.add_argument("--override", nargs="+", default=[], help="further overrides, such as trainer.max_epochs=10")
    given = parser.parse_args()
    if not given.root.is_dir():
        raise UserError(f"--root {given.root} is not a folder; give one with train/CLASS/IMAGE and test/CLASS/IMAGE.")
    have = {(one.method, one.seed) for one in cells.read(given.results)}
    further = [f"data.root={quoted(str(given.root.resolve()))}", *given.override]
    began, longest = time.monotonic(), 0.0
    for seed, method in product(range(given.seeds), given.methods):
        if (method, seed) in have:
            continue
        started = time.monotonic()
        if started + longest >= began + 60 * given.minutes:
            break
        folder = given.results.with_suffix(".d") / f"{method}-{seed}"
        one = run(given.conf, folder, method, seed, further)
        results.append(given.results, one)
        longest = max(longest, time.monotonic() - started)
        print(f"{method}, seed {seed}: {100 * one.accuracy:.2f} %", flush=True)
    screen().print(compared(cells.read(given.results), [TASK], given.methods, ["none", "trivialaugment"]))


if __name__ == "__main__":
    with one_sentence():
        main()
