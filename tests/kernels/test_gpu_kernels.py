"""The kernels for a GPU without one: Triton interprets them, and compiles them for one that is not there."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed", allow_module_level=True)


def told(*arguments: str, **environment: str) -> list[dict]:
    script = [sys.executable, "-W", "ignore", "-m", "tests.kernels.gpu_kernels", *arguments]
    root = Path(__file__).parents[2]
    env = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"} | environment
    out = subprocess.run(script, check=True, timeout=1800, stdout=subprocess.PIPE, text=True, cwd=root, env=env)
    return [json.loads(line) for line in out.stdout.splitlines()]


def test_they_compute_what_torch_does():
    found = told(TRITON_INTERPRET="1")
    assert len(found) > 40
    for one in found:
        assert one["used"] >= 1, one
        assert one["apart"] <= (5e-3 if "nearest" in one["name"] else 1e-4), one


def test_they_compile():
    assert all(one["code"] > 1000 for one in told("--compile"))
