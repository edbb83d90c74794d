"""Checks of what is given on the command line."""

import argparse
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


def device_of(name: str) -> torch.device:
    """cpu, cuda, cuda:1 or auto."""
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


def dtype_of(name: str) -> torch.dtype:
    if name not in DTYPES:
        raise ToolError(f"--dtype: {name!r} must be one of {', '.join(DTYPES)}.")
    return getattr(torch, name)


def writable(path: str) -> Path:
    """A file's path whose folder is there."""
    file = Path(path)
    if not file.parent.is_dir():
        raise ToolError(f"{path}: the folder {file.parent} does not exist; create it first.")
    if file.is_dir():
        raise ToolError(f"{path} is a folder; give the name of a file.")
    return file
