"""What torch compiles for a GPU, on a machine without one: the code is generated, and run by Triton's interpreter.

    TRITON_INTERPRET=1 python -m tests.kernels.gpu_code crop_flip jitter draws "outer jitter"

prints a line of JSON for every recipe, the last one for a pipeline in code that somebody else has compiled: how many
kernels are launched, what they write, and how far the result is from that of eager mode. It reaches into torch at many
places, to make it believe in a device that is not there; so it wants a process of its own, and another one, which does
not interpret, to generate the code (`--code NAME`).
"""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import torch
import triton
import triton.language as tl
import triton.runtime
from kornia.filters import kernels as kornia_kernels
from torch._higher_order_ops import triton_kernel_wrap
from torch._inductor import config
from torch._inductor.async_compile import AsyncCompile
from torch._inductor.fx_passes import joint_graph
from torch._inductor.graph import GraphLowering
from torch._subclasses import FakeTensorMode
from triton.backends.compiler import GPUTarget
from triton.runtime.interpreter import TensorHandle

import augment as A
from augment.engine.execution import execute_whole, noise_of
from augment.kernels.cuda import filtering_triton as filtering_kernels
from augment.kernels.cuda import policy_step_triton as policy_kernels
from augment.kernels.cuda import warping_triton as warping_kernels
from tests import speed_recipes as speed

CUDA = "cuda"
KERNELS = (warping_kernels, policy_kernels, filtering_kernels)
ITEMSIZES = {"fp32": 4, "fp64": 8, "bf16": 2, "fp16": 2, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u8": 1, "i1": 1}

# ---------------------------------------------------------------------------------------------- a device for generation

PROPERTIES = SimpleNamespace(
    name="NVIDIA H100",
    major=9,
    minor=0,
    total_memory=80 << 30,
    multi_processor_count=132,
    warp_size=32,
    max_threads_per_multi_processor=2048,
    max_threads_per_block=1024,
    regs_per_multiprocessor=65536,
    shared_memory_per_block_optin=232448,
    gcnArchName="",
)
"""Of an H100, as far as they decide anything."""

ANSWERS = {
    "torch.cuda": {
        "is_available": True,
        "device_count": 1,
        "current_device": 0,
        "_get_device_properties": PROPERTIES,
        "get_device_capability": (9, 0),
        "is_initialized": False,
        "is_current_stream_capturing": False,
        "_lazy_init": None,
        "set_device": None,
        "_exchange_device": 0,
        "_maybe_exchange_device": 0,
        "get_rng_state": torch.empty(16, dtype=torch.uint8),
        "set_rng_state": None,
    },
    "torch.cuda.graphs": {"_cuda_isCurrentStreamCapturing": False},
    "torch._C": {
        "_cuda_getDevice": 0,
        "_cuda_setDevice": None,
        "_cuda_exchangeDevice": 0,
        "_cuda_getCurrentRawStream": 0,
    },
}
"""What functions say that would ask the driver."""


def pretend_gpu() -> None:
    for module, answers in ANSWERS.items():
        for name, answer in answers.items():
            setattr(importlib.import_module(module), name, lambda *args, answer=answer, **options: answer)
    driver = mock.Mock()
    driver.get_current_target.return_value = GPUTarget(CUDA, 90, 32)
    driver.get_current_device.return_value = 0
    triton.runtime.driver.set_active(driver)
    torch._C._ensureCUDADeviceGuardSet()
    # torch only warns that it cannot tell what a kernel writes, and takes it that this is all it is given
    triton_kernel_wrap.log.warning = _failed
    # these would run something on the device
    AsyncCompile.triton = lambda *args, **options: None
    kornia_kernels._device_literal = lambda data, **options: torch.full((1, 1), *data[0], **options)
    joint_graph.lazy_init = lambda *args, **options: None
    config.joint_graph_constant_folding = False


class GeneratedError(Exception):
    """Instead of a module that could be called."""


def _stop(graph: GraphLowering) -> None:
    raise GeneratedError(getattr(graph.codegen()[0], "value", None) or graph.codegen()[0])


def _failed(text: str, *values: object, **options: object) -> None:
    raise AssertionError(text % values)


def generated(function) -> str:
    """The code that a call of compiled code for fake tensors on the GPU makes."""
    torch._dynamo.reset()
    with mock.patch.object(GraphLowering, "compile_to_module", _stop):
        try:
            function()
        except Exception as error:
            while error is not None and not isinstance(error, GeneratedError):
                error = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__
            if error is None:
                raise
            return error.args[0]
    raise AssertionError("nothing was compiled")


def code(name: str) -> str:
    """Of a recipe, or of drawing its noise, from a process of its own."""
    script = [sys.executable, "-W", "ignore", "-m", "tests.kernels.gpu_code", "--code", name]
    env = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    return subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout


def on_gpu(tensor: torch.Tensor) -> torch.Tensor:
    """A fake of the same shape, strides and type."""
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=CUDA)


def code_of(pipeline: A.Pipeline, batch: A.Batch, outer: bool) -> str:
    pipeline.compile_mode = not outer
    whole = partial(execute_whole, pipeline)
    run = torch.compile(whole, fullgraph=True) if outer else whole
    with FakeTensorMode(allow_non_fake_inputs=True):
        for module in pipeline.modules():
            module._buffers.update({name: on_gpu(value) for name, value in module._buffers.items()})
        noise = torch.empty(len(batch), pipeline.draws, device=CUDA)
        given = batch.map(on_gpu)
        return generated(lambda: run(given, noise))


# ----------------------------------------------------------------------------------------------- running what it makes


def _elementwise(function, dtype=None):
    """A function of numpy for the interpreter's tensors."""

    def call(*values):
        kind = dtype or values[0].handle.dtype
        data = np.asarray(function(*(value.handle.data for value in values)))
        type_ = tl.block_type(kind, values[0].type.shape) if values[0].type.is_block() else kind
        return tl.core.tensor(
            TensorHandle(data.astype(np.int32 if dtype else values[0].handle.data.dtype), kind), type_
        )

    return call


class LibDevice:
    """The functions of CUDA's mathematical library that the interpreter lacks."""

    nearbyint, floor, hypot, exp, exp2, log, sin, asin, tan, trunc = (
        staticmethod(_elementwise(function))
        for function in (np.rint, np.floor, np.hypot, np.exp, np.exp2, np.log, np.sin, np.arcsin, np.tan, np.trunc)
    )
    saturate = staticmethod(_elementwise(lambda x: np.clip(np.nan_to_num(x, nan=0.0), 0, 1)))
    signbit = staticmethod(_elementwise(np.signbit, tl.int32))
    isnan = staticmethod(_elementwise(np.isnan, tl.int32))


FOREACH_BLOCK = 1024
"""Of kernels that do one thing after the other, in Inductor a constant."""

HEAD = """
import triton
import triton.language as tl
from torch._inductor.runtime import triton_helpers
from torch._inductor.runtime.triton_helpers import math as tl_math
"""


class Kernel:
    """A generated kernel, interpreted; every launch adds to the list how many bytes it wrote."""

    def __init__(self, name: str, source: str, launched: list[int]) -> None:
        self.name, self.launched = name, launched
        kinds = ast.literal_eval("{" + re.search(r"'signature': \{(.*?)\}", source).group(1) + "}")
        self.blocks = [key for key in kinds if key.endswith("BLOCK")]
        self.arguments = [key for key in kinds if not key.endswith("BLOCK")]
        source = source[source.index("@triton.jit") :]
        source = re.sub(r"^@triton_heuristics\..*?^@triton\.jit", "@triton.jit", source, flags=re.M | re.S)
        source = re.sub(r"tl\.inline_asm_elementwise\('cvt\.sat.*?\[(\w+)\], .*?\)", r"libdevice.saturate(\1)", source)
        source = re.sub(r"^ *tl\.device_assert\(.*\)$", "", source, flags=re.M)
        stored = re.findall(r"(?:tl\.store|tl\.atomic_add)\((\w+)", source)
        self.itemsize = sum(ITEMSIZES[kinds[pointer].removeprefix("*")] for pointer in stored)
        self.function = getattr(_module(HEAD + source), name)

    def run(self, *arguments, stream=None) -> None:
        given = dict(zip(self.arguments, arguments, strict=True))
        if self.name.startswith("triton_for_"):
            parts = [given[name] for name in given if name.startswith("xnumel_")]
            self.function[(sum(triton.cdiv(part, FOREACH_BLOCK) for part in parts),)](*arguments)
            self.launched.append(sum(parts) * self.itemsize // len(parts))
            return
        counts = [given.get(name, 1) for name in ("xnumel", "ynumel")]
        reduces = "triton_poi_" not in self.name
        widest = [16, 1] if reduces else [1 << 14, 16]
        sizes = [min(wide, triton.next_power_of_2(count)) for wide, count in zip(widest, counts, strict=True)]
        blocks = dict(zip(("XBLOCK", "YBLOCK"), sizes, strict=True)) | {"R0_BLOCK": 2048}
        grid = tuple(triton.cdiv(count, size) for count, size in zip(counts, sizes, strict=True))
        self.function[grid](*arguments, **{name: blocks[name] for name in self.blocks})
        self.launched.append(0 if reduces else counts[0] * counts[1] * self.itemsize)


class Ours:
    """A kernel of augment, interpreted; what it writes counts like that of a generated one."""

    def __init__(self, name: str, source: str, launched: list[int]) -> None:
        self.function = next(getattr(m, name) for m in KERNELS if hasattr(m, name))
        self.constants = ast.literal_eval(re.search(r"'constants': (\{.*?\})", source).group(1))
        self.launched = launched

    def run(self, *arguments, stream=None) -> None:
        *values, x, y, z = arguments
        names = [name for name in self.function.arg_names if not name.isupper()]
        given = dict(zip(names, values, strict=True)) | self.constants
        self.function[(x, y, z)](**given)
        out = given.get("out")
        self.launched.append(0 if out is None else out.numel() * out.element_size())


def _module(source: str):
    """A module made of source in a file, where Triton's interpreter finds it."""
    with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as file:
        file.write(source)
    spec = importlib.util.spec_from_file_location("generated", file.name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    Path(file.name).unlink()
    module.libdevice = LibDevice
    return module


REPLACED = [
    (r"^(\w+) = async_compile\.triton\(", r"\1 = KERNEL("),
    (r"^(async_compile|del async_compile).*$", ""),
    (r"^from torch\._C import _cuda_getCurrentRawStream.*$", "get_raw_stream = lambda device: 0"),
    (
        r"^empty_strided_cuda = .*$",
        "empty_strided_cuda = lambda size, strides, dtype: empty_strided_cpu(size, strides, dtype)",
    ),
    (r"with torch\.cuda\._DeviceGuard\(0\):", "if True:"),
    (r"torch\.cuda\.set_device\(0\)", "pass"),
    (r"device='cuda:0'|device\(type='cuda', index=0\)", "device='cpu'"),
]


def interpreted(code: str, tensors: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[int]]:
    """What generated code returns for the tensors that it asks for, and the bytes that each of its launches wrote."""
    launched: list[int] = []
    for pattern, replacement in REPLACED:
        code = re.sub(pattern, replacement, code, flags=re.M)

    def kernel(name: str, source: str, device_str: str) -> Kernel | Ours:
        return (Ours if "custom_kernel=True" in source else Kernel)(name, source, launched)

    names = {"KERNEL": kernel, "__name__": "generated"}
    exec(compile(code, "generated", "exec"), names)
    return names["call"](_asked(code, tensors)), launched


def _asked(code: str, tensors: list[torch.Tensor]) -> list:
    """The tensors in the order in which generated code takes them, by type and shape; equal ones keep their order."""
    rest, asked = list(tensors), []
    part = code[code.index("def get_args") : code.index("def benchmark_compiled")]
    values = dict(re.findall(r"^    (\w+) = (.*)$", part, re.M))
    for name in re.search(r"return \[(.*)\]", part).group(1).split(", "):
        kind = re.match(r"rand_strided\((\(.*?\)), .* dtype=torch\.(\w+)\)", values[name])
        if kind is None:
            asked.append(len(tensors[0]))
            continue
        shape = ast.literal_eval(kind.group(1))
        found = next(
            t
            for t in rest
            if str(t.dtype) == f"torch.{kind.group(2)}" and t.shape[1:] == shape[1:] and t.ndim == len(shape)
        )
        rest = [tensor for tensor in rest if tensor is not found]
        asked.append(found)
    return asked


# --------------------------------------------------------------------------------------------------------------- facts


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
