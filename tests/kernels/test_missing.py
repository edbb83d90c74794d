"""An installation without compiled kernels says so, when a kernel would have been used for the first time."""

import subprocess
import sys
import warnings
from pathlib import Path

import torch

import augment as A

PROGRAM = """
import warnings

import torch

from augment.kernels.cpu import library

library.AVAILABLE = False
import augment as A

pipeline = A.Pipeline(A.Normalize(0.5, 0.5)).eval()
for _ in range(3):
    pipeline(torch.zeros(2, 3, 8, 8, dtype=torch.float64))
    print("now", flush=True)
    A.RandomHorizontalFlip()(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
"""


def test_it_is_said_once_with_the_remedy_at_the_first_call():
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=True,
    )
    before, after = ended.stdout.split("now", 1)
    assert "Warning" not in before
    assert after.count("RuntimeWarning: augment's CPU kernels were not compiled during installation") == 1
    assert after.count("install g++, then run: ") == 1


def test_explain_says_it(monkeypatch):
    pipeline = A.Pipeline(A.RandomRotation(5.0))
    noise = torch.zeros(pipeline.draws)
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", True)
    assert "warning" not in pipeline.explain(noise, size=(8, 8))
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
    assert "install g++" in pipeline.explain(noise, size=(8, 8))["warning"]


def test_nothing_is_said_where_no_kernel_would_be_used(monkeypatch):
    monkeypatch.setattr("augment.kernels.cpu.library.AVAILABLE", False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        A.Pipeline(A.Normalize(0.5, 0.5)).eval()(torch.zeros(2, 3, 8, 8, dtype=torch.float64))
