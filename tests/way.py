"""How much code runs between a call and its result: executed lines, and files, of `augment`.

    python -m tests.way

prints a line for a RandomAffine in a pipeline until the first pixel is sampled, and for the six layers of a usual
recipe from the call to the result, both in eager mode on a CPU without kernels, when they run for the second time.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from unittest import mock

import torch

import augment as A

_ROOT = str(Path(A.__file__).parent)


class SampledError(Exception):
    """The first pixel is about to be read."""


def way(call: Callable[[], object], until: str | None = None) -> tuple[int, int]:
    """How many lines of `augment` a call executes, those of a loop each time, and in how many files.

    Args:
        call: what to run.
        until: the name of a function; nothing is counted once it is called.
    """
    files: list[str] = []

    def trace(frame: FrameType, event: str, argument: object) -> Callable | None:
        file = frame.f_code.co_filename
        if not file.startswith(_ROOT):
            return None
        if frame.f_code.co_name == until:
            raise SampledError
        if event == "line":
            files.append(file)
        return trace

    sys.settrace(trace)
    try:
        call()
    except SampledError:
        pass
    finally:
        sys.settrace(None)
    return len(files), len(set(files))


def affine() -> A.Pipeline:
    return A.Pipeline(A.RandomAffine(20, (0.1, 0.1), (0.9, 1.1), p=0.5), compile=False)


def jitter() -> A.Pipeline:
    return A.Pipeline(
        A.RandomResizedCrop(24),
        A.RandomHorizontalFlip(),
        A.RandomAffine(15, (0.1, 0.1), (0.9, 1.1)),
        A.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        A.Normalize(A.IMAGENET_MEAN, A.IMAGENET_STD),
        A.RandomErasing(p=0.25),
        compile=False,
    )


def ways() -> dict[str, tuple[int, int]]:
    images, index = torch.randint(0, 256, (8, 3, 32, 40), dtype=torch.uint8), torch.arange(8)
    found = {}
    with mock.patch("augment.kernels.cpu.library.AVAILABLE", False):
        for name, make, until in (("affine to the first pixel", affine, "sample"), ("six layers", jitter, None)):
            pipeline = make()
            pipeline(images, index=index)
            found[name] = way(lambda run=pipeline: run(images, index=index), until)
    return found


if __name__ == "__main__":
    for name, (lines, files) in ways().items():
        print(f"{name}: {lines} lines in {files} files")
