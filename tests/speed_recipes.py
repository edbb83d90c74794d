"""Small versions of the recipes of `python -m augment bench`, for tests of their optimisations."""

import torch

import augment as A
from augment.engine import chunks
from augment.engine import compiling as compiled
from augment.tools.bench.kernels import counted
from augment.tools.bench.peers.ours import TABLE
from augment.tools.bench.recipes import GROUPS, RECIPES
from augment.tools.bench.work import Task, translated
from augment.tools.doctor import diagnose

__all__ = ["WHOLE", "A", "batch", "chunks", "compiled", "counted", "diagnose", "pipeline"]

WHOLE = GROUPS["recipes"]


def pipeline(name: str, compile: bool = False) -> A.Pipeline:
    """Build a recipe; recipes with a crop return 28 pixels."""
    task = Task(torch.empty(0, 3, 1, 1), torch.empty(0), 28, torch.float32, 1)
    return A.Pipeline(*translated(TABLE, RECIPES[name], task), compile=compile)


def batch(size: tuple[int, int] = (32, 32), count: int = 6) -> A.Batch:
    images = torch.randint(0, 256, (count, *size, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    return A.Batch(images, label=torch.arange(count) % 10, index=torch.arange(count))
