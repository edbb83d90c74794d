"""The library does not import the packages of the trainer."""

from __future__ import annotations

import subprocess
import sys

from tests.trainer.tools import ROOT

BLOCKED = "pytorch_lightning lightning_fabric lightning_modules hydra omegaconf timm torchvision jsonargparse"


def test_augment_needs_nothing_of_the_trainer() -> None:
    program = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BLOCKED.split()}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
import torch
import augment as A
pipeline = A.Pipeline(A.RandomResizedCrop(8), A.ColorJitter(0.4, 0.4, 0.4, 0.1), A.Normalize(0.5, 0.5))
print(tuple(pipeline(torch.zeros(2, 3, 16, 16, dtype=torch.uint8)).shape))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.stdout.strip() == "(2, 3, 8, 8)", ended.stderr
