"""A folder with as many files as ImageNet: how long a start takes, and how much memory the workers of a loader need.

    python -m tests.million                    1.3 million links to small files, removed afterwards
    python -m tests.million --images 200000

A start is all that a run does with the files before the first batch: it finds them, splits off validation and test
images, and computes the fingerprint for checkpoints. From the second start on, it reads the kept index. The memory of a
worker is that of its process after 200 batches of 64 random samples, minus that of a worker whose folder has few files:
USS, which the process alone uses, and PSS, to which shared memory counts in equal parts. Linux only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from lightning_modules.data.folder import FolderData

CLASSES, FEW = 1000, 20_000
BATCHES = 200
SETTLED = 61
"""Seconds after which the index of new folders is kept."""


def make(root: Path, images: int) -> None:
    """Write folders with hard links to one file each; a file system limits the links to a file."""
    for number in range(CLASSES):
        folder = root / f"n{number:08}"
        folder.mkdir(parents=True)
        first = folder / f"n{number:08}_0.JPEG"
        Image.new("RGB", (32, 32), (number % 256, 0, 0)).save(first)
        for other in range(1, images // CLASSES):
            os.link(first, folder / f"n{number:08}_{other}.JPEG")


def start(root: str) -> tuple[float, float]:
    """Return the time of a start, and the part of it in which this process computed, in seconds."""
    clock, computed = time.perf_counter(), time.process_time()
    data = FolderData(root)
    assert data.fingerprint
    return time.perf_counter() - clock, time.process_time() - computed


def memory(root: str, method: str) -> dict[str, float]:
    """Return the memory of a worker in MB."""
    torch.multiprocessing.set_start_method(method, force=True)
    batches = iter(FolderData(root, batch_size=64, num_workers=1).train_dataloader())
    for _ in islice(batches, BATCHES):
        pass
    (worker,) = multiprocessing.active_children()
    return of_process(worker.pid)


def of_process(pid: int) -> dict[str, float]:
    """Return the USS and the PSS of a process in MB."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    sizes = {name.rstrip(":"): int(size) / 1024 for name, size, _ in lines}
    return {"USS": sizes["Private_Clean"] + sizes["Private_Dirty"], "PSS": sizes["Pss"]}


def alone(function: Callable, *arguments: object) -> object:
    """Call a function in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_300_000, help="number of files (%(default)s)")
    parser.add_argument("--dir", help="folder in which a temporary folder is made (the system's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as place:
        large, small = Path(place, "large"), Path(place, "small")
        os.environ["XDG_CACHE_HOME"] = str(Path(place, "cache"))  # of the processes, too
        make(large, arguments.images)
        make(small, FEW)
        time.sleep(SETTLED)
        print(f"{arguments.images} files in {CLASSES} folders")
        for name in ("first start", "second start", "third start"):
            wall, computed = alone(start, str(large))
            print(f"{name}: {wall:.1f} s, of these computing {computed:.1f} s", flush=True)
        for method in ("fork", "spawn"):
            much, little = (alone(memory, str(root), method) for root in (large, small))
            more = ", ".join(f"{kind} +{much[kind] - little[kind]:.0f} MB" for kind in much)
            print(f"a worker, {method}: {more} over that of a folder of {FEW} files", flush=True)


if __name__ == "__main__":
    main()
