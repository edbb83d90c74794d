"""CV-CUDA: listed so that its absence from the tables is visible; its recipes are not written yet."""

from collections.abc import Sequence

from augment.tools.bench.work import Implementation, NotOfferedError, Run, Task


def _build(task: Task, operators: Sequence[str]) -> Run:
    raise NotOfferedError("is installed, but its recipes are not written yet")


IMPLEMENTATIONS = [
    Implementation("CV-CUDA", ("cvcuda-cu13", "cvcuda-cu12"), "per sample", False, _build, devices=("cuda",))
]
