"""What torch compiles for a GPU, on a machine without one: the code is generated, and run by Triton's interpreter.

    TRITON_INTERPRET=1 python -m tests.kernels.gpu_code crop_flip jitter draws "outer jitter"

prints a line of JSON for every recipe, the last one for a pipeline in code that somebody else has compiled: how many
kernels are launched, what they write, and how far the result is from that of eager mode. It reaches into torch at many
places, to make it believe in a device that is not there; so it wants a process of its own, and another one, which does
not interpret, to generate the code (`--code NAME`).
"""

import json
import os
import re
import subprocess
import sys

import numpy as np
import torch
from torch._subclasses import FakeTensorMode

import augment as A
from augment.engine.execution import noise_of
from tests import speed_recipes as speed
from tests.kernels.gpu_generation import CUDA, code_of, generated, on_gpu, pretend_gpu
from tests.kernels.gpu_interpreter import interpreted

OTHERS = {
    "choice of overlays": lambda: A.RandomMix([A.RandomMixUp(), A.RandomCutMix()], num_classes=10, p=0.8),
    "choice of mixes": lambda: A.RandomMix([A.RandomCutMix(), A.ResizeMix()], num_classes=10),
    "mosaic": lambda: A.RandomMosaic(num_classes=10, p=0.7),
    "blur": lambda: A.RandomGaussianBlur((5, 7), (0.5, 3.0), p=0.6),
}
"""Layers that no recipe has."""


def example(name: str) -> tuple[A.Pipeline, A.Batch]:
    torch.manual_seed(0)
    if name in OTHERS:
        return A.Pipeline(OTHERS[name](), compile=False), speed.batch((48, 48))
    return speed.pipeline(name.removeprefix("outer ")), speed.batch((48, 48))


def code(name: str) -> str:
    """Of a recipe, or of drawing its noise, from a process of its own."""
    script = [sys.executable, "-W", "ignore", "-m", "tests.kernels.gpu_code", "--code", name]
    env = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    return subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout


def facts_of(name: str) -> dict[str, float]:
    """`launches`; `written`, in multiples of the output; `masked`, how often code reads where something was chosen; the
    largest `difference` from eager mode on the CPU, and the share of values that is `apart` from it by more than
    rounding.
    """
    pipeline, batch = example(name)
    noise = pipeline.noise(batch.index, 3)
    wanted = pipeline(batch, noise)
    tensors = [batch.image, noise, batch.label, *pipeline.buffers()]
    source = code(name)
    outs, launched = interpreted(source, tensors)
    compared = [(out, want) for out in outs for want in (wanted.image, wanted.label) if want.shape == out.shape]
    (out,) = (out for out, want in compared if want is wanted.image)
    size = out.numel() * out.element_size()
    return {
        "launches": len(launched),
        "written": sum(written for written in launched if written >= size / 8) / size,
        "masked": len(re.findall(r"tl\.load\(.*, tmp\d+ & xmask", source)),
        "difference": max((out - want).abs().max().item() for out, want in compared),
        "apart": max(((out - want).abs() > 1e-3).float().mean().item() for out, want in compared),
    }


def draws() -> tuple[A.Pipeline, torch.Tensor]:
    return speed.pipeline("jitter", compile=True), torch.arange(6) * 1_000_003


def facts_of_draws() -> dict[str, float]:
    """Of drawing the noise, which is code of its own."""
    pipeline, index = draws()
    (out,), launched = interpreted(code("draws"), [index, torch.tensor(7)])
    return {"launches": len(launched), "difference": (out - pipeline.noise(index, 7)).abs().max().item()}


def generate(name: str) -> str:
    pretend_gpu()
    if name == "fresh draws":
        layer = A.RandomHorizontalFlip()
        with FakeTensorMode(allow_non_fake_inputs=True):
            return generated(torch.compile(lambda: layer.noise(batch_size=8, device=CUDA), fullgraph=True))
    if name != "draws":
        return code_of(*example(name), outer=name.startswith("outer "))
    pipeline, index = draws()
    with FakeTensorMode(allow_non_fake_inputs=True):
        return generated(lambda: noise_of(pipeline, 7, on_gpu(index)))


def main(names: list[str]) -> None:
    np.seterr(all="ignore")
    if names[0] == "--code":
        print(generate(names[1]))
        return
    for name in names:
        found = facts_of_draws() if name == "draws" else facts_of(name)
        print(json.dumps({"name": name} | found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
