"""`python -m augment step --processes 1,2,4,8`: data-parallel training in so many processes, a GPU for each."""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import multiprocessing
from torch.nn.parallel import DistributedDataParallel

from augment.tools.arguments import dtype_of
from augment.tools.bench import report as reports
from augment.tools.bench.measure import task_of
from augment.tools.bench.peers import ours
from augment.tools.bench.recipes import RECIPES
from augment.tools.errors import ToolError
from augment.tools.step.training import backbone, training

WARM_UP = 3
"""Steps before the first that is timed: compilation, DDP's buckets, the choice of convolutions."""

STEPS = 4
"""Steps of a round, between two meetings of all processes."""


COLUMNS = ("processes", "ms per step", "images/s", "efficiency")
LEGEND = (
    "Each process has a GPU and --batch images of its own; on a CPU they share the cores. ms: of the slowest process. "
    "efficiency: images/s over those of one process times the number of processes."
)


@dataclass(frozen=True)
class Settings:
    """What every process needs.

    Attributes:
        batch: images per process and step.
        threads: CPU threads of all processes together.
    """

    device: str
    batch: int
    size: int
    out: int
    dtype: str
    threads: int
    rounds: int
    backbone: str
    recipe: str


@dataclass(frozen=True)
class Row:
    """Training in a number of processes.

    Attributes:
        ms: milliseconds per step of the slowest process, median over the rounds.
        images_per_s: of all processes together.
        efficiency: images_per_s over that of one process and the number of processes.
    """

    processes: int
    ms: float
    images_per_s: float
    efficiency: float

    def plain(self) -> dict[str, object]:
        return asdict(self)


def counts_of(text: str, device: torch.device) -> list[int]:
    """Return the numbers of processes of a text such as 1,2,4, in order and with 1, which the others are compared with.

    Raises:
        ToolError: a part is no positive whole number, or there are fewer GPUs.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ToolError(f"--processes: {text!r} must be positive whole numbers, such as 1,2,4.")
    counts = sorted({1, *map(int, parts)})
    gpus = torch.cuda.device_count()
    if device.type == "cuda" and counts[-1] > gpus:
        raise ToolError(f"--processes: {counts[-1]} processes need as many GPUs; there are {gpus}.")
    return counts


def scaled(counts: Sequence[int], settings: Settings) -> list[Row]:
    """Measure training in each number of processes, from 1 on."""
    rows: list[Row] = []
    for count in counts:
        seconds = seconds_of(count, settings)
        speed = count * settings.batch / seconds
        alone = rows[0].images_per_s if rows else speed
        rows.append(Row(count, round(seconds * 1e3, 3), round(speed, 2), round(speed / (count * alone), 4)))
    return rows


def seconds_of(count: int, settings: Settings) -> float:
    """Return the median over the rounds of the seconds per step that the slowest process took.

    Raises:
        ToolError: a process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            multiprocessing.spawn(_work, (count, settings, folder), nprocs=count)
        except Exception as error:
            reason = str(error).strip().splitlines()[-1][:200]
            raise ToolError(f"--processes: training with {count} failed: {reason}") from error
        turns = torch.tensor([json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(count)])
    return turns.amax(0).median().item() / STEPS


def _work(rank: int, count: int, settings: Settings, folder: str) -> None:
    """Train in one of the processes, and write the seconds of its rounds to a file."""
    cuda = settings.device == "cuda"
    device = torch.device("cuda", rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    torch.set_num_threads(max(1, settings.threads // count))
    meeting = f"file://{folder}/meeting"  # a file needs no free port
    dist.init_process_group("nccl" if cuda else "gloo", init_method=meeting, rank=rank, world_size=count)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = _rounds(device, settings)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(seconds))
    dist.barrier()
    dist.destroy_process_group()
    os._exit(0)  # threads of torch and its compiler may abort a process that ends while they run


def _rounds(device: torch.device, settings: Settings) -> list[float]:
    """Return the seconds of each round, after a warm-up."""
    task = task_of(settings.batch, settings.size, settings.out, dtype_of(settings.dtype), device, settings.threads)
    network = backbone(settings.backbone).to(device).to(memory_format=torch.channels_last)
    shared = DistributedDataParallel(network, device_ids=[device.index] if device.type == "cuda" else None)
    train = training(shared, task)
    augment = ours.pipeline(task, RECIPES[settings.recipe], compile=device.type == "cuda")
    seconds = []
    for steps in (WARM_UP, *[STEPS] * settings.rounds):
        _meet(device)
        start = time.perf_counter()
        for _ in range(steps):
            train(augment(task.images))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def _meet(device: torch.device) -> None:
    """Wait for the other processes, and for the device."""
    dist.barrier()
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def cells(row: Row) -> list[str]:
    """Format a row in the order of COLUMNS."""
    return [f"{row.processes}", f"{row.ms:,.1f}", f"{row.images_per_s:,.1f}", f"{row.efficiency:.0%}"]


def print_table(report: dict[str, Any], rows: Sequence[Row]) -> None:
    console = reports.console()
    console.print(reports.table("training in several processes", COLUMNS, [cells(row) for row in rows]))
    console.print(LEGEND, highlight=False)


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the report as Markdown, including the command."""
    chosen, found = report["settings"], report["environment"]
    place = f"{found['gpu'] or 'no GPU'}; {found['processor']}, {found['threads']} threads; {found['date']}"
    lines = [f"{chosen['backbone']}, {chosen['recipe']}, {place}.", "", "    " + report["command"], ""]
    return "\n".join([*lines, *reports.markdown_table(COLUMNS, [cells(row) for row in rows]), "", LEGEND, ""])
