"""The formats of exported classifiers: how each is written, and how it runs."""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lightning_modules.errors import UserError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

FACTS = "facts.json"
"""Name of the file inside of a file of torch.export.save that says what the program is."""

Run = Callable[[Tensor], Tensor]
"""Maps uint8 images to what a program answers."""


def write(program: ExportedProgram, to: str, path: Path, facts: dict[str, str]) -> None:
    """Write a program as "torch", "onnx" or "aoti".

    Args:
        program: what `exported` returns.
        to: the format.
        path: ends with the suffix of the format.
        facts: what the file says about itself, see `facts_of`.

    Example:
        >>> write(program, "onnx", Path("best.onnx"), facts)
    """
    if to == "torch":
        torch.export.save(program, path, extra_files={FACTS: json.dumps(facts)})
    elif to == "aoti":
        from torch._inductor import aoti_compile_and_package  # here, because it takes a second to import

        aoti_compile_and_package(program, package_path=str(path), inductor_configs={"aot_inductor.metadata": facts})
    else:
        if importlib.util.find_spec("onnxscript") is None:
            raise UserError("ONNX files need a package: pip install onnxscript.")
        made = torch.onnx.export(program, dynamo=True, verbose=False, input_names=["images"], output_names=["output"])
        if made is None:
            raise UserError("torch made no ONNX model of the network.")
        made.model.metadata_props.update(facts)
        made.save(path)


def runner(to: str, path: Path, device: torch.device) -> Run | None:
    """Return a function that runs a file, or None if the package is missing that runs it.

    Example:
        >>> runner("onnx", Path("best.onnx"), torch.device("cpu"))(images)  # (B, C, H, W) -> (B, classes)
    """
    if to == "torch":
        return torch.export.load(path).module()
    if to == "aoti":
        from torch._inductor import aoti_load_package

        return aoti_load_package(str(path))
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    session = importlib.import_module("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.cpu().numpy()})[0]).to(device)
