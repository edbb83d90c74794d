"""The command `python -m augment doctor`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader

from augment.tools.arguments import add_trust, device_of, positive
from augment.tools.doctor import diagnose
from augment.tools.doctor.stages import training_step
from augment.tools.images import folder_loader
from augment.tools.recipe import pipeline_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pipeline", nargs="?", default="imagenet", help="a preset, a YAML file or an expression (%(default)s)"
    )
    parser.add_argument("--images", metavar="FOLDER", help="folder of images to load; default: random bytes")
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (%(default)s)")
    parser.add_argument("--batch", type=positive, default=64, help="images per batch (%(default)s)")
    parser.add_argument("--size", type=positive, default=256, help="side of the resized images in pixels (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=0, help="workers of the data loader, with --images (%(default)s)"
    )
    parser.add_argument("--network", metavar="NAME", help="a timm network to train, which shows its share of a step")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_trust(parser)


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    device = device_of(arguments.device)
    pipeline = pipeline_of(arguments.pipeline, trust=arguments.trust)
    step = training_step(arguments.network, device) if arguments.network else None
    report = diagnose(pipeline, _loader(arguments), device, step=step)
    print(json.dumps(report.plain(), indent=1) if arguments.json else report)


def _loader(arguments: argparse.Namespace) -> DataLoader | Iterator[torch.Tensor]:
    if arguments.images:
        return folder_loader(arguments.images, arguments.size, arguments.batch, arguments.workers)
    shape = (arguments.batch, arguments.size, arguments.size, 3)
    return (torch.randint(0, 256, shape, dtype=torch.uint8).permute(0, 3, 1, 2) for _ in range(8))
