"""python -m lightning_modules export CHECKPOINT --to FORMAT --out FILE."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from augment.tools.errors import required
from lightning_modules.exporting.choices import LAYOUTS, OUTPUTS, SUFFIXES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command to a parser.

    Example:
        >>> add_arguments(parser := argparse.ArgumentParser())
        >>> parser.parse_args(["best.ckpt", "--to", "onnx", "--out", "best.onnx"]).layout
        'bchw'
    """
    parser.add_argument("checkpoint", help="best.ckpt of a run")
    parser.add_argument("--to", choices=tuple(SUFFIXES), required=True, help="format of the file")
    parser.add_argument(
        "--out", required=True, metavar="FILE", help="the file, which ends with .pt2, .onnx or .safetensors"
    )
    parser.add_argument("--output", choices=OUTPUTS, default="logits", help="what the program returns")
    parser.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="bchw",
        help="axes of the images; decoders return bhwc",
    )
    parser.add_argument("--device", default="cpu", help="device that the program is for, such as cuda")


def run(arguments: argparse.Namespace, given: Sequence[str]) -> None:
    """Export, and print one line about the file.

    Args:
        arguments: what the parser returns.
        given: the words of the command line, which this command does not need.

    Example:
        >>> run(parser.parse_args(["best.ckpt", "--to", "onnx", "--out", "best.onnx"]), [])
        best.onnx: 1.2 MB, differs from the checkpoint by at most 2.4e-07
    """
    required("pytorch_lightning", "pytorch-lightning", "The export of a classifier")
    from lightning_modules.errors import one_sentence  # these take seconds to import

    with one_sentence():
        from lightning_modules import load
        from lightning_modules.exporting.export import write_classifier

        model = load(arguments.checkpoint, arguments.device)
        written = write_classifier(model, arguments.to, arguments.out, arguments.output, arguments.layout)
        size = f"{written.path}: {written.path.stat().st_size / 1e6:.1f} MB"
        if arguments.to == "safetensors":
            print(f"{size}, weights of the network without its preprocessing")
        elif written.difference is None:
            print(f"{size}, not compared with the checkpoint: pip install onnxruntime")
        else:
            print(f"{size}, differs from the checkpoint by at most {written.difference:.1e}")
