"""docs/examples/simclr.py: the loss is NT-Xent, and training without labels makes features that a probe can use."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from lightning_modules.data.digits import DigitsData

FILE = Path(__file__).parents[2] / "docs" / "examples" / "simclr.py"
spec = importlib.util.spec_from_file_location("simclr_example", FILE)
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def test_the_loss_is_that_of_the_paper() -> None:
    first, second = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0))
    z = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    expected = []
    for i in range(10):
        others = torch.stack([torch.exp(z[i] @ z[j] / 0.5) for j in range(10) if j != i])
        expected.append(-torch.log(torch.exp(z[i] @ z[(i + 5) % 10] / 0.5) / others.sum()))
    torch.testing.assert_close(example.contrastive_losses(first, second), torch.stack(expected))


def test_digits_are_told_apart_without_labels(tmp_path: Path) -> None:
    trainer = pl.Trainer(
        max_epochs=5,
        accelerator="cpu",
        default_root_dir=tmp_path,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
    )
    found = example.pretrain_and_probe(DigitsData(batch_size=128), 12, trainer)
    assert found["SimCLR"] > max(found["random weights"] + 0.01, 0.94)


@pytest.mark.parametrize(("name", "features"), [("small_cnn", 128), ("test_resnet", 96)])
def test_a_network_gives_features(name: str, features: int) -> None:
    backbone, count = example.network(name, 3)
    assert backbone(torch.zeros(2, 3, 32, 32)).shape == (2, count)
    assert count == features
