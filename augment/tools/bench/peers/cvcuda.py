"""CV-CUDA: named, so that the table does not look complete without it; its recipes are still to be written on a GPU."""

from collections.abc import Sequence

from augment.tools.bench.work import Implementation, NotOfferedError, Run, Task


def _build(task: Task, operators: Sequence[str]) -> Run:
    raise NotOfferedError("is installed, but its recipes are not written yet")


IMPLEMENTATIONS = [
    Implementation("CV-CUDA", ("cvcuda-cu13", "cvcuda-cu12"), "per sample", False, _build, devices=("cuda",))
]
