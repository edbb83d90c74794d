"""The code that torch makes of recipes for a GPU: how many kernels, how much memory they write, what they compute."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

if importlib.util.find_spec("triton") is None or torch.version.cuda is None:
    pytest.skip("this torch cannot generate code for CUDA", allow_module_level=True)

LAUNCHES = {"crop_flip": 5, "jitter": 8, "randaugment": 28, "three_augment": 10, "mixing": 19, "chain:6": 8}
"""The most kernels for a batch: lower it when they get fewer. A launch takes some 5 microseconds of the host."""

OTHERS = {"choice of overlays": 8, "choice of mixes": 11, "mosaic": 13, "blur": 6}
"""The same of layers that no recipe has."""

WRITTEN = {"crop_flip": 1.0, "jitter": 1.0, "randaugment": 3.0, "three_augment": 3.0, "mixing": 3.9, "chain:6": 1.0}
"""The most that all kernels write, in multiples of the output: 1 is one pass over memory.

RandAugment's count an equalizing step's histogram as if each of its additions were a value written.
"""


@pytest.fixture(
    scope="module",
    params=[[name] for name in LAUNCHES] + [["draws", "layer:elastic", "outer jitter"], list(OTHERS)],
    ids=lambda n: n[-1],
)
def facts(request):
    """Of one or two recipes, from a process that believes in a GPU."""
    script = [sys.executable, "-W", "ignore", "-m", "tests.kernels.gpu_code", *request.param]
    env = os.environ | {"TRITON_INTERPRET": "1"}
    root = Path(__file__).parents[2]
    out = subprocess.run(script, check=True, timeout=600, capture_output=True, text=True, cwd=root, env=env)
    return [json.loads(line) for line in out.stdout.splitlines()]


def test_few_kernels_write_little_and_compute_the_same(facts):
    for found in facts:
        name = found["name"]
        assert found["launches"] <= (LAUNCHES | OTHERS).get(name.removeprefix("outer "), 9)
        assert found.get("written", 1) <= WRITTEN.get(name, 6)
        # RandAugment's steps are on bytes, and one that is rounded the other way may be moved one further by the next
        assert found["difference"] <= {"draws": 0.0, "randaugment": 0.05}.get(name, 2e-4)
        if name == "mixing":
            assert found["masked"] >= 6, "partners are to be read where they show only, three planes in both mixes"
        assert found.get("apart", 0) <= (2e-3 if name == "randaugment" else 0)


def test_draws_without_an_index_are_made_by_the_gpu_alone():
    """A number of the CPU would be a constant of a CUDA graph: every replay would draw the same."""
    script = [sys.executable, "-W", "ignore", "-m", "tests.kernels.gpu_code", "--code", "fresh draws"]
    root = Path(__file__).parents[2]
    code = subprocess.run(script, check=True, timeout=600, capture_output=True, text=True, cwd=root).stdout
    assert "aten.randint.low_out" in code
    assert "device(type='cpu')" not in code.replace('"', "'")
    assert "cpp_fused" not in code
