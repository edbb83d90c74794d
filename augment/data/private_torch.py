"""What augment uses of torch that torch does not promise to keep: every private name stands here, one function each.

Each says with which versions it was tested (2.11 is the oldest that pyproject.toml allows), and what happens where a
torch has the name no longer. Only `kernels/cuda/inductor.py` has more of them, and says why. Imports stand inside of
the functions, because torch's compiler takes longer to import than all of augment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Function = Callable[..., Any]


def _missing(name: str, use: str) -> RuntimeError:
    return RuntimeError(
        f"torch {torch.__version__} has no {name}, needed for {use}; augment was tested with torch 2.11.0 and 2.15.0."
    )


# ------------------------------------------------------------------------------------------------- while code is traced


def exporting() -> bool:
    """Whether a program is being exported, which is to hold torch's own operators only.

    `torch.compiler.is_exporting()` is True in all that torch 2.11 compiles, so this looks at the flag behind it.
    Tested with torch 2.11.0 and 2.15.0. Where the flag is missing, the public function is asked.
    """
    flag = getattr(torch.compiler, "_is_exporting_flag", None)
    return torch.compiler.is_exporting() if flag is None else flag


def constant_when_traced(function: Function) -> Function:
    """Marks a function that the compiler calls while it traces, as `torch.compiler.assume_constant_result` does.

    That one loads the compiler, and this runs when augment is imported.

    Tested with torch 2.11.0 and 2.15.0. Where torch no longer reads the mark, the compiler traces into the function,
    and `fullgraph=True` raises an error that names it.
    """
    marked: Any = function
    marked._dynamo_marked_constant = True
    return function


# ----------------------------------------------------------------------------------------------------- what is compiled


def mode_options(mode: str) -> dict[str, Any]:
    """Inductor's options of a mode: `torch.compile` takes a mode or options, and a pipeline has options of its own.

    Tested with torch 2.11.0 and 2.15.0. Where torch's list is missing, "default" has no options, as in both; another
    mode is an error.
    """
    import torch._inductor

    known = getattr(torch._inductor, "list_mode_options", None)
    if known is not None:
        return known(mode)
    if mode != "default":
        raise _missing("torch._inductor.list_mode_options", f"the mode {mode!r}")
    return {}


def mark_dynamic(tensor: Tensor, dim: int) -> None:
    """Tells the compiler that an extent varies, without making it an error where the code needs a constant.

    Tested with torch 2.11.0 and 2.15.0. Where the function is missing nothing is marked: the second batch size is
    compiled once more, and by torch's own rule for all sizes.
    """
    import torch._dynamo

    mark = getattr(torch._dynamo, "maybe_mark_dynamic", None)
    if mark is not None:
        mark(tensor, dim)


def recompile_limit_errors() -> tuple[type[BaseException], ...]:
    """What a compiled function raises that was compiled too many times, for `except`.

    Tested with torch 2.11.0 and 2.15.0. Where the error is missing there is none to catch: torch's own then reaches the
    caller.
    """
    import torch._dynamo.exc

    found = getattr(torch._dynamo.exc, "FailOnRecompileLimitHit", None)
    return () if found is None else (found,)


def graphs_compiled() -> int:
    """How many graphs this process compiled, for the doctor, which reports batches that were compiled again.

    Tested with torch 2.11.0 and 2.15.0. Where the counter is missing this is 0, and the doctor does not see them.
    """
    import torch._dynamo.utils

    counters = getattr(torch._dynamo.utils, "counters", {})
    return counters["stats"]["unique_graphs"] if "stats" in counters else 0


# ---------------------------------------------------------------------------------------------------------- CUDA graphs


def copy_each(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copies tensors into others of the same shapes by one call.

    Tested with torch 2.11.0 and 2.15.0. Where the function is missing each is copied by itself.
    """
    copy = getattr(torch, "_foreach_copy_", None)
    if copy is not None:
        copy(targets, sources)
        return
    for target, source in zip(targets, sources, strict=True):
        target.copy_(source)


def holders(memory: torch.UntypedStorage) -> int:
    """How many tensors share a piece of memory, so that a CUDA graph writes to it only when its results are let go.

    Tested with torch 2.11.0 and 2.15.0. Where the count is missing there is an error: a graph that guesses would
    overwrite results in use.
    """
    count = getattr(torch._C, "_storage_Use_Count", None)
    if count is None:
        raise _missing("torch._C._storage_Use_Count", 'compile="reduce-overhead" and "max-autotune"')
    return count(memory._cdata)


def registries(module: nn.Module) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The dictionaries in which a module keeps its own parameters, buffers and layers by name.

    The public iterators make a new tuple for everything, and leave out the names that hold None; a replay looks
    these up before every batch.

    Tested with torch 2.11.0 and 2.15.0. Where one is missing there is torch's own AttributeError.
    """
    return module._parameters, module._buffers, module._modules


# ------------------------------------------------------------------------------------------------------------ what runs


def each_operator(seen: Callable[[Any, tuple, Any], None]) -> contextlib.AbstractContextManager:
    """Calls `seen(operator, arguments, result)` after every operator of torch that runs inside of it.

    Tested with torch 2.11.0 and 2.15.0. Where the class is missing there is an error: the doctor and the bench cannot
    count without it.
    """
    try:
        from torch.utils._python_dispatch import TorchDispatchMode
    except ImportError as error:
        name = "torch.utils._python_dispatch.TorchDispatchMode"
        raise _missing(name, "counting operators") from error

    class Seen(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            out = func(*args, **(kwargs or {}))
            seen(func, args, out)
            return out

    return Seen()


def without_values() -> contextlib.AbstractContextManager:
    """Tensors made inside of it have no values, so that all that reads one fails: the doctor looks where.

    Tested with torch 2.11.0 and 2.15.0. Where the class is missing they have values, and the doctor finds only reads
    that an operator shows.
    """
    try:
        from torch._subclasses.fake_tensor import FakeTensorMode
    except ImportError:
        return contextlib.nullcontext()
    return FakeTensorMode(allow_non_fake_inputs=True)
