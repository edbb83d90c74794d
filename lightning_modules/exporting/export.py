"""Writes a classifier to a file, and compares what the file answers with the classifier."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lightning_modules.errors import UserError
from lightning_modules.exporting.choices import LAYOUTS, OUTPUTS, SUFFIXES
from lightning_modules.exporting.facts import facts_of
from lightning_modules.exporting.formats import Run, runner, write
from lightning_modules.exporting.program import ServedClassifier, exported

if TYPE_CHECKING:
    from lightning_modules.classifier import ImageClassifier

TOLERANCE = 1e-4
"""Largest difference between a file and the classifier, relative to the largest answer if that is above 1."""

_COMPARED = ((1, 200, 300), (3, 96, 64))
"""Batches (images, height, width) on which a file is compared with the classifier."""


@dataclass(frozen=True)
class Written:
    """A file of a classifier.

    Attributes:
        path: where it lies.
        difference: largest difference from the answers of the classifier; None if nothing here can run the file.
    """

    path: Path
    difference: float | None


def write_classifier(
    model: ImageClassifier, to: str, path: str | os.PathLike, output: str = "logits", layout: str = "bchw"
) -> Written:
    """Write a classifier to a file that needs neither this trainer nor `augment`.

    Args:
        model: what `lightning_modules.load` returns; its device is the one the program is for.
        to: "torch", "onnx" or "aoti" for a program of preprocessing and network, which takes uint8 images of any
            number, height and width; "safetensors" for the weights of the network under the names of timm.
        path: ends with .pt2, .onnx or .safetensors. An existing file is replaced once the new one is whole.
        output: "logits", or "probabilities".
        layout: "bchw" for images (B, C, H, W), "bhwc" for (B, H, W, C), as decoders return them.

    Raises:
        UserError: the network cannot be exported, a package is missing, or the file answers otherwise.

    Example:
        >>> write_classifier(load("best.ckpt"), "onnx", "best.onnx", output="probabilities").difference
        2.4e-07
    """
    for name, value, allowed in (("to", to, SUFFIXES), ("output", output, OUTPUTS), ("layout", layout, LAYOUTS)):
        if value not in allowed:
            raise UserError(f"{name}={value!r} must be one of {', '.join(allowed)}.")
    path, suffix = Path(path), SUFFIXES[to]
    if path.suffix != suffix:
        raise UserError(f"{path} must end with {suffix}, as files of --to {to} do.")
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: the folder {path.parent} does not exist.")
    part = path.with_name(f"{path.stem}.part{suffix}")
    facts = facts_of(model, output, layout)
    try:
        difference = None
        if to == "safetensors":
            _write_weights(model, part, facts)
        else:
            served = ServedClassifier(model, output).eval()
            with torch.no_grad():
                write(exported(served, model.channels, layout), to, part, facts)
                run = runner(to, part, model.device)
                difference = None if run is None else _compared(served, run, model, layout)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return Written(path, difference)


def _write_weights(model: ImageClassifier, path: Path, facts: dict[str, str]) -> None:
    try:
        safetensors = importlib.import_module("safetensors.torch")
    except ImportError as error:
        raise UserError("files of safetensors need a package: pip install safetensors.") from error
    kept = model.backbone.state_dict().items()
    weights = {name: value.cpu().clone(memory_format=torch.contiguous_format) for name, value in kept}
    safetensors.save_file(weights, path, metadata={"format": "pt"} | facts)


def _compared(served: ServedClassifier, run: Run, model: ImageClassifier, layout: str) -> float:
    """Return the largest difference between a file and the classifier on noise, or raise UserError if it is large."""
    differences = []
    for count, height, width in _COMPARED:
        noise = torch.Generator().manual_seed(height)
        images = torch.randint(0, 256, (count, model.channels, height, width), dtype=torch.uint8, generator=noise)
        images = images.to(model.device)
        expected = served(images)
        given = run(images.permute(0, 2, 3, 1).contiguous() if layout == "bhwc" else images)
        differences.append(_difference(given, expected))
        if not differences[-1] <= TOLERANCE * max(1.0, expected.abs().max().item()):
            raise UserError(
                f"the exported program differs from the checkpoint by {differences[-1]:.1e}, more than {TOLERANCE}."
            )
    return max(differences)


def _difference(given: Tensor, expected: Tensor) -> float:
    return (given - expected).abs().max().item()
