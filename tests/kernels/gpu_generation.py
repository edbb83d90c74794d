"""Makes torch generate the code of a pipeline for a GPU that is not there."""

import importlib.util
from functools import partial
from types import SimpleNamespace
from unittest import mock

import torch
import triton
import triton.runtime
from kornia.filters import kernels as kornia_kernels
from torch._higher_order_ops import triton_kernel_wrap
from torch._inductor import config
from torch._inductor.async_compile import AsyncCompile
from torch._inductor.fx_passes import joint_graph
from torch._inductor.graph import GraphLowering
from torch._subclasses import FakeTensorMode
from triton.backends.compiler import GPUTarget

import augment as A
from augment.engine.execution import execute_whole

CUDA = "cuda"

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
