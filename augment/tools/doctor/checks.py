"""The other checks of the doctor, one function each."""

from __future__ import annotations

import os

import torch

from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.kernels import missing
from augment.tools.doctor.findings import NOTE, SLOW, Report

_MEMORY = 2.5
"""Memory that a pipeline should need at most, in multiples of its output."""


def check_device(report: Report, used: torch.device, asked: torch.device | None) -> None:
    if used.type == "cuda":
        return
    if torch.cuda.is_available():
        report.add(
            "device",
            SLOW,
            "augmentation runs on the CPU although a GPU is available",
            'move the batch first: pipeline(batch.to("cuda", non_blocking=True))',
        )
    else:
        why = "this torch is built without CUDA" if torch.version.cuda is None else "torch sees no GPU or no driver"
        report.add(
            "device",
            SLOW if asked is not None and asked.type == "cuda" else NOTE,
            f"augmentation runs on the CPU: {why}",
            "if the machine has a GPU: install a CUDA build of torch and a matching driver, and check "
            "CUDA_VISIBLE_DEVICES",
        )
    for problem, remedy in missing():
        report.add("device", SLOW, problem, remedy)
    cores = os.cpu_count() or 1
    if torch.get_num_threads() < cores:
        report.add(
            "device",
            NOTE,
            f"torch uses {torch.get_num_threads()} of {cores} CPU cores",
            "torch.set_num_threads(...) or OMP_NUM_THREADS, unless the other cores load data",
        )


def check_mode(report: Report, pipeline: Layer) -> None:
    if not pipeline.training:
        report.add(
            "mode", NOTE, "the pipeline is in eval(): nothing random is applied", "pipeline.train() for training"
        )
    learned = [name for name, parameter in pipeline.named_parameters() if parameter.requires_grad]
    if learned:
        report.add(
            "mode",
            NOTE,
            f"{len(learned)} parameters are learnable ({learned[0]}, ...), so a graph is recorded and memory kept",
            "pipeline.requires_grad_(False) once they are learned",
        )


def check_compilation(report: Report, pipeline: Layer, device: torch.device, graphs: list[int]) -> None:
    """Check whether the pipeline is compiled once; `graphs` counts the compilations during each batch."""
    stuck = [type(leaf).__name__ for leaf in pipeline.leaves() if not getattr(leaf, "compilable", True)]
    compiles = isinstance(pipeline, Pipeline) and pipeline.compiles_on(device)
    if stuck:
        report.add(
            "compile",
            SLOW,
            f"{', '.join(dict.fromkeys(stuck))} cannot be compiled, so the whole pipeline runs in eager mode",
            "replace it by a layer of augment, or move it to the start or end, outside the compiled pipeline",
        )
    elif not compiles:
        report.add(
            "compile",
            SLOW if device.type == "cuda" else NOTE,
            "the pipeline is not compiled",
            "Pipeline(..., compile=True); the first batch takes seconds to minutes, and later processes use the cache",
        )
    later = sum(graphs[1:])
    if later:
        report.add(
            "compile",
            SLOW,
            f"{later} of {len(graphs) - 1} batches after the first were compiled again",
            'find out why with TORCH_LOGS="recompiles"; usual causes are changing image sizes or dtypes, mixing '
            "train() and eval(), and attributes that change from batch to batch",
        )


def check_memory(report: Report, peak: int | None, output: int) -> None:
    if peak is None:
        return
    times = peak / max(output, 1)
    report.figures["peak memory"] = f"{peak / 1e6:.0f} MB, {times:.1f} times the output"
    if times > _MEMORY:
        report.add(
            "memory",
            NOTE,
            f"the pipeline needs {times:.1f} times the size of its output",
            "compile it (which avoids storing intermediate images), or use smaller batches",
        )
