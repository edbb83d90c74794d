"""Diagnoses a pipeline and its loader."""

from __future__ import annotations

import copy
import itertools
import statistics
import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from augment.core.layer import Layer
from augment.core.pipeline import Pipeline
from augment.data.batch import Batch
from augment.data.known import dense
from augment.data.private_torch import graphs_compiled
from augment.tools.bench.timing import peak_memory
from augment.tools.doctor import checks
from augment.tools.doctor.batches import Form, as_batch, check_batches, form_of
from augment.tools.doctor.findings import SLOW, Report
from augment.tools.doctor.stages import Stages, Step, check_stages
from augment.tools.doctor.syncs import fake_read, reads
from augment.tools.errors import ToolError


def diagnose(
    pipeline: Layer,
    loader: Iterable[Any],
    device: torch.device | str | None = None,
    batches: int = 8,
    step: Step | None = None,
) -> Report:
    """Run a few batches through a pipeline as training would, and report what makes it slow.

    Args:
        pipeline: a Pipeline or a single layer.
        loader: yields images, (images, labels), {"image": ..., "label": ...}, PackedImages or Batch.
        device: device of the augmentation; by default a GPU if available.
        batches: number of batches to run, at least 2.
        step: trains a network on augmented images (B, C, H, W), so that its share of the time is known.

    Returns:
        The report; print it, or read its `findings` and `figures`.
    """
    if not isinstance(pipeline, Layer):
        raise TypeError(f"diagnose: pipeline={type(pipeline).__name__} must be a Pipeline or another layer of augment.")
    if batches < 2:
        raise ValueError(f"diagnose: batches={batches} must be at least 2.")
    asked = None if device is None else torch.device(device)
    used = asked or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    report = Report(figures={"device": str(used)})
    forms, last = _run_through(report, pipeline, loader, used, batches, step)
    check_batches(report, forms, used)
    checks.check_device(report, used, asked)
    checks.check_mode(report, pipeline)
    _check_syncs(report, pipeline, last)
    with torch.no_grad():
        out = dense(pipeline(last).image)
        checks.check_memory(report, peak_memory(lambda: pipeline(last), used), out.numel() * out.element_size())
    return report


def _run_through(
    report: Report, pipeline: Layer, loader: Iterable[Any], device: torch.device, batches: int, step: Step | None
) -> tuple[list[Form], Batch]:
    """Time loader, pipeline and network, and count compilations; also return all forms and the last batch."""
    forms: list[Form] = []
    waits, works, trained, graphs = [], [], [0.0], []
    batch: Batch | None = None
    source = iter(loader)
    start = time.perf_counter()
    for delivered in itertools.islice(source, batches):
        waits.append(time.perf_counter() - start)
        batch = as_batch(delivered)
        forms.append(form_of(batch))
        before, start = graphs_compiled(), time.perf_counter()
        batch = batch.to(device, non_blocking=True)
        out = pipeline(batch)
        works.append(_since(start, device))
        graphs.append(graphs_compiled() - before)
        if step is not None:
            start = time.perf_counter()
            step(dense(out.image).detach())
            trained.append(_since(start, device))
        start = time.perf_counter()
    if batch is None or len(forms) < 2:
        raise ToolError(
            f"the loader delivers {len(forms)} batches; the doctor needs at least 2, as the first is a warm-up."
        )
    report.figures["images"] = f"{forms[0].dtype}, {forms[0].size or 'packed'}, batch {len(batch)}"
    report.figures["first batch, s"] = round(works[0], 2)
    checks.check_compilation(report, pipeline, device, graphs)
    settled = [work for work, compiled in zip(works[1:], graphs[1:], strict=True) if not compiled] or works[1:]
    network = statistics.median(trained[2:] or trained)  # without the first step
    stages = Stages(statistics.median(waits[1:]), statistics.median(settled), network)
    check_stages(report, stages, loader, len(batch))
    return forms, batch


def _since(start: float, device: torch.device) -> float:
    """Return the seconds from `start` until the device has done its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _check_syncs(report: Report, pipeline: Layer, batch: Batch) -> None:
    eager = copy.deepcopy(pipeline)
    for module in eager.modules():
        if isinstance(module, Pipeline):
            module.compile_mode = False
    found = dict(reads(lambda: eager(batch), batch.device))
    if not found and isinstance(batch.image, Tensor):
        place = fake_read(lambda: eager(_without_values(batch)))
        found = {place: 1} if place else {}
    for place, count in found.items():
        report.add(
            "sync",
            SLOW if batch.device.type == "cuda" else "note",
            f"the host reads values of a tensor {count} times per batch: {place}",
            "use tensor operators (torch.where instead of if, no item(), tolist(), nonzero() or masks as indices); on "
            "a GPU each read waits for all earlier work, and it breaks compilation and CUDA graphs",
        )


def _without_values(batch: Batch) -> Batch:
    """Return empty tensors of the same form; created under FakeTensorMode, they have no values."""
    return batch.map(lambda part: torch.empty_like(part))
