"""How far the images of a GPU are from those of the CPU: python -m augment.tools.measure.agreement --json FILE."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from augment.tools.arguments import add_measuring, check_files, device_of
from augment.tools.bench import report as reports
from augment.tools.bench.measure import task_of
from augment.tools.bench.peers import ours
from augment.tools.bench.recipes import GROUPS, RECIPES, TRAINABLE

_VISIBLE = 1 / 255
"""One step of an 8-bit image whose values lie between 0 and 1."""
COLUMNS = ("recipe", "largest difference", "mean difference", "further than 1/255")


@dataclass(frozen=True)
class Row:
    """One recipe in float32 from the same bytes and draws, on two devices, without normalisation.

    Attributes:
        largest, mean: absolute differences, where images have values between 0 and 1.
        visible: share of the values that differ by more than 1/255.
    """

    recipe: str
    largest: float
    mean: float
    visible: float

    def plain(self) -> dict[str, object]:
        return asdict(self)


def compared(recipe: str, device: torch.device, batch: int, size: int, out: int) -> Row:
    """Augment the same images on the CPU and on a device, with the same draws."""
    operators = [name for name in RECIPES[recipe] if name != "normalize"]
    images = []
    for place in (torch.device("cpu"), device):
        task = task_of(batch, size, out, torch.float32, place, 1)
        images.append(ours.pipeline(task, operators, compile=False)(task.images, index=torch.arange(batch)).cpu())
    apart = (images[0] - images[1]).abs()
    return Row(recipe, apart.max().item(), apart.mean().item(), (apart > _VISIBLE).float().mean().item())


def markdown(report: dict[str, Any], rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    cells = [(row.recipe, f"{row.largest:.2g}", f"{row.mean:.2g}", f"{row.visible:.3%}") for row in rows]
    return "\n".join([reports.headline(report) + ".", "", *reports.markdown_table(COLUMNS, cells), ""])


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m augment.tools.measure.agreement", description=__doc__)
    add_measuring(parser, only="augment")
    arguments = parser.parse_args(given)
    device = device_of(arguments.device)
    check_files(arguments.json, arguments.markdown)
    arguments.dtype = "float32"  # rounding to fewer bits would hide how far the devices are apart
    recipes = [*TRAINABLE, *GROUPS["layers"]]
    rows = [compared(r, device, arguments.batch, arguments.size, arguments.out) for r in recipes]
    report = reports.about("measure", [], arguments, device, {})
    report["command"] = "python -m augment.tools.measure.agreement"
    if arguments.markdown:
        Path(arguments.markdown).write_text(markdown(report, rows))
    reports.tell(arguments, report, rows, lambda about, some: print(markdown(about, some)))
    if arguments.json and arguments.json != "-":
        Path(arguments.json).write_text(json.dumps(report | {"results": [row.plain() for row in rows]}, indent=1))


if __name__ == "__main__":
    main()
