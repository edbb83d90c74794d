"""Command-line arguments that several tools share, and their checks."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from augment.tools.errors import ToolError

DTYPES = ("float32", "bfloat16", "float16")


def positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} must be a positive whole number")
    return number


def add_measuring(parser: argparse.ArgumentParser, only: str) -> None:
    """Add the options of every tool that compares implementations.

    Args:
        only: default of --only, the implementations to measure.
    """
    cores = os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count()
    parser.add_argument("--device", default="auto", help="cpu, cuda, or auto to use a GPU if available (%(default)s)")
    parser.add_argument("--batch", type=positive, default=64, help="images per batch (%(default)s)")
    parser.add_argument("--size", type=positive, default=256, help="side of the square input in pixels (%(default)s)")
    parser.add_argument("--out", type=positive, default=224, help="side of the output in pixels (%(default)s)")
    parser.add_argument("--dtype", default="float32", help="dtype of the output (%(default)s)")
    parser.add_argument("--threads", type=positive, default=cores, help="CPU threads (%(default)s)")
    parser.add_argument("--rounds", type=positive, default=9, help="number of timed rounds (%(default)s)")
    parser.add_argument(
        "--only", default=only, help='prefixes of implementation names, e.g. "augment,kornia eager" (%(default)s)'
    )
    parser.add_argument(
        "--json", metavar="FILE", help="write all figures to this file; - prints them instead of the table"
    )
    parser.add_argument("--markdown", metavar="FILE", help="write the tables to this file")


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the option of every tool that builds a pipeline from a YAML file."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="let the YAML file build anything, which runs any code its author wants, not only layers of augment",
    )


def check_files(*paths: str | None) -> None:
    """Check that result files can be written, before hours of measurement; - is the terminal."""
    for path in paths:
        if path and path != "-":
            writable(path)


def device_of(name: str) -> torch.device:
    """Return the device for cpu, cuda, cuda:1 or auto."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ToolError(f"--device: {name!r} must be cpu, cuda, cuda:<number> or auto.")
    if device.type == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda
        why = "torch sees no GPU" if built else "this torch is built without CUDA"
        raise ToolError(
            f"--device: {name} cannot be used: {why}; use --device cpu, or install a CUDA build and driver."
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ToolError(f"--device: {name} does not exist: there are {torch.cuda.device_count()} GPUs, counted from 0.")
    return device


def dtype_of(name: str, allowed: Sequence[str] = DTYPES) -> torch.dtype:
    if name not in allowed:
        raise ToolError(f"--dtype: {name!r} must be one of {', '.join(allowed)}.")
    return getattr(torch, name)


def writable(path: str) -> Path:
    """Return the path of a file whose folder exists."""
    file = Path(path)
    if not file.parent.is_dir():
        raise ToolError(f"{path}: the folder {file.parent} does not exist; create it first.")
    if file.is_dir():
        raise ToolError(f"{path} is a folder; give the name of a file.")
    return file
