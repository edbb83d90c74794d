"""Shapes and types in the signatures of `augment` are assertions in the tests: a wrong shape fails the call."""

import os
import warnings

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import typecheck

install_import_hook("augment", f"{typecheck.__name__}.{typecheck.check.__name__}")
torch.set_num_threads(1)  # tests run in parallel processes
os.environ.setdefault("OMP_NUM_THREADS", "1")  # and so do the programs that they start

# a busy machine may take longer than hypothesis allows for an example, and every run tries the same examples
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


@pytest.fixture
def photos() -> torch.Tensor:
    """(8, 3, 29, 37) uint8, channels_last: smooth, colourful, different."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 29), torch.linspace(0, 1, 37), indexing="ij")
    phase = torch.arange(8.0)[:, None, None, None] * 0.7
    waves = torch.stack([torch.sin(5 * x + 3 * y), torch.cos(4 * x * y + 1), torch.sin(9 * y - 2 * x)])
    images = (0.5 + 0.45 * torch.sin(waves * 2 + phase)) * 255
    return images.round().to(torch.uint8).contiguous(memory_format=torch.channels_last)


@pytest.fixture
def in_torch(monkeypatch):
    """Calls a function without the kernels."""

    def call(function, *args):
        with monkeypatch.context() as patch, warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*CPU kernels were not compiled", RuntimeWarning)
            patch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
            return function(*args)

    return call
