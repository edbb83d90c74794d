"""Runs the code that torch generated for a GPU by Triton's interpreter, on a CPU, and counts the launches."""

import ast
import importlib.util
import re
import tempfile
from pathlib import Path

import numpy as np
import torch
import triton
import triton.language as tl
import triton.runtime
from triton.runtime.interpreter import TensorHandle

from augment.kernels.cuda import filtering_triton as filtering_kernels
from augment.kernels.cuda import finishing_triton as finishing_kernels
from augment.kernels.cuda import policy_step_triton as policy_kernels
from augment.kernels.cuda import warping_triton as warping_kernels

KERNELS = (warping_kernels, finishing_kernels, policy_kernels, filtering_kernels)
ITEMSIZES = {"fp32": 4, "fp64": 8, "bf16": 2, "fp16": 2, "i64": 8, "i32": 4, "i16": 2, "i8": 1, "u8": 1, "i1": 1}


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
